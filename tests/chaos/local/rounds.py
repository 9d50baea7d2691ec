"""The rounds: crowds of alerts and kills at random moments until there were enough, then rest, then the verdict."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from runbook_engine.model.execution import ENDED
from runbook_engine.ports import Journal
from tests.chaos.local.counting_target import CountingTarget
from tests.chaos.local.crowd import Crowd
from tests.chaos.local.installation import install, review
from tests.chaos.local.oracle import Target, Verdict, judge, open_journal
from tests.chaos.local.program import Program
from tests.chaos.tally import tries
from tests.contract.http_service import http_service
from tests.lab import wait_until

IN_START = 1.5  # seconds after its start until a runner is killed
IN_WORK = 0.4  # and after its first answer, or the start of a child
MOST_OPEN = tries(6, 72)  # alerts that nothing was done about yet; beyond them no more fire
DEATHS = 4  # of each child under one supervisor, which waits longer after each
WORKED_OFF = 120.0  # seconds


@dataclass
class Rounds:
    """One installation, its crowd, and its target."""

    program: Program
    crowd: Crowd
    target: Target
    random: random.Random

    def stir(self) -> None:
        """Let more alerts fire when most are dealt with, and end those whose flag is set."""
        open_alerts = [one for one in self.crowd.alerts if one.kind != "once" and not self.target.effects(one)]
        if len(open_alerts) < MOST_OPEN:
            self.crowd.gather()
        self.crowd.resolve(self.target.is_set(self.crowd.alerts))

    def is_up(self, answers: int) -> bool:
        """Whether the present runner has answered an alert, when there were so many answers before it; or has ended."""
        return self.crowd.answers > answers or self.program.serves() or self.program.is_over()

    def rest(self) -> Verdict:
        """Let everything be worked off, end every alert, stop as one stops, and judge."""
        if not self.program.lives():
            self.program.start_until_it_answers()
        journal = open_journal(self.program)
        try:
            wait_until(lambda: self._is_worked_off(journal), "every run has ended", WORKED_OFF)
            self.crowd.resolve(self.crowd.alerts)
            wait_until(lambda: self._is_at_rest(journal), "everything is undone and told", WORKED_OFF)
        finally:
            journal.close()
        code = self.program.stop()
        assert code == 0, self.program.log.read_text()
        wait_until(lambda: not self.program.left(), "nothing of it is left")
        acknowledged = {alert for alert, status in self.crowd.acknowledged if status == "firing"}
        assert acknowledged == set(self.crowd.alerts)
        return judge(self.program, self.crowd.alerts, self.target)

    def _is_worked_off(self, journal: Journal) -> bool:
        """Whether every alert has its run, and every run has ended; the alerts of flags that are set end meanwhile."""
        self.crowd.resolve(self.target.is_set(self.crowd.alerts))
        statuses = (name.partition(".") for name in journal.counts())
        return self._is_heard(journal) and all(word in ENDED for kind, _, word in statuses if kind == "executions")

    def _is_at_rest(self, journal: Journal) -> bool:
        return self._is_heard(journal) and not journal.executions(limit=1, active_only=True)

    def _is_heard(self, journal: Journal) -> bool:
        assert journal.inbox is not None
        return self.crowd.is_heard() and journal.inbox.is_empty()


@contextmanager
def installed(folder: Path, seed: int) -> Iterator[Rounds]:
    """Yield a fresh installation, with alerts under way to it; nothing of it is left afterwards."""
    chance = random.Random(seed)
    service = CountingTarget()
    folder.mkdir()
    with http_service(service.answer) as served:
        install(folder, served.url)
        program = Program(folder, served.url, chance)
        crowd = Crowd(program.port, chance)
        try:
            with crowd.sending():
                yield Rounds(program, crowd, Target(service, folder), chance)
        finally:
            program.leave_nothing()


def kill_runners(rounds: Rounds, kills: int) -> None:
    """Kill runner after runner: while it starts, or after its first answer; one in five times its supervisor alone.

    A start that an orphan is in the way of is not counted.
    """
    done = 0
    while done < kills:
        rounds.stir()
        answers = rounds.crowd.answers
        review(rounds.program.folder, rounds.program.starts)  # what was demoted
        rounds.program.start()
        if rounds.random.random() < 0.5:
            time.sleep(rounds.random.uniform(0, IN_START))
        else:
            wait_until(lambda before=answers: rounds.is_up(before), "it answers", 30)  # type: ignore[misc]
            rounds.stir()
            time.sleep(rounds.random.uniform(0, IN_WORK))
        if rounds.program.is_over():
            continue
        kill = rounds.program.kill_supervisor if rounds.random.random() < 0.2 else rounds.program.kill_all
        kill()
        done += 1


def kill_children(rounds: Rounds, kills: int) -> None:
    """Kill the worker and the web process in turn, while their supervisor lives; it is stopped now and then."""
    for first in range(0, kills, 2 * DEATHS):
        if first:
            code = rounds.program.stop()
            assert code == 0, rounds.program.log.read_text()
        rounds.stir()
        review(rounds.program.folder, rounds.program.starts)
        rounds.program.start_until_it_answers()
        _kill_in_turn(rounds, min(kills - first, 2 * DEATHS))


def _kill_in_turn(rounds: Rounds, kills: int) -> None:
    """Kill one child after the other, each at a random moment after it was started again, or has begun to work."""
    program, deaths = rounds.program, Counter[str]()
    for name in islice(cycle(("worker", "web")), kills):
        wait_until(lambda child=name: len(program.children(child)) > deaths[child], f"{name} is started again", 30)  # type: ignore[misc]
        rounds.stir()
        if rounds.random.random() < 0.75:
            wait_until(lambda child=name: program.works(child), f"{name} works", 30)  # type: ignore[misc]
        time.sleep(rounds.random.uniform(0, IN_WORK))
        deaths[name] += program.kill_child(name)
