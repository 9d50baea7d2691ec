"""One play of a scenario: the engine is driven, the clock is pushed from event to event, the script is followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from runbook_engine.documents.runbook_test import AlertDocument, ScenarioDocument, SignalDocument
from runbook_engine.documents.test_world import EditDocument
from runbook_engine.engine import Engine
from runbook_engine.errors import RunbookError
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Pause
from runbook_engine.model.quantity import duration_text
from runbook_engine.ports import Journal
from runbook_engine.registry import Registry
from runbook_engine.testing.expectations import Seen, judge_expectation
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.missed import Miss
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import SCOPE, edit
from runbook_engine.testing.timeline import Timeline
from runbook_engine.testing.webhook import Sender

HOST = "test"
TIME_LEFT = timedelta(hours=1)
MOST_DRIVES_AT_ONCE = 1000
MOST_DRIVES = 100_000
MOST_EXECUTIONS = 1000
AT_ONCE = timedelta(microseconds=1)

Happening = AlertDocument | EditDocument | SignalDocument


class Stuck(RunbookError):
    """The engine does not come to rest: a fault of the engine or of an action, and never of the runbook's author."""


class Play:
    """One scenario being played."""

    def __init__(
        self,
        scenario: ScenarioDocument,
        bundle: Bundle,
        simulated: SimulatedWorld,
        registry: Registry,
        journal: Journal | None = None,
    ) -> None:
        self.scenario = scenario
        self.simulated = simulated
        self.clock = simulated.clock
        self.journal = journal or MemoryJournal()
        self.engine = self._engine(bundle, registry)
        # Silence takes hours to count as expiry; the script says when it has counted, so here it counts at once.
        correlation = msgspec.structs.replace(bundle.configuration.correlation, expire_after=AT_ONCE)
        impatient = msgspec.structs.replace(bundle.configuration, correlation=correlation)
        self._expiring = self._engine(msgspec.structs.replace(bundle, configuration=impatient), registry)
        self._sender = Sender(self._scope(bundle))
        self._timeline = Timeline(self.clock.start)
        self._matched: set[str] = set()
        self._drives = 0

    def run(self) -> tuple[str, ...]:
        """Play until the last expectation; return what is not as expected at the first instant where something is."""
        for at, group in self._script():
            self.wait_until(at)
            for happening in group:
                self._happen(happening)
            self.drive_all()
            misses = self._judge(at)
            if misses:
                return misses
        return ()

    def lines(self) -> tuple[str, ...]:
        """Return the timeline so far."""
        records = [record for run in reversed(self._executions()) for record in self.journal.audit(run.id)]
        return self._timeline.lines(records)

    def say_now(self, miss: Miss) -> str:
        """Note a finding at this instant, and return it with its time."""
        for line in miss.beside:
            self._timeline.find(self.clock.now(), line)
        return f"at {duration_text(self.took)}: {miss}"

    @property
    def took(self) -> timedelta:
        """How much simulated time has passed."""
        return self.clock.now() - self.clock.start

    # --- the script -----------------------------------------------------------------------------------------

    def _script(self) -> Iterator[tuple[datetime, list[Happening]]]:
        scenario = self.scenario
        happenings: list[Happening] = [*scenario.edits, *scenario.alerts, *scenario.signals]
        demanded = {wanted.at for wanted in scenario.expect}
        offsets = demanded | {happening.at for happening in happenings if happening.at <= max(demanded)}
        for offset in sorted(offsets):
            yield self.clock.start + offset, [happening for happening in happenings if happening.at == offset]

    def _happen(self, happening: Happening) -> None:
        match happening:
            case AlertDocument():
                self._alert(happening)
            case SignalDocument():
                self._signal(happening)
            case EditDocument():
                self._timeline.note(self.clock.now(), f"{happening.who} changes the world")
                edit(self.simulated, happening)
            case _:
                assert_never(happening)

    def _alert(self, alert: AlertDocument) -> None:
        now = self.clock.now()
        self._timeline.note(now, f"alert {alert.does}: {_labels(alert.labels)}")
        if alert.expires is not None:
            for request in self._sender.everything_but(alert.expires, now):
                self._expiring.ingest(request)  # which writes every repeat down: patience decides that too
            self._expiring.expire(now)
            return
        request = self._sender.send(alert, now, self.clock.start)
        for parsed in self.engine.parse(request).alerts:
            if alert.fires is not None:
                self._matched |= {matched.runbook.name for matched in self.engine.match(parsed)}
        self.engine.ingest(request)

    def _signal(self, signal: SignalDocument) -> None:
        now, by, reason = self.clock.now(), signal.by, signal.reason
        if signal.pause is not None:
            self._timeline.note(now, f"{by} pauses every change for {duration_text(signal.pause)}")
            self.simulated.pauses.throw(Pause(until=now + signal.pause, by=by, reason=reason))
            return
        if signal.resume is not None:
            self._timeline.note(now, f"{by} ends the pause")
            self.simulated.pauses.lift()
            return
        if signal.release == "storm":
            self.engine.release_storm(by=by, reason=reason, now=now)
            return
        run = self._run_of(signal.runbook)
        if signal.release is not None:
            self.engine.release(run.id, by=by, reason=reason, now=now)
        elif signal.cancel is not None:
            self.engine.cancel(run.id, undo=signal.cancel == "undo", by=by, reason=reason, now=now)
        elif signal.takeover is not None:
            self.engine.take_over(run.id, undo=signal.takeover == "undo", by=by, reason=reason, now=now)
        else:
            plan_hash = _question(run, signal.approve or signal.deny or "")
            if signal.approve is not None:
                self.engine.approve(run.id, plan_hash=plan_hash, by=by, reason=reason, now=now)
            else:
                self.engine.deny(run.id, by=by, reason=reason, now=now)

    def _run_of(self, runbook: str | None) -> Execution:
        found = [run for run in self._executions() if runbook in (None, run.runbook) and not run.merged_into]
        if not found:
            raise ValueError(f"no run{f' of {runbook}' if runbook else ''} that could be told anything")
        if len({run.runbook for run in found}) > 1:
            raise ValueError("several runbooks run, so say which one is told (add runbook)")
        return found[0]

    # --- time -----------------------------------------------------------------------------------------------

    def wait_until(self, instant: datetime) -> None:
        """Let time pass until an instant, driving what becomes due on the way."""
        while True:
            due = self.journal.next_due()
            if due is None or due >= instant:
                break
            self.clock.push_to(max(due, self.clock.now()))
            self.drive_all()
        self.clock.push_to(instant)

    def drive_all(self) -> None:
        """Drive what is due now until it rests."""
        now = self.clock.now()
        for _ in range(MOST_DRIVES_AT_ONCE):
            due = self.engine.due(now)
            if not due:
                return
            for execution_id in due:
                self._drive(execution_id, now)
        raise Stuck(f"the engine wants to be driven again and again at {duration_text(now - self.clock.start)}")

    def _drive(self, execution_id: str, now: datetime) -> None:
        for _ in range(MOST_DRIVES_AT_ONCE):
            self._drives += 1
            if self._drives > MOST_DRIVES:
                raise Stuck(f"the engine was driven {MOST_DRIVES} times and still waits for something")
            if not isinstance(self.engine.drive(execution_id, HOST, now, TIME_LEFT), Next):
                return
        raise Stuck(f"an execution does not come to rest at {duration_text(now - self.clock.start)}")

    # --- what is ----------------------------------------------------------------------------------------------

    def _judge(self, at: datetime) -> tuple[str, ...]:
        offset = at - self.clock.start
        seen = Seen(
            simulated=self.simulated,
            executions=self._executions(),
            matched=frozenset(self._matched),
            refusals=self._refusals(),
            evidence=self.journal.evidence,
            trail=self.journal.audit,
            incident=self._incident,
            timeline=self.lines,
        )
        found = [
            miss for wanted in self.scenario.expect if wanted.at == offset for miss in judge_expectation(wanted, seen)
        ]
        return tuple(self.say_now(miss) for miss in found)

    def _executions(self) -> tuple[Execution, ...]:
        return self.journal.executions(limit=MOST_EXECUTIONS)

    def _incident(self, incident_id: str) -> str | None:
        newest = self.journal.incidents(limit=MOST_EXECUTIONS)
        wanted = incident_id or max(((each.opened_at, each.id) for each in newest), default=(None, ""))[1]
        return self.engine.incident_report(wanted).status if wanted else None

    def _refusals(self) -> tuple[str, ...]:
        incidents = self.journal.incidents(limit=MOST_EXECUTIONS)
        arrivals = [arrival for incident in incidents for arrival in self.journal.arrivals(incident.id)]
        return tuple(
            decision.reason for arrival in arrivals for decision in arrival.decisions if decision.outcome == "refused"
        )

    def _engine(self, bundle: Bundle, registry: Registry) -> Engine:
        return Engine(
            bundle=bundle,
            journal=self.journal,
            world=self.simulated.world,
            effects=self.simulated.effects,
            registry=registry,
        )

    def _scope(self, bundle: Bundle) -> str:
        scopes = bundle.configuration.scopes
        return scopes[0].name if scopes else SCOPE


def _question(run: Execution, step: str) -> str:
    request = run.approval
    if request is None:
        raise ValueError(f"{step} cannot be answered: the run asks for nothing, it is {run.status} ({run.reason})")
    asked = [planned.name for planned in request.steps if planned.change is not None]
    if step not in asked:
        raise ValueError(f"{step} cannot be answered: the run asks for {', '.join(asked) or 'nothing'}")
    return request.hash


def _labels(labels: Mapping[str, str]) -> str:
    rest = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
    return " ".join(part for part in (labels.get("alertname", ""), f"({rest})" if rest else "") if part)
