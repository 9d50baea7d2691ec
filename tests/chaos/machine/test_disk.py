"""Disks that are full, read-only or at fault, a journal that another program holds, and no descriptors left.

A real `runbook serve`, a crowd that posts, the fault at a random moment and for a random while. What was answered 202
is done once at the target when the fault is gone; what was not is answered 503, with a reason and when to come again.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.machine.faults import (
    can_be_immutable,
    forbidden,
    full,
    immutable,
    limited,
    locked,
    open_files,
    small_disk,
)
from tests.chaos.machine.site import PATIENCE, Site, row, site
from tests.chaos.tally import LONG, SEED, tries
from tests.lab import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("a runner on a machine at fault")]  # one after the other

by_night = pytest.mark.skipif(not LONG, reason="the long form (make chaos)")
CROWD = 2
AT_ONCE = 5  # tries until everything has to come to its end: a run may wait half a minute for what cannot be read
OVERLOADED = (503, "overloaded", "not taken, send it again later")
UNAVAILABLE = (503, "unavailable", "not taken, send it again later; the server's log says why")
Fault = Callable[[Site], AbstractContextManager[None]]


@dataclass(frozen=True)
class Trouble:
    """One kind of fault: what it is, for how long, and what is said meanwhile."""

    name: str
    fault: Fault
    longest: float  # seconds
    says: str  # by /readyz
    refuses: tuple[tuple[int, str, str], ...]  # status, code and sentence of the front door
    remark: str = ""
    answers: bool = True  # whether every post is answered meanwhile


def play(site: Site, trouble: Trouble, times: int) -> None:
    """Let the fault come and go that often while a crowd posts; what was acknowledged must be done when it is gone."""
    for number in range(times):
        asked = number == 0 and LONG and bool(trouble.says)
        before, held = site.rng.uniform(0, 0.3), site.rng.uniform(0.05, trouble.longest)
        with crowd(site):
            time.sleep(before)
            with trouble.fault(site):
                if asked:
                    wait_until(lambda: trouble.says in site.ready()[1], f"/readyz says: {trouble.says}", PATIENCE)
                time.sleep(held)
            wait_until(site.post, f"posts are taken again, seed {SEED}", PATIENCE)
        if number % AT_ONCE == 0:
            site.settle()


@contextmanager
def crowd(site: Site) -> Iterator[None]:
    """Post from several threads until the end."""
    over = threading.Event()

    def post() -> None:
        while not over.is_set():
            site.post()
            over.wait(0.2)

    threads = [threading.Thread(target=post) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def judged(site: Site, trouble: Trouble, times: int) -> None:
    """Play, hold what came of it against the target, and keep the row."""
    play(site, trouble, times)
    found = site.settle()
    told = {(status, answer["error"]["code"], answer["error"]["message"]) for status, answer, _ in site.refusals}
    remarks = (trouble.remark, f"{found.withheld} more asked a person first" if found.withheld else "")
    kept = row(trouble.name, times, [found], "; ".join(filter(None, remarks)))
    assert kept.sound, (found, SEED)
    assert site.acknowledged, SEED
    assert told <= set(trouble.refuses), (told, SEED)
    assert all(int(headers["retry-after"]) >= 1 for _, _, headers in site.refusals), SEED
    assert "Traceback" not in site.runner.log_file.read_text(), "what goes wrong is said in sentences"
    assert not trouble.answers or site.unanswered == 0, (site.unanswered, SEED)


def test_a_disk_that_fills_up_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Full while a crowd posts, freed again later; on a small disk where one may be mounted."""
    with small_disk(tmp_path / "state") as mounted:
        trouble = Trouble(
            "a full disk",
            (lambda site: full(site.settings.state)) if mounted else unwritable,
            1.5,
            "the state folder cannot be written: " + ("the disk is full" if mounted else "File too large"),
            (OVERLOADED,) if mounted else (OVERLOADED, UNAVAILABLE),
            "" if mounted else "by a limit on what a process may write: nothing may be mounted here",
        )
        with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
            judged(made, trouble, tries(1, 120))


def test_posts_are_answered_when_whoever_answers_them_was_started_on_a_full_disk(tmp_path: Path) -> None:
    """Nothing of it is mapped into a hole of the disk: the kernel would end it, again and again (SIGBUS)."""
    with small_disk(tmp_path / "state") as mounted, site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        if not mounted:
            pytest.skip("no disk may be mounted here")
        with full(made.settings.state):
            for process in made.processes():
                os.kill(process, signal.SIGKILL)
            wait_until(lambda: made.ready()[0] == 503, "the next one answers", PATIENCE)
            before = made.unanswered

            taken = [made.post() for _ in range(5)]
        wait_until(made.post, "posts are taken again", PATIENCE)
        found = made.settle()

    assert [False] * 5 == taken
    assert before == made.unanswered
    assert {OVERLOADED} == {
        (status, told["error"]["code"], told["error"]["message"]) for status, told, _ in made.refusals
    }
    assert ((), ()) == (found.lost, found.doubled)


def unwritable(site: Site) -> AbstractContextManager[None]:
    """Let every write of the runner fail, as on a disk at fault."""
    return limited(site.processes(), resource.RLIMIT_FSIZE, 0)


@by_night
def test_a_disk_that_reports_errors_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Every write fails for a while, in any user's container."""
    trouble = Trouble(
        "write errors", unwritable, 1.5, "the state folder cannot be written: File too large", (UNAVAILABLE,)
    )
    with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        judged(made, trouble, tries(1, 120))


@by_night
def test_a_journal_that_becomes_read_only_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Files and folder, in the middle of work; where they may be made immutable, also for who has them open."""
    hard = can_be_immutable(tmp_path)
    trouble = Trouble(
        "a read-only folder",
        read_only if hard else (lambda site: forbidden(site.settings.state)),
        1.5,
        "",
        (UNAVAILABLE,),
        "" if hard else "by its permissions: who has the journal open writes on" + (", as root" * (os.getuid() == 0)),
    )
    with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        judged(made, trouble, tries(1, 70))


def read_only(site: Site) -> AbstractContextManager[None]:
    """Let nobody write the journal, its log, and its folder."""
    state = site.settings.state
    return immutable([state, *(path for path in state.iterdir() if path.is_file() and "shm" not in path.name)])


@by_night
def test_a_journal_that_another_program_holds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """`BEGIN EXCLUSIVE` for longer than anybody waits for their turn."""
    trouble = Trouble(
        "a locked journal",
        lambda site: locked(site.settings.state / "journal.sqlite3"),
        30,
        "the journal cannot be written: Overloaded",
        (OVERLOADED,),
    )
    with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        judged(made, trouble, tries(1, 15))


@by_night
def test_running_out_of_descriptors_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """No file can be opened and no connection taken; nothing can be answered then, either."""
    trouble = Trouble("no descriptors left", no_descriptors, 1.5, "", (UNAVAILABLE, OVERLOADED), answers=False)
    with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        judged(made, trouble, tries(1, 20))


@contextmanager
def no_descriptors(site: Site) -> Iterator[None]:
    """Leave each process a few more than it has, or none."""
    with ExitStack() as limits:
        for process in site.processes():
            few = open_files(process) + site.rng.randrange(3)
            limits.enter_context(limited([process], resource.RLIMIT_NOFILE, few))
        yield
