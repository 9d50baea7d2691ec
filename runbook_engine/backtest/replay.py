"""The replay: history taken in by the engine's own intake, with the clock pushed along.

What is opened, joined and refused is decided by the very code that decides it at night: episodes, flapping, groups,
modes, ceilings, scopes, targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from runbook_engine.backtest.journal import ReplayJournal
from runbook_engine.backtest.past import Watch, no_effects, past_world
from runbook_engine.backtest.runs import Runs
from runbook_engine.backtest.tally import RunbookTally, Tally
from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, Decision, Intake
from runbook_engine.model.runbook import Runbook
from runbook_engine.registry import Registry
from runbook_engine.resolution import scope_refusal
from runbook_engine.templating import variables_of
from runbook_engine.testing.clock import SimulatedClock

INSTANT = timedelta(microseconds=1)
MANY = 64  # a host asks more often than that for silence
ANNOTATIONS = ("alert", "annotations")


class Replay:
    """One history going by. `annotated`: alerts come with annotations; `expires`: silence means something."""

    def __init__(self, bundle: Bundle, registry: Registry, start: datetime, *, annotated: bool, expires: bool) -> None:
        self.clock = SimulatedClock(start)
        self.tally = Tally(runbook.name for runbook in bundle.runbooks)
        self.rejected = 0
        self._configuration = bundle.configuration
        self._journal = ReplayJournal(self._stored)
        watch = Watch()
        self._engine = Engine(
            bundle=bundle,
            journal=self._journal,
            world=past_world(self.clock, watch),
            effects=no_effects(),
            registry=registry,
        )
        self._runs = Runs(self._journal, self._engine.sight, watch)
        self._reads_annotations = frozenset(() if annotated else _reading_annotations(bundle.runbooks))
        self._expires = expires
        self._asks_next = start  # nobody can have been silent for too long before then
        self._told: dict[str, None] = {}

    def take(self, request: Request) -> None:
        """Take one delivery in, at its own time. Raises InvalidAlert, UnknownSource."""
        self.wait_until(request.received_at)
        self.rejected += len(self._engine.ingest(request).rejected)
        self._drive_told()

    def wait_until(self, instant: datetime) -> None:
        """Let time pass, and everything happen that was due by then."""
        while True:
            due, silent = self._runs.next_due(), self._next_silence(instant)
            if silent is not None and (due is None or silent <= due):
                self._expire(silent)
            elif due is not None and due <= instant:
                self.clock.push_to(max(due, self.clock.now()))
                self._runs.drive_next()
            else:
                break
        self.clock.push_to(instant)

    def end(self, instant: datetime) -> int:
        """Let the history end, and return how many alerts still fire; what still waits is undecided."""
        self.wait_until(instant)
        for tally in self._runs.undecided():
            tally.add("undecided")
        return self.tally.all_over(instant)

    def _expire(self, instant: datetime) -> None:
        """Do what a host does now and then: note of which alerts nobody has spoken for too long."""
        self.clock.push_to(instant)
        if not self._engine.expire(instant):
            self._asks_next = instant + self._configuration.correlation.expire_after / MANY
        self._drive_told()

    def _next_silence(self, before: datetime) -> datetime | None:
        """Return when nobody may have spoken of some alert for too long, if that is before then."""
        if not self._expires or before < self._asks_next:
            return None
        after = self._configuration.correlation.expire_after
        oldest = self._journal.open_episodes(before, 1)
        if not oldest:
            self._asks_next = self.clock.now() + after
            return None
        self._asks_next = max(oldest[0].last_seen + after + INSTANT, self._asks_next, self.clock.now())
        return self._asks_next if self._asks_next < before else None

    def _drive_told(self) -> None:
        """Let the runs go on that were opened or told something."""
        told, self._told = self._told, {}
        for execution_id in told:
            self._runs.drive(execution_id)

    def _stored(self, intake: Intake) -> None:
        """Count what was decided about a delivery."""
        now = self.clock.now()
        self.tally.ends(intake, now)
        opened = {execution.id: execution for execution in intake.opened}
        for arrival in intake.arrivals:
            if arrival.transition in ("opened", "superseded"):
                self.tally.episode(arrival, min(arrival.alert.starts_at or now, now))
                for decision in arrival.decisions:
                    self._decided(decision, arrival, opened)
        joined = (execution_id for _, execution_id, _ in intake.joined)
        told = (execution_id for execution_id, _ in intake.signals)
        self._told.update(dict.fromkeys((*opened, *joined, *told)))

    def _decided(self, decision: Decision, arrival: Arrival, opened: dict[str, Execution]) -> None:
        tally = self.tally.runbooks[decision.runbook]
        tally.matched(arrival.at)
        execution = opened.get(decision.execution_id)
        if decision.outcome == "joined":
            tally.add("joined")
        elif decision.outcome == "opened" and execution is not None:
            self._opened(execution, arrival, tally)
        else:
            why = self._why_refused(decision, arrival, execution)
            if why == "target" and decision.runbook in self._reads_annotations:
                tally.unknown["annotations"] += 1
            else:
                tally.blocked([(why, decision.reason)])

    def _opened(self, execution: Execution, arrival: Arrival, tally: RunbookTally) -> None:
        asked = {matched.runbook.name: matched for matched in self._engine.match(arrival.alert)}[execution.runbook]
        self._runs.open(execution, asked.runbook, tally)
        tally.goes_as(execution.mode)
        if asked.mode != execution.mode:
            tally.add("flapping")

    def _why_refused(self, decision: Decision, arrival: Arrival, execution: Execution | None) -> str:
        if scope_refusal(self._configuration, arrival.alert.scope, runbook=decision.runbook):
            return "scope"
        if decision.outcome != "refused":
            return decision.outcome
        return "group" if execution is not None and execution.group_id else "target"


def _reading_annotations(runbooks: Iterable[Runbook]) -> Iterable[str]:
    """Return the runbooks whose target hangs on an annotation, which a server's own series do not have."""
    for runbook in runbooks:
        template = runbook.target
        texts = (template.name, template.namespace, template.cluster)
        paths = [path for text in texts for path in variables_of(text)]
        paths += [declared.path for declared in runbook.inputs if declared.default is None]
        if any(tuple(path[:2]) == ANNOTATIONS for path in paths):
            yield runbook.name
