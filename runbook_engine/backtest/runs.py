"""Runs of the past: how far each would have come, by its group, its fault's age, and what others held or had changed.

What it would have changed is assumed to work for as long as its alerts fire, and no longer than its deadline; nobody
is assumed to have answered a question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from runbook_engine.backtest.assumed import Assumed, Judged, assume, changing_steps, claims_for, judge_assumed
from runbook_engine.backtest.past import Watch
from runbook_engine.backtest.tally import RunbookTally
from runbook_engine.backtest.waiting import Waiting
from runbook_engine.errors import RunbookError
from runbook_engine.guardrails import wait_for
from runbook_engine.machine import evolve
from runbook_engine.machine.ending import end_silently
from runbook_engine.machine.events import Admitted, TurnedAway
from runbook_engine.machine.grouping import Gathered, judge_group
from runbook_engine.machine.signals import receive
from runbook_engine.model.execution import Execution, FinalStatus
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, Lock, Slot, Verdict
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.planning import Sight
from runbook_engine.ports import Journal, Refused

CLAIMED: dict[type[Claim | Slot], str] = {Lock: "lock", Cooldown: "cooldown", Budget: "budget", Slot: "lock"}


@dataclass(slots=True)
class _Run:
    """What is known of one run besides its execution."""

    tally: RunbookTally
    runbook: Runbook
    phase: Literal["waiting", "asked", "acted"] = "waiting"
    hold: timedelta | None = None  # how long after the resolve its changes stay; None = nothing is undone then
    waits_for: tuple[Verdict, ...] = ()
    unknown: set[str] = field(default_factory=set)


class Runs:
    """Every run that a replay has opened, and when each wants to be looked at."""

    def __init__(self, journal: Journal, sight: Sight, watch: Watch) -> None:
        self._journal = journal
        self._sight = sight
        self._watch = watch
        self._runs: dict[str, _Run] = {}
        self._waiting = Waiting(sight.world.clock)

    def open(self, execution: Execution, runbook: Runbook, tally: RunbookTally) -> None:
        """Follow a run from here on."""
        self._runs[execution.id] = _Run(tally, runbook)

    def next_due(self) -> datetime | None:
        """Return when the first of them wants to be looked at."""
        return self._waiting.next_due()

    def drive_next(self) -> None:
        """Look at the one that is due first."""
        self.drive(self._waiting.pop())

    def undecided(self) -> Iterable[RunbookTally]:
        """Return the tally of every run that still waits."""
        for execution_id, run in self._runs.items():
            if run.phase == "waiting" and not self._journal.load(execution_id).ended:
                yield run.tally

    def drive(self, execution_id: str) -> None:
        """Take a run as far as it goes now; one that was blocked from its start goes nowhere."""
        run = self._runs.get(execution_id)
        if run is None:
            return
        now = self._now()
        execution = self._heard(self._journal.load(execution_id), run, now)
        if execution.ended:
            self._after_the_end(execution, run, now)
        elif execution.all_resolved:
            self._resolved(execution, run, now)
        elif now >= execution.deadline_at:
            self._too_late(execution, run, now)
        elif run.phase != "waiting":
            self._rest(execution, execution.deadline_at)
        elif execution.mode == "observe":
            run.tally.add("would_observe")
            self._finish(execution, run, "cancelled", "mode observe", now)
        elif execution.stage == "group":
            self._ask_group(execution, run, now)
        else:
            self._go_on(execution, run, now)

    # --- before it does anything ------------------------------------------------------------------------------

    def _ask_group(self, execution: Execution, run: _Run, now: datetime) -> None:
        """Let the group decide as it does at night, once it is complete."""
        group, rule = self._journal.group(execution.group_id), run.runbook.group
        assert rule is not None, "only a runbook with a rule for groups opens runs in one"
        if now < group.closes_at:
            self._rest(execution, group.closes_at)
            return
        before = self._gathered(group.after) if group.after else None
        answer, decided = judge_group(execution, self._gathered(group.id), before, rule, now)
        after = evolve(execution, answer, run.runbook)
        if isinstance(answer, Admitted):
            self._commit(after, group=decided)
            self._go_on(self._journal.load(after.id), run, now)
        elif isinstance(answer, TurnedAway):
            self._blocked(run, [("group", answer.reason)])
            self._commit(after, group=decided)
            self._waiting.wake()
        else:
            run.waits_for = (Verdict(guardrail="group", ok=False, says=answer.reason),)
            self._commit(after, group=decided)
            self._waiting.for_others(after.id, after.deadline_at)

    def _go_on(self, execution: Execution, run: _Run, now: datetime) -> None:
        """Let a run do what it is for, as far as the guardrails that can be judged let it."""
        runbook = run.runbook
        try:
            steps = changing_steps(runbook, self._sight)
            first = assume(steps[0], execution, self._sight) if steps else None
        except RunbookError as error:
            self._blocked(run, [("step", str(error))])
            self._finish(execution, run, "failed", str(error), now)
            return
        run.unknown |= _unknown_of(runbook, execution, first)
        if first is None:
            self._decided(run, "would_tell")
            self._finish(execution, run, "succeeded", "every step is done", now)
            return
        judged = judge_assumed(first, execution, runbook, self._sight, self._watch)
        run.unknown |= set(judged.unknown)
        asks = execution.mode != "auto" or first.step.approval is not None or first.change.asks
        refused = tuple(no for no in judged.refused if not asks or no.until is None)  # asking waits for nothing
        if refused:
            self._refused(execution, run, refused, now)
        elif asks:
            run.phase = "asked"
            self._decided(run, "would_propose" if execution.mode == "propose" else "would_ask")
            self._rest(execution, execution.deadline_at)
        else:
            self._act(execution, run, [(first, judged), *self._following(steps[1:], execution, run)], now)

    def _following(self, steps: Iterable[Step], execution: Execution, run: _Run) -> list[tuple[Assumed, Judged]]:
        """Return what a sequence goes on with. Whether an escalation goes on depends on figures that are gone."""
        found: list[tuple[Assumed, Judged]] = []
        for step in steps if run.runbook.strategy == "sequence" else ():
            try:
                assumed = assume(step, execution, self._sight)
            except RunbookError as error:
                run.tally.stopped([("step", str(error))])
                break
            judged = judge_assumed(assumed, execution, run.runbook, self._sight, self._watch)
            run.unknown |= set(judged.unknown)
            if judged.refused:
                run.tally.stopped([(no.guardrail, no.says) for no in judged.refused])
                break
            found.append((assumed, judged))
        return found

    def _act(self, execution: Execution, run: _Run, changes: list[tuple[Assumed, Judged]], now: datetime) -> None:
        """Take what the changes would have taken, and hold it until the alerts are over."""
        claims = claims_for(changes, execution, run.runbook, self._sight, now)
        refused = self._commit(execution, claims=claims)
        if refused is not None:
            name = CLAIMED[type(refused.claim)]
            until = execution.deadline_at if name == "lock" else None
            self._refused(execution, run, (Verdict(guardrail=name, ok=False, says=refused.says, until=until),), now)
            return
        holds = [each.step.compensate.hold_for for each, _ in changes if each.step.compensate.when == "resolved"]
        run.phase, run.hold = "acted", max(holds, default=None)
        self._decided(run, "would_act")
        self._waiting.until(execution.deadline_at, execution.id)

    def _refused(self, execution: Execution, run: _Run, refused: tuple[Verdict, ...], now: datetime) -> None:
        """Wait for a no that passes by itself; any other ends the run."""
        run.waits_for = refused
        held = any(no.guardrail == "lock" for no in refused)
        until = wait_for(refused, None if held else execution.deadline_at)
        if until is None:
            final = [no for no in refused if no.until is None] or refused
            self._blocked(run, [(no.guardrail, no.says) for no in final])
            self._finish(execution, run, "blocked", final[0].says, now)
        elif held:
            self._commit(execution)
            self._waiting.for_others(execution.id, execution.deadline_at)
        else:
            self._rest(execution, until)

    # --- its end ----------------------------------------------------------------------------------------------

    def _resolved(self, execution: Execution, run: _Run, now: datetime) -> None:
        if run.phase == "acted":
            self._finish(execution, run, "succeeded", "every alert resolved", now)
            return
        if run.phase == "waiting":
            self._decided(run, "resolved_first")
        self._finish(execution, run, "cancelled", "every alert resolved before anything was changed", now)

    def _too_late(self, execution: Execution, run: _Run, now: datetime) -> None:
        late = "the deadline has passed"
        if run.phase == "waiting":
            waited = [(no.guardrail, no.says) for no in run.waits_for] or [("deadline", late)]
            self._blocked(run, waited)
            self._finish(execution, run, "blocked", late, now)
            return
        self._finish(execution, run, "unresolved", late, now)

    def _finish(self, execution: Execution, run: _Run, status: FinalStatus, reason: str, now: datetime) -> None:
        """End a run: its locks are free, its changes stay for as long as they are held."""
        ended = end_silently(execution, status, reason, now)
        run.phase = run.phase if run.phase != "waiting" else "asked"
        self._after_the_end(replace(ended, compensation="held") if run.hold is not None else ended, run, now)
        self._waiting.wake()

    def _after_the_end(self, execution: Execution, run: _Run, now: datetime) -> None:
        """Hold what was changed until the alerts have been over for so long."""
        held = execution.compensation == "held" and execution.status != "handed_over"
        if held and run.hold is not None and execution.all_resolved:
            until = max(member.since for member in execution.members) + run.hold
            if now >= until:
                execution = replace(execution, compensation="undone")
            else:
                self._waiting.until(until, execution.id)
        self._commit(execution, release=True)

    # --- bookkeeping ------------------------------------------------------------------------------------------

    def _heard(self, execution: Execution, run: _Run, now: datetime) -> Execution:
        """Return the execution after everything that it was told meanwhile."""
        for signal in self._journal.signals(execution.id, execution.signals_consumed):
            told = receive(execution, signal, run.runbook, now)
            if told.status == "handed_over" and execution.status != "handed_over":
                run.tally.add("came_back")
            execution = told
        return execution

    def _decided(self, run: _Run, what: str) -> None:
        run.tally.add(what)
        run.tally.unknown.update(run.unknown if what != "resolved_first" else ())

    def _blocked(self, run: _Run, reasons: Iterable[tuple[str, str]]) -> None:
        run.tally.blocked(reasons)
        run.tally.unknown.update(run.unknown)

    def _gathered(self, group_id: str) -> Gathered:
        return Gathered(self._journal.group(group_id), self._journal.parts(group_id))

    def _rest(self, execution: Execution, until: datetime) -> None:
        self._commit(execution)
        self._waiting.until(until, execution.id)

    def _commit(
        self, execution: Execution, *, claims: tuple[Claim, ...] = (), group: Group | None = None, release: bool = False
    ) -> Refused | None:
        answer = self._journal.commit(
            execution,
            expected_version=execution.version,
            claims=claims,
            group=group,
            release_locks=release,
            now=self._now(),
        )
        return answer if isinstance(answer, Refused) else None

    def _now(self) -> datetime:
        return self._sight.world.clock.now()


def _unknown_of(runbook: Runbook, execution: Execution, first: Assumed | None) -> set[str]:
    """Return what a runbook asks of the past that nobody wrote down, whatever its guardrails ask."""
    asked = {
        "require": bool(runbook.require),
        "when": first is not None and bool(first.step.when),
        "verify": first is not None and bool(runbook.verify),
        "doNoHarm": first is not None and runbook.do_no_harm is not None,
        "target": not execution.placed or (first is not None and first.unplaced),
        "group": not execution.placed and runbook.group is not None,
    }
    return {name for name, unknown in asked.items() if unknown}
