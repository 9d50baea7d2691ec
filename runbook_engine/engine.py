"""The engine: the front door of all hosts. Takes alerts in, drives executions, and takes people's signals.

It holds no state of its own: everything that must last is in the journal before a call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.errors import (
    Conflict,
    Forbidden,
    GuardrailBlocked,
    InvalidAlert,
    InvalidTarget,
    StalePlan,
    StaleVersion,
    UnknownRunbook,
    Unreadable,
)
from runbook_engine.executor import Tools, drive
from runbook_engine.executor.shield import ShieldedRegistry, shielded_effects, shielded_world
from runbook_engine.guardrails import ceiling_of, effective_mode, highest_ceiling
from runbook_engine.intake.builder import IntakeBuilder
from runbook_engine.intake.by_hand import intake_by_hand, open_by_hand
from runbook_engine.intake.door import Door
from runbook_engine.intake.incidents import acknowledge, close, measure
from runbook_engine.intake.receipt import Receipt, Taken
from runbook_engine.intake.recording import Recorder, give_way
from runbook_engine.intake.room import Room
from runbook_engine.intake.setting_aside import crowded_message, set_aside_message
from runbook_engine.intake.storm import find_held, release, wake
from runbook_engine.intake.wishes import Matched, open_wished
from runbook_engine.machine.pausing import pause_ended
from runbook_engine.matching.explain import Explanation, explain, explain_labels
from runbook_engine.matching.meta import labels_of
from runbook_engine.matching.prepared import index_of
from runbook_engine.model.alert import Alert
from runbook_engine.model.answer import first_answer, say_answer
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.directive import Directive
from runbook_engine.model.execution import ApprovalRequest, Approved, Execution, Member
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.inbox import SetAside, Waiting
from runbook_engine.model.incident import ExecutionReport, Incident, IncidentReport, Intake
from runbook_engine.model.observation import Message, Pause
from runbook_engine.model.plan import Plan
from runbook_engine.model.ration import Held, with_longest_run
from runbook_engine.model.recent import Recent
from runbook_engine.model.runbook import Mode, ModeRule, Runbook
from runbook_engine.model.signal import Signal
from runbook_engine.model.standing import MOST_ENDS, Stands, standing_of
from runbook_engine.model.target import Target
from runbook_engine.planning import Sight, make_plan, place, refused_plan
from runbook_engine.ports import Effects, Journal, World
from runbook_engine.registry import Registry
from runbook_engine.reports import report_execution, report_incident, status_of
from runbook_engine.sources.lateness import mark_late
from runbook_engine.templating import Templates

SHORTEST_HASH = 4
EXPIRE_BATCH = 100
MOST_HELD = 10_000  # executions that wait for the storm latch; those beyond look again by themselves when it is calm


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why one runbook does or does not match one alert."""

    runbook: str
    explanation: Explanation


def parse_request(
    request: Request, configuration: Configuration, registry: Registry, recent: Recent[Any] | None = None
) -> Parsed:
    """Return the alerts of a delivery, without a journal. Raises InvalidAlert when nothing in it can be used.

    `recent` is what was read lately under this configuration.
    """
    scope = next((scope for scope in configuration.scopes if scope.name == request.scope), None)
    settings = SourceSettings(
        drop_labels=configuration.drop_labels,
        severities=scope.severities if scope is not None else {},
        max_body_bytes=configuration.limits.max_body,
        max_decoded_bytes=configuration.limits.max_inflated,
        mapping=scope.mapping if scope is not None else None,
        recent=recent,
    )
    source = registry.source(request.source)
    if request.method not in source.methods:
        accepted = " or ".join(source.methods)
        raise InvalidAlert("schema", f"what {source.name} sends comes by {accepted}, not by {request.method}")
    parsed = mark_late(source.parse(request, settings), request)
    if parsed.is_useless:
        raise InvalidAlert("schema", "no alert of the delivery is valid: " + parsed.rejected[0].reason)
    return parsed


