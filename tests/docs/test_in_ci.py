"""The pipelines that authors are told to copy: each of their commands passes, and fails, where it should.

Not run: GitHub and Jenkins themselves, the two actions, and pip.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT, blocks_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("in-ci")]  # one repository for all of them

FILES = {
    block.settings["file"]: block.text for block in blocks_of(ROOT / "docs/authoring.md") if "file" in block.settings
}
WORKFLOW = yaml.safe_load(FILES[".github/workflows/runbooks.yml"])
STEPS = {step["name"]: step for step in WORKFLOW["jobs"]["runbooks"]["steps"]}
RUNS = {name: step["run"] for name, step in STEPS.items() if "run" in step and name != "Install"}
RULES = """
groups:
  - name: shop
    rules:
      - {alert: CheckoutCrashLooping, expr: checkout:crash_rate > 0.1, labels: {severity: critical}}
"""
ALERT = {"alertname": "CheckoutCrashLooping", "severity": "critical"}
GIT = {
    f"GIT_{who}_{what}": f"ana{at}"
    for who in ("AUTHOR", "COMMITTER")
    for what, at in (("NAME", ""), ("EMAIL", "@shop.example"))
}


def type_in(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: bash, ending at the first command that fails."""
    programs = Path(sys.executable).parent
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md"),
        **GIT,
    }
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of runbooks on a branch that shortens a deadline, with `origin/main` as it was before."""
    folder = tmp_path_factory.mktemp("in-ci") / "repository"
    (folder / "runbooks/checkout").mkdir(parents=True)
    for shipped in (ROOT / "runbooks/checkout").glob("crash-looping*.yaml"):
        shutil.copy(shipped, folder / "runbooks/checkout")
    shutil.copy(ROOT / "runbooks/engine.yaml", folder / "runbooks")
    (folder / "alerts").mkdir()
    (folder / "alerts/shop.yaml").write_text(RULES)
    line = {"at": "2026-01-05T03:04:05Z", "status": "firing", "labels": ALERT}
    (folder / "history.jsonl").write_text(json.dumps(line) + "\n")
    written = type_in(folder, "runbook permissions --format rbac > rights.yaml")
    assert 0 == written.returncode, written.stderr
    runbook = folder / "runbooks/checkout/crash-looping.yaml"
    before = runbook.read_text()
    after = before.replace("deadline: 1h", "deadline: 59m")
    assert after != before
    begun = type_in(
        folder, "git init -q && git add . && git commit -qm before && git update-ref refs/remotes/origin/main HEAD"
    )
    assert 0 == begun.returncode, begun.stderr
    runbook.write_text(after)
    changed = type_in(folder, "git commit -qam after")
    assert 0 == changed.returncode, changed.stderr
    return folder


def test_every_step_passes_on_a_sound_repository(repository: Path) -> None:
    """Reviewers see what changes, and the results of the tests are kept."""
    for name, script in RUNS.items():
        done = type_in(repository, script)
        assert 0 == done.returncode, f"{name}: {done.stdout}{done.stderr}"

    assert int(ElementTree.parse(repository / "build/runbooks.xml").getroot().attrib["tests"]) > 0
    assert "59m" in (repository.parent / "summary.md").read_text()


def add_a_key(folder: Path) -> None:
    """Misspell something in a runbook."""
    runbook = folder / "runbooks/checkout/crash-looping.yaml"
    runbook.write_text(runbook.read_text() + "stepz: []\n")


def expect_something_else(folder: Path) -> None:
    """Let a test expect what does not happen."""
    test = folder / "runbooks/checkout/crash-looping.test.yaml"
    before = test.read_text()
    test.write_text(before.replace("status: succeeded", "status: unknown"))
    assert test.read_text() != before


def add_an_alert(folder: Path) -> None:
    """Write an alert rule that no runbook answers."""
    (folder / "alerts/more.yaml").write_text(RULES.replace("CheckoutCrashLooping", "DiskFull").replace("shop", "more"))


def grant_more(folder: Path) -> None:
    """Grant what no runbook needs."""
    rights = folder / "rights.yaml"
    rights.write_text(rights.read_text().replace("- patch\n", "- patch\n  - delete\n", 1))


@pytest.mark.parametrize(
    ("step", "spoil"),
    [
        pytest.param("Lint", add_a_key, id="a misspelled key ends lint"),
        pytest.param("Test", expect_something_else, id="a broken promise ends test"),
        pytest.param("Coverage", add_an_alert, id="an alert without a runbook ends coverage"),
        pytest.param("Rights", grant_more, id="a right too many ends rights"),
    ],
)
def test_step_fails_on_a_spoiled_repository(
    step: str, spoil: Callable[[Path], None], repository: Path, tmp_path: Path
) -> None:
    """Each step ends the job for the reason that it is there for."""
    folder = tmp_path / "repository"
    shutil.copytree(repository, folder)
    spoil(folder)

    done = type_in(folder, RUNS[step])

    assert 1 <= done.returncode <= 2, f"{done.stdout}{done.stderr}"


def test_jenkins_types_the_same_commands() -> None:
    """One list of commands, in two pipelines."""

    def commands(text: str) -> list[str]:
        return re.findall(r"runbook (?:lint|test|coverage|permissions|diff)[\w ./-]*\w", text)

    assert commands("\n".join(RUNS.values())) == commands(FILES["Jenkinsfile"])
    assert len(RUNS) == len(commands(FILES["Jenkinsfile"]))


def test_actions_are_pinned_as_ours_are() -> None:
    """A reader copies a commit that we use ourselves."""
    ours = (ROOT / ".github/workflows/ci.yml").read_text()
    used = [step["uses"] for step in STEPS.values() if "uses" in step]

    assert len(used) == 2
    assert [each for each in used if each not in ours] == []
