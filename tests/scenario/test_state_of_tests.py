"""The tests beside a runner's runbooks: run once at its start, and shown for exactly the runbooks that it loaded."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest

from runbook_engine.entrypoints import tests_state as states
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.entrypoints.test_process import keep, run_tests
from runbook_engine.registry import Registry

RUNBOOKS = Path(__file__).parents[2] / "runbooks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with one shipped runbook and its tests."""
    made = tmp_path / "runbooks"
    (made / "checkout").mkdir(parents=True)
    shutil.copy(RUNBOOKS / "engine.yaml", made)
    for name in ("crash-looping.yaml", "crash-looping.test.yaml"):
        shutil.copy(RUNBOOKS / "checkout" / name, made / "checkout")
    return made


def digest_in(folder: Path) -> str:
    """The digest of the runbook as a runner loads it."""
    [runbook] = load_bundle_of(
        read_settings(runbooks=folder, state=folder / "state", environment={}), Registry()
    ).runbooks
    return runbook.digest


def test_tests_speak_for_the_runbook_that_the_runner_loaded(folder: Path) -> None:
    """By its digest: one that was written otherwise has none."""
    state = run_tests(folder)

    passed = state.tested[digest_in(folder)].passed
    assert passed > 3
    assert f"all {passed} pass" == states.say_tests(state, digest_in(folder))
    assert "none beside it" == states.say_tests(state, "another")


def test_a_test_that_fails_is_named(folder: Path) -> None:
    """The runner runs on: whether to switch it off is a person's decision."""
    file = folder / "checkout" / "crash-looping.test.yaml"
    file.write_text(file.read_text().replace("status: succeeded", "status: cancelled", 1))

    said = states.say_tests(run_tests(folder), digest_in(folder))

    assert said.startswith("1 of ")
    assert " fail: " in said


def test_tests_that_cannot_be_read_say_why(folder: Path) -> None:
    """The file and the line."""
    file = folder / "checkout" / "crash-looping.test.yaml"
    file.write_text("kind: RunbookTest\n")

    said = states.say_tests(run_tests(folder), "any")

    assert said.startswith(f"could not be run: {file}:1: ")


def test_what_became_of_them_reaches_the_page_whole(tmp_path: Path) -> None:
    """Until it is there, nobody says that they pass."""
    before = states.read_state(tmp_path)
    kept = states.TestsState(tested={"d": states.Tested(passed=1), "e": states.Tested(passed=1, failed=tuple("abcd"))})

    states.write_state(tmp_path, kept)

    after = states.read_state(tmp_path)
    assert (
        "not known: they run once the runner has started, and its log says why when they do not end"
        == states.say_tests(before, "d")
    )
    assert "the only one passes" == states.say_tests(after, "d")
    assert "4 of 5 fail: a, b, c and 1 more" == states.say_tests(after, "e")


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    """What became of the tests is not known then, and everything else goes on."""
    log, nowhere = StringIO(), tmp_path / "gone"

    keep(nowhere, states.TestsState(), EventLog(log))

    [line] = log.getvalue().splitlines()
    said = json.loads(line)
    assert ("tests.not_kept", "warning") == (said["event"], said["level"])
    assert said["says"] == (
        f"{nowhere}/tests.json cannot be written: No such file or directory (start the runner again when it can)"
    )
    assert states.read_state(nowhere) is None