class Engine:
    """One installation's engine: its bundle, its journal, its eyes and its hands."""

    def __init__(
        self,
        *,
        bundle: Bundle,
        journal: Journal,
        world: World,
        effects: Effects,
        registry: Registry,
        checkpoint: Callable[[str], None] = lambda name: None,
        give_way: Callable[[int], None] = give_way,
    ) -> None:
        self.bundle = bundle
        self.journal = journal
        self.world = world
        self._registry = registry
        self._recent: Recent[Any] = Recent()
        self._runbooks: Mapping[str, Runbook] = {runbook.name: runbook for runbook in bundle.runbooks}
        self._index = index_of(bundle)
        self._sight = Sight(
            world=shielded_world(world),
            ledger=journal,
            registry=ShieldedRegistry(registry),
            configuration=with_longest_run(bundle.configuration, bundle.runbooks),
            templates=Templates(),
            ceiling=self.ceiling,
            holds=lambda alert, matchers: explain_labels(labels_of(alert), matchers).matched,
        )
        self._tools = Tools(
            sight=self._sight,
            effects=shielded_effects(effects),
            journal=journal,
            lease=bundle.configuration.limits.lease,
            checkpoint=checkpoint,
        )
        self.room = Room(journal, bundle.configuration.limits.max_open_executions)
        self._intake = IntakeBuilder(
            configuration=bundle.configuration,
            journal=journal,
            match=self.match,
            templates=self._sight.templates,
            room=self.room,
        )
        self._recorder = Recorder(journal, give_way)
        self._door = Door(
            configuration=bundle.configuration,
            journal=journal,
            parse=self.parse,
            builder=self._intake,
            recorder=self._recorder,
        )

    # --- alerts -------------------------------------------------------------------------------------------

    def parse(self, request: Request) -> Parsed:
        """Return the alerts of a delivery. Raises InvalidAlert when nothing in it can be used."""
        return parse_request(request, self.bundle.configuration, self._registry, self._recent)

    def ingest(self, request: Request, announce: Callable[[tuple[Taken, ...]], None] | None = None) -> Receipt:
        """Take one delivery in. When this returns, what it meant is durable.

        `announce` hears the alerts with news just before they are stored, again if somebody else was faster; what it
        raises keeps them from being stored, so that they are news once more when they come again.
        Raises InvalidAlert, or whatever `announce` and the journal raise.
        """
        return self._door.decide(request, announce)

    def accept(self, request: Request) -> Receipt:
        """Take one delivery in to decide later what it means, where the journal has room for that; else at once.

        When this returns, it is durable, and `decide` must come to it. Raises InvalidAlert, or what the journal
        raises.
        """
        return self._door.accept(request)

    def waits(self) -> bool:
        """Return whether deliveries wait to be decided."""
        return self._door.waits()

    def oldest_waiting(self) -> Waiting | None:
        """Return the delivery that is to be decided next; None when none waits."""
        return self._door.oldest()

    def decide(self, waiting: Waiting) -> Receipt:
        """Decide what a delivery means that waits; it leaves the inbox in the same transaction.

        It is judged by when it was received; but what it opens acts from now on, and counts as a storm does now.
        Raises InvalidAlert, Conflict when somebody else has decided it, or what the journal raises.
        """
        return self._door.decide(waiting.request, number=waiting.number, counted_at=self.world.clock.now())

    def expire(self, now: datetime) -> int:
        """Expire episodes of which nobody has spoken for long; their changes stay. Returns how many.

        None, while deliveries wait: they may say that those still fire.
        """
        if self._door.waits():
            return 0
        after = self.bundle.configuration.correlation.expire_after
        intake = self._recorder.record(lambda: self._intake.expire(now, after, EXPIRE_BATCH))
        return len(intake.episodes)

    def match(self, alert: Alert) -> tuple[Matched, ...]:
        """Return the runbooks that an alert asks for, in order, each with its effective mode."""
        labels = labels_of(alert)

        def holds(rule: ModeRule) -> bool:
            return not rule.matchers or explain_labels(labels, rule.matchers).matched

        return tuple([self._matched(self._runbooks[name], holds) for name in self._index.match(labels)])

    def ceiling(self, alert: Alert) -> Mode:
        """Return how far this installation lets any runbook go for an alert now."""
        labels = labels_of(alert)
        return ceiling_of(self.bundle.configuration, lambda rule: explain_labels(labels, rule.matchers).matched)

    def explain(self, alert: Alert) -> tuple[Explained, ...]:
        """Return for every runbook, clause by clause, why it does or does not match."""
        return tuple(
            Explained(runbook=runbook.name, explanation=explain(alert, runbook.matchers))
            for runbook in self.bundle.runbooks
        )

    # --- plans --------------------------------------------------------------------------------------------

    def plan(self, alert: Alert, now: datetime) -> tuple[Plan, ...]:
        """Return what every matching runbook would do for this alert now. Looks, never touches."""
        member = Member(alert_key=alert.alert_key, episode_id="rehearsal", name=alert.name, since=now)
        plans = []
        for wished in (self._intake.trusted(each, {}) for each in self._intake.wishes(alert)):
            runbook, configuration = wished.matched.runbook, self.bundle.configuration
            if wished.refused:
                plans.append(refused_plan(runbook, wished.matched.mode, wished.refused))
                continue
            execution = open_wished(wished, alert, member, configuration, incident_id="", now=now)
            try:
                placed = place(execution, runbook, self._sight, now)
            except (InvalidTarget, Unreadable) as error:
                plans.append(refused_plan(runbook, wished.matched.mode, str(error)))
                continue
            plans.append(make_plan(placed, runbook, self._sight, now))
        return tuple(plans)

    def plan_by_hand(
        self, name: str, *, target: Target | None, inputs: Mapping[str, str], by: str, reason: str, now: datetime
    ) -> tuple[Plan, Execution]:
        """Return what a run by hand would do, and the execution that `start` would store.

        Raises InvalidTarget, or Unreadable when it cannot be told what the target is.
        """
        runbook = self.runbook(name)
        execution = open_by_hand(
            runbook,
            self.bundle.configuration,
            self._sight.templates,
            target=target,
            inputs=inputs,
            by=by,
            reason=reason,
            now=now,
        )
        placed = place(execution, runbook, self._sight, now)
        return make_plan(placed, runbook, self._sight, now), placed

    def start(self, execution: Execution, plan: Plan, *, plan_hash: str, by: str, now: datetime) -> Execution:
        """Store a run by hand whose plan a person has seen: exactly these changes are approved.

        A step that another team must approve is still asked of that team.

        Raises StalePlan when the hash is of another plan, GuardrailBlocked when it could not start, InvalidTarget when
        the target is busy.
        """
        _demand_same_plan(plan.plan_hash, plan_hash)
        if plan.blocked:
            raise GuardrailBlocked([Verdict(guardrail="plan", ok=False, says=reason) for reason in plan.blocked])
        runbook = self.runbook(execution.runbook)
        approved = tuple(
            Approved(change_hash=step.change_hash, by=by, at=now)
            for step in plan.steps
            if step.change_hash and (not step.approval or not self.why_not_answer(step.approval, by))
        )
        opened = msgspec.structs.replace(execution, approved=approved)
        try:
            self.journal.record(intake_by_hand(opened, runbook, now))
        except StaleVersion as error:
            holder = self.journal.holders([execution.slot]).get(execution.slot, "another one")
            raise InvalidTarget(
                f"execution {holder} of {runbook.name} already has {execution.target}; take it over or cancel it first"
            ) from error
        return self.journal.load(opened.id)

    @property
    def sight(self) -> Sight:
        """Everything that planning may look at; nothing in it can write."""
        return self._sight

    def runbook(self, name: str) -> Runbook:
        """Return a loaded runbook by name. Raises UnknownRunbook."""
        if name not in self._runbooks:
            known = ", ".join(self._runbooks) or "none is loaded"
            raise UnknownRunbook(f"unknown runbook {name!r}; known are {known}")
        return self._runbooks[name]

    # --- driving ------------------------------------------------------------------------------------------

    def drive(self, execution_id: str, owner: str, now: datetime, time_left: timedelta) -> Directive:
        """Take an execution one step further and say what its host does next. Raises UnknownExecution."""
        return drive(self._tools, execution_id, owner, now, time_left)

    def due(self, now: datetime, limit: int = 100) -> tuple[str, ...]:
        """Return ids of executions that want to be driven now."""
        return self.journal.due(now, limit)

    # --- people -------------------------------------------------------------------------------------------

    def approve(self, execution_id: str, *, plan_hash: str, by: str, now: datetime, reason: str = "") -> None:
        """Say yes to exactly the change that is asked for. Raises StalePlan, Forbidden, UnknownExecution."""
        request, seen = self._question(execution_id, plan_hash)
        _demand_same_plan(request.hash, plan_hash)
        self._demand_member(request.by, by)
        if now >= request.until:
            raise StalePlan(f"the question lapsed at {request.until.astimezone(UTC):%H:%M:%S} UTC: it is too late")
        self._answer(execution_id, Signal(kind="approved", at=now, by=by, reason=reason, plan_hash=request.hash), seen)

    def deny(self, execution_id: str, *, by: str, now: datetime, reason: str = "", plan_hash: str = "") -> None:
        """Say no to what is asked, or with a hash to exactly that. Raises StalePlan, Forbidden, UnknownExecution."""
        request, seen = self._question(execution_id, plan_hash)
        if plan_hash:
            _demand_same_plan(request.hash, plan_hash)
        self._demand_member(request.by, by)
        asked = request.hash if plan_hash else ""
        self._answer(execution_id, Signal(kind="denied", at=now, by=by, reason=reason, plan_hash=asked), seen)

    def answered(self, execution_id: str, plan_hash: str) -> str:
        """Return who has answered exactly this, what they said and when; empty = nobody."""
        asked = len(plan_hash) >= SHORTEST_HASH
        answer = first_answer(self.journal.signals(execution_id, 0), plan_hash) if asked else None
        return say_answer(answer) if answer is not None else ""

    def cancel(self, execution_id: str, *, undo: bool, by: str, now: datetime, reason: str = "") -> None:
        """Stop a run; keep what it changed, or undo it. Raises UnknownExecution."""
        self._signal(execution_id, Signal(kind="cancelled", at=now, by=by, reason=reason, undo=undo))

    def take_over(
        self,
        execution_id: str,
        *,
        undo: bool,
        by: str,
        now: datetime,
        reason: str = "",
        keep_for: timedelta | None = None,
    ) -> None:
        """Give a run to a person: the engine makes no further change. Raises UnknownExecution.

        With what was changed, its targets are theirs: for `keep_for`, and no longer than its alerts fire.
        """
        until = now + keep_for if keep_for is not None else None
        signal = Signal(kind="taken_over", at=now, by=by, reason=reason, undo=undo, until=until)
        self._signal(execution_id, signal)

    def release(self, execution_id: str, *, by: str, now: datetime, reason: str = "") -> None:
        """Let other runs change again what a person has taken over. Raises Conflict when nobody keeps it."""
        if self.journal.load(execution_id).kept_until is None:
            raise Conflict(f"nobody keeps the targets of execution {execution_id[:8]}, so there is nothing to release")
        self._signal(execution_id, Signal(kind="released", at=now, by=by, reason=reason))

    def acknowledge(self, incident_id: str, *, by: str, now: datetime) -> Incident:
        """Say that a person is on it; who said so first is kept. Raises UnknownIncident."""
        if self.journal.incident(incident_id).acknowledged_at is None:
            self._recorder.record(lambda: acknowledge(self.journal.incident(incident_id), by=by, now=now))
        return self.journal.incident(incident_id)

    def close_incident(self, incident_id: str, *, by: str, now: datetime, reason: str = "") -> Incident:
        """Say that an incident is over of which nobody else did. Raises Conflict while it fires, UnknownIncident."""
        self._recorder.record(lambda: close(self.journal.incident(incident_id), by=by, reason=reason, now=now))
        return self.journal.incident(incident_id)

    def held_by_storm(self, now: datetime) -> Held:
        """Return what a storm holds, and how it goes on once it is let go. Raises Conflict when none is held."""
        return find_held(self.journal, self.bundle.configuration.storm, MOST_HELD, now)

    def release_storm(self, *, by: str, now: datetime, reason: str = "") -> Held:
        """Let changes go on that the storm latch holds, a few at a time. Raises Conflict when it holds none."""
        rule = self.bundle.configuration.storm
        held = self.held_by_storm(now)
        self._recorder.record(lambda: release(self.journal, rule, by=by, reason=reason, now=now))
        wake(self.journal, held.first, by=by, reason=reason, now=now)
        return held

    def tell_pause_ended(self, pause: Pause, now: datetime) -> int:
        """Page when a pause has run out by itself while alerts fire; return how many incidents are open.

        Raises what the receiver raises. Told twice, it is the same message.
        """
        firing = [each for each in self.journal.incidents(limit=MOST_HELD, open_only=True) if each.open_alerts]
        if firing:
            self._page(pause_ended(pause, firing, now))
        return len(firing)

    def tell_set_aside(self, aside: SetAside, now: datetime) -> None:
        """Page for a delivery that could not be decided. Raises what the receiver raises. Twice, it is one message."""
        self._page(set_aside_message(aside, now))

    def standings(self) -> tuple[Stands, ...]:
        """Return how far each runbook is trusted, as it is written now, after what its runs did."""
        ends = {each.name: self.journal.ends(each.name, each.digest, MOST_ENDS) for each in self.bundle.runbooks}
        allowed = highest_ceiling(self.bundle.configuration)
        return tuple(
            Stands(runbook=each, standing=standing_of(ends[each.name]), allowed=allowed)
            for each in self.bundle.runbooks
        )

    # --- reports ------------------------------------------------------------------------------------------

    def execution_report(self, execution_id: str) -> ExecutionReport:
        """Return one execution with its trail. Raises UnknownExecution."""
        return report_execution(self.journal, self.journal.load(execution_id))

    def incident_report(self, incident_id: str, *, causes: bool = True) -> IncidentReport:
        """Return one incident with everything that happened, and with what changed before. Raises UnknownIncident."""
        now = self.world.clock.now()
        return report_incident(self.journal, incident_id, self.bundle.configuration, now, causes=causes)

    def measure_incident(self, incident_id: str, now: datetime) -> IncidentReport | None:
        """Say that the times of a resolved incident are counted; None when it is not, or somebody has. Once for all."""
        quiet = self.bundle.configuration.correlation.quiet

        def build() -> Intake:
            incident = self.journal.incident(incident_id)
            return measure(incident, now=now) if status_of(incident, None, quiet, now) == "resolved" else Intake()

        if not self._recorder.record(build).incidents:
            return None
        return report_incident(self.journal, incident_id, self.bundle.configuration, now, causes=False)

    # --- inside -------------------------------------------------------------------------------------------

    def _matched(self, runbook: Runbook, holds: Callable[[ModeRule], bool]) -> Matched:
        mode = effective_mode(runbook, self.bundle.configuration, holds)
        return Matched(runbook=runbook, mode=mode)

    def tell_crowded(self, alerts: int, now: datetime) -> None:
        """Page that alerts open no runs any more. Raises what the receiver raises."""
        self._page(crowded_message(alerts, self.room.most, now))

    def _page(self, message: Message) -> None:
        """Tell who is told what concerns no single run."""
        configuration = self.bundle.configuration
        receiver = configuration.storm.receiver or next((each.name for each in configuration.receivers), "")
        if receiver:
            self._tools.effects.notifier.send(receiver, message)

    def _question(self, execution_id: str, plan_hash: str) -> tuple[ApprovalRequest, int]:
        """Return what an execution asks, and the last signal that it had heard then.

        Raises StalePlan when it asks nothing, or has an answer that it must heed.
        """
        execution = self.journal.load(execution_id)
        if execution.approval is None:
            raise StalePlan(self.answered(execution_id, plan_hash) or f"execution {execution_id} asks for nothing now")
        if answer := first_answer(self.journal.signals(execution_id, execution.signals_consumed)):
            raise StalePlan(say_answer(answer))
        return execution.approval, execution.signals_consumed

    def _answer(self, execution_id: str, signal: Signal, seen: int) -> None:
        """Append an answer. Raises StalePlan when somebody else's came in between: theirs counts, for it is first."""
        number = self._signal(execution_id, signal)
        answer = first_answer(self.journal.signals(execution_id, seen))
        if answer is not None and answer.number < number:
            raise StalePlan(say_answer(answer))

    def _signal(self, execution_id: str, signal: Signal) -> int:
        execution = self.journal.load(execution_id)
        number = self.journal.signal(execution_id, signal)
        if execution.incident_id:  # the first that a person does about it
            self.acknowledge(execution.incident_id, by=signal.by, now=signal.at)
        return number

    def _demand_member(self, team_name: str, person: str) -> None:
        why_not = self.why_not_answer(team_name, person)
        if why_not:
            raise Forbidden(why_not)

    def why_not_answer(self, team_name: str, person: str) -> str:
        """Return why a person may not answer for a team; empty = they may. A team without members is everybody."""
        team = next((team for team in self.bundle.configuration.teams if team.name == team_name), None)
        if team is None:
            return f"engine.yaml names no team {team_name}, so nobody can answer for it (add it under teams)"
        if team.members and person not in team.members:
            return f"{person} is not in {team.name}, which must answer: {', '.join(team.members)}"
        return ""


def _demand_same_plan(actual: str, given: str) -> None:
    if len(given) < SHORTEST_HASH or not actual.startswith(given):
        raise StalePlan(f"the plan is {actual[:8]} now, not {given[:8] or 'nothing'}: look at it again")
