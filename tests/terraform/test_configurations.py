"""Every folder of Terraform: formatted, valid, without a finding, documented, and with logs that end."""

import re
import subprocess
from pathlib import Path

import hcl2
import pytest

from tests.terraform.state import CONFIGURATIONS, ROOT
from tests.terraform.survey import Survey
from tools.terraform.checker import Folder
from tools.terraform.schema import load_schemas, used_types
from tools.terraform.workspace import find_folders, pretending, unformatted

pytestmark = pytest.mark.xdist_group("survey")  # the others would wait for it

FOLDERS = find_folders(CONFIGURATIONS)
MODULES = [folder for folder in FOLDERS if folder.parent.name == "modules"]
EXAMPLES = [*CONFIGURATIONS.glob("examples/*.tfvars"), *CONFIGURATIONS.glob("stacks/pipeline/*.example")]
WILDCARD = re.compile(r'^\s*(?:not_)?resources\s*=\s*\["\*"\]')
OURS = re.compile(r"^(?:aws|kubernetes|archive)_")


def name(path: Path) -> str:
    """Return a folder or file as people call it."""
    return str(path.relative_to(CONFIGURATIONS))


def test_every_file_is_formatted(terraform: Path) -> None:
    """Diffs show what changed, not who wrote it."""
    assert [] == unformatted(terraform, [CONFIGURATIONS])


def test_every_folder_is_valid(terraform: Path) -> None:
    """Terraform itself finds nothing, against the schema of the real provider."""
    with pretending(terraform) as pretended:
        found = {
            name(folder): said.text
            for folder in FOLDERS
            for command in (("init", "-backend=false"), ("validate",))
            if (said := pretended.run(folder, *command)).code
        }

    assert {} == found


def test_no_folder_has_a_finding(survey: Survey) -> None:
    """What Terraform would say is found where there is no Terraform, too."""
    assert [] == survey["findings"]


def test_schemas_hold_what_is_used_and_no_more() -> None:
    """A type that nobody uses any more only makes every check slower."""
    held = {kind for schema in load_schemas().values() for part in ("resource", "data") for kind in schema[part]}
    used = {kind for kind in used_types(CONFIGURATIONS) if OURS.match(kind)}

    assert used == held


@pytest.mark.parametrize("folder", MODULES, ids=name)
def test_module_is_whole(folder: Path) -> None:
    """A module says what it is, what it takes and gives, which versions it needs, and how that is tested."""
    assert [] == [
        part
        for part in ("README.md", "main.tf", "variables.tf", "outputs.tf", "versions.tf", "tests")
        if not (folder / part).exists()
    ]


def test_variables_and_outputs_are_described(survey: Survey) -> None:
    """What cannot be explained in a sentence is not ready to be set by others."""
    assert [] == survey["undescribed"]


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_example_sets_what_the_pipeline_knows(example: Path) -> None:
    """An example that Terraform refuses is worse than none."""
    known = Folder(CONFIGURATIONS / "stacks/pipeline").declared["var"]
    given = set(hcl2.loads(example.read_text(encoding="utf-8"))) - {"__comments__", "__inline_comments__"}

    assert set() == given - set(known)
    assert set() == {variable for variable, body in known.items() if "default" not in body} - given


def test_no_module_has_a_provider(survey: Survey) -> None:
    """A module with a provider of its own can be neither repeated nor removed."""
    assert [] == [folder for folder in survey["providers"] if folder.startswith("modules/")]


def test_every_log_group_ends(survey: Survey) -> None:
    """A log group without retention is kept, and paid for, for ever."""
    assert [] == survey["endless"]


def test_wildcard_resource_says_why() -> None:
    """Least privilege has exceptions, and each policy document that has one tells its reason within it."""
    unexplained = [
        f"{name(file)}:{number + 1}"
        for folder in FOLDERS
        for file in folder.glob("*.tf")
        for lines in [file.read_text(encoding="utf-8").splitlines()]
        for number, line in enumerate(lines)
        if WILDCARD.match(line) and not explained(lines[: number + 1])
    ]

    assert [] == unexplained


def test_gate_passes_on_a_folder_and_fails_on_a_broken_one(terraform: Path, tmp_path: Path) -> None:
    """The command that people and the gate run says which folder failed, and why."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "main.tf").write_text('resource "aws_sqs_queue" "this" {\n  nmae = "orders"\n}\n', encoding="utf-8")

    good, bad = (
        subprocess.run(
            [ROOT / "scripts/terraform", "--provider", "pretended", folder], capture_output=True, text=True, check=False
        )
        for folder in (CONFIGURATIONS / "modules/dead_letters", broken)
    )

    assert (0, 1) == (good.returncode, bad.returncode)
    assert "modules/dead_letters ok" in good.stdout
    assert "validate failed" in bad.stdout
    assert 'An argument named "nmae" is not expected here.' in bad.stdout


def explained(lines: list[str]) -> bool:
    """Return whether the document that the last line belongs to has a comment so far, or one above it."""
    for line in reversed(lines):
        if "#" in line:
            return True
        if line.startswith("}"):
            return False
    return False
