"""The shipped scenarios, each in three hosts: the same end, the same effects, and the same trail, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_engine.loading.files import LoadedTest, load_files
from runbook_engine.registry import Registry
from runbook_engine.testing.play import Play
from runbook_engine.testing.runner import load_subject, make_play
from tests.pipeline.hosted import CloudPlay, LocalPlay, transcript_of

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
ALL = os.environ.get("RUNBOOK_TRANSCRIPTS") == "long"
EVERY = 1 if ALL else 12


def scenarios() -> list[tuple[LoadedTest, int]]:
    """Every shipped test, or one of a few of them; where it stands in its file."""
    loaded = load_files([RUNBOOKS], Registry(), RUNBOOKS / "engine.yaml")
    found = [(test, number) for test in loaded.tests for number in range(len(test.document.tests))]
    return found[::EVERY]


def named(case: tuple[LoadedTest, int]) -> str:
    """Return the name of a case."""
    test, number = case
    return f"{Path(test.file).stem}: {test.document.tests[number].name}"


def played(case: tuple[LoadedTest, int], hosted: type[Play]) -> tuple[Play, tuple[str, ...]]:
    """Play a case in a host; return the play, and what was not as expected."""
    test, number = case
    registry = Registry()
    play = make_play(test.document.tests[number], test, load_subject(test, registry), registry, hosted)
    return play, play.run()


@pytest.mark.parametrize("case", scenarios(), ids=named)
def test_the_local_runner_and_the_simulated_host_say_the_same(case: tuple[LoadedTest, int]) -> None:
    """SQLite and worker threads do what the memory does."""
    simulated, misses = played(case, Play)
    local, missed = played(case, LocalPlay)

    assert (misses, missed) == ((), ())
    assert transcript_of(local) == transcript_of(simulated)


@pytest.mark.parametrize("case", scenarios(), ids=named)
def test_aws_and_the_simulated_host_say_the_same(case: tuple[LoadedTest, int], tmp_path: Path) -> None:
    """Table, bus and state machine do what the memory does."""
    CloudPlay.scratch = tmp_path
    simulated, misses = played(case, Play)
    cloud, missed = played(case, CloudPlay)

    assert isinstance(cloud, CloudPlay)
    assert (misses, missed) == ((), ())
    assert cloud.kept == transcript_of(simulated)
