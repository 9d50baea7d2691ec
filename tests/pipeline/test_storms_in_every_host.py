"""The storm latch in three hosts: the same first wave, the same page, the same trail, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import LoadedTest, load_files
from runbook_engine.registry import Registry
from runbook_engine.testing.play import Play
from tests.pipeline.hosted import CloudPlay, LocalPlay, transcript_of
from tests.pipeline.test_same_transcript import named, played

STORMS = Path(__file__).parents[1] / "data" / "storms"


def scenarios() -> list[tuple[LoadedTest, int]]:
    """Every scenario of a storm."""
    loaded = load_files([STORMS], Registry(), STORMS / "engine.yaml")
    return [(test, number) for test in loaded.tests for number in range(len(test.document.tests))]


@pytest.mark.parametrize("case", scenarios(), ids=named)
def test_a_storm_is_the_same_in_every_host(case: tuple[LoadedTest, int], tmp_path: Path) -> None:
    """Memory, SQLite with worker threads, and AWS."""
    CloudPlay.scratch = tmp_path
    simulated, misses = played(case, Play)
    local, missed_locally = played(case, LocalPlay)
    cloud, missed_in_aws = played(case, CloudPlay)

    assert isinstance(cloud, CloudPlay)
    assert ((), (), ()) == (misses, missed_locally, missed_in_aws)
    assert transcript_of(simulated) == transcript_of(local)
    assert transcript_of(simulated) == cloud.kept
