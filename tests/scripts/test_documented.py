"""What the pages about deploying say can be typed: scripts take the options, stacks know the variables and outputs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, blocks_of
from tests.scripts.rig import Rig
from tests.tools import find_tool

PAGES = (ROOT / "docs" / "deploying.md", ROOT / "docs" / "sandbox.md")
COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line[:70]}")
    for page in PAGES
    for block in blocks_of(page)
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
]
RUNBOOK = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"
TEXT = "\n".join(page.read_text() for page in PAGES)


@pytest.mark.parametrize("line", COMMANDS)
def test_command_can_be_typed(rig: Rig, line: str) -> None:
    """Scripts run dry, Terraform's commands name a stack and what it has, the others are those that people have."""
    words = shlex.split(line)
    match words:
        case [script, *arguments] if script.startswith("scripts/"):
            if script == "scripts/publish-change.sh":
                find_tool("jq")
            rig.programs = () if "--dry-run" in arguments else rig.programs
            said = rig.run(
                script.removeprefix("scripts/"), *(arguments if "--dry-run" in arguments else [*arguments, "--dry-run"])
            )
            assert said.code == 0, said.err
        case ["terraform", chdir, *arguments]:
            declared = "".join(path.read_text() for path in (ROOT / chdir.removeprefix("-chdir=")).glob("*.tf"))
            for name in re.findall(r"-var=(\w+)=", line):
                assert f'variable "{name}"' in declared
            assert arguments[0] in ("init", "apply", "destroy", "output")
        case [".venv/bin/runbook", *arguments]:
            typed = arguments[: arguments.index(">")] if ">" in arguments else arguments
            done = subprocess.run([sys.executable, "-c", RUNBOOK, *typed], cwd=ROOT, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()
        case _:
            assert words[0] in ("aws", "make", "mkdir")


def test_outputs_that_pages_name_are_there() -> None:
    """Every `output` of a stack that somebody is told to read exists."""
    named = re.findall(r"-chdir=(terraform/stacks/\w+) output (?:-raw |-json )?(\w+)", TEXT)

    assert named
    for stack, output in named:
        declared = "".join(path.read_text() for path in (ROOT / stack).glob("*.tf"))
        assert f'output "{output}"' in declared, f"{stack} has no output {output}"


def test_variables_in_the_example_are_those_of_the_cluster() -> None:
    """The example of installation.auto.tfvars can be pasted."""
    declared = (ROOT / "terraform/stacks/cluster/variables.tf").read_text()
    (example,) = (
        block.text for block in blocks_of(PAGES[0]) if block.language == "text" and "zone_count" in block.text
    )
    names = re.findall(r"^(\w+)\s*=", example, re.MULTILINE)

    assert names
    assert [name for name in names if f'variable "{name}"' not in declared] == []


def test_chart_versions_in_the_page_are_those_of_the_script() -> None:
    """The table of add-ons is the list in install-addons.sh."""
    script = (ROOT / "scripts" / "install-addons.sh").read_text()
    pinned = re.findall(r"^[A-Z_]+=(v?\d+\.\d+\.\d+)$", script, re.MULTILINE)

    assert len(pinned) == 5
    assert [version for version in pinned if f"| {version} |" not in PAGES[0].read_text()] == []


def test_names_of_the_sandbox_are_those_of_its_runbooks() -> None:
    """Alarms, queue and function are called what the shipped runbooks match."""
    defaults = (ROOT / "terraform/stacks/sandbox/variables.tf").read_text()
    runbooks = "".join(path.read_text() for path in (ROOT / "runbooks" / "aws").glob("*.yaml"))

    assert 'default     = "runbook-sandbox"' in defaults
    assert 'default     = "orders"' in defaults
    for alarm in ("runbook-sandbox-errors", "orders-dlq-depth"):
        assert f"alertname = {alarm}" in runbooks
