"""A clock that jumps: seconds to days, both ways, wherever an engine passes a checkpoint.

True time goes on beside it. Whatever the clock said meanwhile, every run comes to an end within true time, no change is
made twice, and a yes that comes when the clock says that it is too late is no yes.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_engine.engine import Engine
from runbook_engine.errors import RunbookError
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.proof.trail import check_trail
from tests.chaos.tally import SEED, Tally, keep, tries
from tests.crash.cases import SIMULATED, Case, cases, once
from tests.crash.host import RESOLVES_AFTER, Host, engine_of, webhook
from tests.crash.mortality import Mortality

pytestmark = pytest.mark.slow

JUMPS = (1, 30, 600, 3600, 86_400, 3 * 86_400)  # seconds, at most
LOOK = timedelta(minutes=20)  # of true time, at most
LONGEST = timedelta(days=8)
CASES = (*cases(SIMULATED), once(SIMULATED))


class Clock:
    """True time, and by how much the clock is wrong."""

    def __init__(self, host: Host, rng: random.Random, jumps: int) -> None:
        self._true, self._rng = host.simulated.clock, rng
        self.wrong = timedelta(0)
        self.jumped = 0
        self._left = jumps

    def now(self) -> datetime:
        """Return what the clock says."""
        return self._true.now() + self.wrong

    def pass_by(self) -> None:
        """Jump at some checkpoints, or back to the truth."""
        if self._left and self._rng.random() < 0.1:
            most = self._rng.choice(JUMPS)
            self.wrong = timedelta(seconds=self._rng.choice((0, 1, 1)) * self._rng.uniform(-most, most))
            self._left -= 1
            self.jumped += 1


class Passing(Mortality):
    """Dies nowhere; lets the clock jump instead."""

    clock: Clock

    def __call__(self, name: str) -> None:
        """Pass one place."""
        self.clock.pass_by()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one run."""

    doubled: int
    lost: bool
    unpaged: bool
    doubtful: bool
    late: bool
    took: timedelta
    broken: bool


class Jumping(Host):
    """One case from its alert to its end, under a clock that jumps."""

    def __init__(self, case: Case, folder: Path, rng: random.Random) -> None:
        self.rng, self.passing = rng, Passing()
        self.late: set[str] = set()  # plans that were approved too late
        super().__init__(case, folder, self.passing)

    def play(self) -> Jumping:
        """Play it to its end; in the end the clock is right again."""
        true = self.simulated.clock
        began = true.now()
        self._say(webhook("firing", began, self._now(), self.alert))
        resolved = False
        while true.now() < began + LONGEST:
            self._drive_due()
            self._answer_late_or_not()
            if not resolved and true.now() >= began + RESOLVES_AFTER:
                resolved, self.fault = True, self.case.fault_stays
                self._say(webhook("resolved", began, self._now(), self.alert))
            if true.now() > began + LONGEST / 4:
                self._be_right()
            if resolved and self.execution.finished:
                break
            self._wait()
        return self

    def told_of(self) -> Told:
        """Hold what came of it against the target and the journal."""
        run = self.execution
        made = Counter(self.effects)
        made.update(value for _, value in self.registry_effects)
        wanted = Counter((*self.case.effects, *self.case.register))
        again = sum(effect.direction == "redo" for step in run.steps for effect in step.effects)  # undone too early
        ended = run.ended and run.compensation != "undoing"
        heard = any(event not in ("started",) for _, event in self.told)
        return Told(
            doubled=max(0, sum((made - wanted).values()) - again),
            lost=not ended,
            doubtful=run.status == "unknown",
            unpaged=run.status != "succeeded" and not heard,
            took=self.simulated.clock.now() - self.simulated.clock.start,
            late=any(yes.change_hash in self.late for yes in run.approved),
            broken=bool(check_trail(run, self.journal).findings),
        )

    @property
    def clock(self) -> Clock:
        """The clock that the engine reads."""
        return self.passing.clock

    @property
    def registry_effects(self) -> list[tuple[str, str]]:
        """What was written to the register, and took effect."""
        return self.register.effects

    def _live(self) -> Engine:
        self.lives += 1
        if self.lives == 1:
            self.passing.clock = Clock(self, self.rng, jumps=self.rng.randint(1, 6))
        return engine_of(
            self.case.runbook,
            journal=self.journal,
            world=dataclasses.replace(self.simulated.world, clock=self.clock),
            effects=self.simulated.effects,
            registry=self.registry,
            mortality=self.mortality,
        )

    def _now(self) -> datetime:
        return self.clock.now()

    def _be_right(self) -> None:
        self.clock.wrong, self.clock._left = timedelta(0), 0

    def _say(self, request: Request) -> None:
        self.engine.ingest(request)

    def _drive_due(self) -> None:
        if self.rng.random() < 0.05:
            self.engine = self._live()  # another owner, as after a crash
        for execution_id in self.engine.due(self._now()):
            for _ in range(50):
                owner = f"life-{self.lives}"
                if not isinstance(self.engine.drive(execution_id, owner, self._now(), timedelta(minutes=5)), Next):
                    break

    def _answer_late_or_not(self) -> None:
        run: Execution = self.execution
        if run.approval is None or self.rng.random() < 0.5:
            return
        asked = run.approval
        late = self._now() > asked.until
        try:
            self.engine.approve(run.id, plan_hash=asked.hash, by="ann", now=self._now())
        except RunbookError:
            return
        if late:
            self.late.add(asked.hash)

    def _wait(self) -> None:
        due = self.journal.next_due()
        ahead = max(timedelta(seconds=1), (due - self._now())) if due is not None else LOOK
        self.simulated.clock.push(min(ahead, LOOK))


def test_a_clock_that_jumps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Every case of the crash tests, with jumps at random checkpoints."""
    times, found, jumps, effects = tries(4, 1000), [], 0, 0
    for number in range(times):
        rng = random.Random(SEED + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        played = Jumping(rng.choice(CASES), folder, rng).play()
        found.append(played.told_of())
        jumps += played.clock.jumped
        effects += len(played.effects) + len(played.registry_effects)
    kept = keep(
        Tally(
            fault="a clock that jumps",
            host="local",
            tries=times,
            effects=effects,
            lost=sum(one.lost for one in found),
            doubled=sum(one.doubled for one in found),
            doubtful=sum(one.doubtful for one in found),
            unpaged=sum(one.unpaged for one in found),
            broken=sum(one.broken for one in found),
            remark=f"{jumps} jumps of up to 3 days, both ways; the longest run took {max(one.took for one in found)}",
        )
    )
    bad = [number for number, one in enumerate(found) if one.lost or one.doubled or one.unpaged or one.late]
    assert kept.sound, (bad, [found[number] for number in bad][:3], SEED)
    assert not any(one.late for one in found), (bad, SEED)
