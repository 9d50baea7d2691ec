"""The same with real processes: SIGKILL, a new process, the SQLite journal, a target in files, the real clock.

`RUNBOOK_CRASH=long` kills every case at every place; the short form samples them, one case at each third place.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.cases import REAL, Case, cases, once
from tests.crash.file_world import FileWorld
from tests.crash.invariants import assert_sound, intents
from tests.crash.register import INITIAL
from tests.crash.runner import open_journal, spawn

LONG = os.environ.get("RUNBOOK_CRASH") == "long"
AT_ONCE = 6  # most of a run is waiting for a dead owner's lease
CASES = cases(REAL)
SAMPLE = {"shed-then-scale": 3, "restart-then-roll-back": 13, "puts-back": 17, "unwinds": 17, "tell": 13}
OTHERS_SAMPLE = 13

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lived:
    """One run that was killed once (or not at all) and brought to its end by the next process."""

    folder: Path
    death: int | str
    exits: tuple[int, ...]  # of every process, as waitpid tells: negative is a signal

    @property
    def died(self) -> bool:
        """Whether it died once, and ended well; or waited so few times, on a busy machine, that it missed the place."""
        if self.exits == (-signal.SIGKILL, 0) or isinstance(self.death, str):
            return self.exits == (-signal.SIGKILL, 0)
        return self.exits == (0,) and len((self.folder / "passed").read_text().splitlines()) < self.death

    @property
    def place(self) -> str:
        """Where it died, for a failing test to say."""
        problem = self.folder / "problem"
        return f"killed at {self.death}, exits {self.exits}: {problem.read_text() if problem.exists() else ''}"


def live(name: str, folder: Path, deaths: Iterable[int | str]) -> Iterator[Lived]:
    """Run a case once for every place of death, several at once; each as often as it takes."""
    waiting, alive = list(deaths), dict[int, tuple[int | str, Path, tuple[int, ...]]]()
    while waiting or alive:
        while waiting and len(alive) < AT_ONCE:
            death = waiting.pop(0)
            own = folder / f"{name}-{death}"
            own.mkdir()
            alive[spawn(name, own, death)] = (death, own, ())
        process, code = next_exit(alive)
        death, own, exits = alive.pop(process)
        exits = (*exits, code)
        if exits[-1] == -signal.SIGKILL:
            alive[spawn(name, own)] = (death, own, exits)
        else:
            yield Lived(own, death, exits)


def next_exit(processes: Iterable[int]) -> tuple[int, int]:
    """Wait for the first of these processes to leave; return which, and its exit code."""
    while True:
        for process in processes:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                return process, os.waitstatus_to_exitcode(status)
        time.sleep(0.005)


def undisturbed(name: str, folder: Path) -> tuple[Lived, int]:
    """Run a case that nobody kills; also return how many places it passed."""
    (lived,) = live(name, folder, (0,))
    assert (0,) == lived.exits, lived.place
    return lived, len((lived.folder / "passed").read_text().splitlines())


def seen_at_target(case: Case, lived: Lived) -> tuple[int, tuple[str, ...], list[tuple[str, str]], list[str]]:
    """Return what the target counted: flag writes, workload writes, register writes, and what receivers heard."""
    files = FileWorld(case, lived.folder)
    return files.flag_writes, files.workload_writes, files.register.effects, files.told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_effect_is_lost_or_doubled_when_the_process_is_killed(case: Case, tmp_path: Path) -> None:
    """Whatever the place of SIGKILL, the next process brings the target to the very same counts."""
    reference, places = undisturbed(case.name, tmp_path)
    journal = open_journal(reference.folder)
    (expected,) = journal.executions(limit=2)
    begun = intents(journal.audit(expected.id))
    flag_writes, workload_writes, _, _ = seen_at_target(case, reference)
    assert (case.status, case.compensation) == (expected.status, expected.compensation)
    assert len(case.effects) == flag_writes + len(workload_writes)
    stride = 1 if LONG else SAMPLE.get(case.name, OTHERS_SAMPLE)

    for lived in live(case.name, tmp_path, range(1, places - 3, stride)):  # polling makes the count vary a little
        assert lived.died, lived.place
        assert seen_at_target(case, reference) == seen_at_target(case, lived), lived.place
        journal = open_journal(lived.folder)
        (execution,) = journal.executions(limit=2)
        assert (case.status, case.compensation) == (execution.status, execution.compensation), lived.place
        assert begun == intents(journal.audit(execution.id)), lived.place
        assert_sound(journal)


def test_a_change_that_must_not_be_repeated_is_called_once_at_most_when_the_process_is_killed(tmp_path: Path) -> None:
    """In doubt it ends unknown, and somebody hears of it."""
    case = once(REAL)
    _, places = undisturbed(case.name, tmp_path)
    statuses = set()

    numbered = range(1, places - 3, 1 if LONG else 3)
    named = ("after-intent", "after-apply")  # where it counts, which no number is sure to hit
    for lived in live(case.name, tmp_path, (*numbered, *named)):
        assert lived.died, lived.place
        files = FileWorld(case, lived.folder)
        keys = [key for key, _, _ in files.register.calls]
        assert len(set(keys)) == len(keys), lived.place
        journal = open_journal(lived.folder)
        (execution,) = journal.executions(limit=2)
        statuses.add(execution.status)
        if execution.status == "unknown" or execution.compensation == "failed":
            assert "oncall notFixed" in files.told, lived.place
        else:
            assert INITIAL == files.register.value, lived.place
        assert_sound(journal)

    assert {"succeeded", "unknown"} == statuses
