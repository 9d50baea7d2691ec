"""The executor: drives an execution one step at a time. The only caller of `apply`.

One `drive` performs at most one external action, batch or probe, commits what happened, and returns a
directive. Before an effect its intent is durable; after it, its outcome. Whoever comes after a crash finds the
intent, and the action's declared `repeat` class says what may be done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from runbook_engine.checks import Subject, judge_checks, judge_harm, read_harm
from runbook_engine.errors import (
    ActionFailed,
    Conflict,
    EffectUnknown,
    NoAdapter,
    Permanent,
    Retryable,
    RunbookError,
    StaleVersion,
    Unreadable,
)
from runbook_engine.guardrails import claims_of, judge, judge_undo, refusals, undo_claims, wait_for
from runbook_engine.machine import audit_record, evolve, next_move
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import (
    Applied,
    ApplyPutOff,
    Asked,
    BaselineRead,
    Blocked,
    Closed,
    Collected,
    Delivered,
    Event,
    Finished,
    Intended,
    Lapsed,
    Observed,
    Paged,
    Planned,
    Prepared,
    PutOff,
    Required,
    Signalled,
    Undelivered,
    VerificationStarted,
    Verified,
)
from runbook_engine.machine.evolve import rest
from runbook_engine.machine.moves import (
    Apply,
    Ask,
    Begin,
    Close,
    Collect,
    Finish,
    Lapse,
    Move,
    Notify,
    Observe,
    Page,
    Pause,
    Prepare,
    Propose,
    ReadBaseline,
    Require,
    StartVerification,
    Verify,
)
from runbook_engine.machine.narration import show
from runbook_engine.machine.verification import checks_of
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.check import Check, Reading
from runbook_engine.model.directive import Approve, Directive, Done, Next, Wait
from runbook_engine.model.execution import ApprovalRequest, Direction, Execution, Lease
from runbook_engine.model.guardrail import Claim, Verdict
from runbook_engine.model.incident import Evidence
from runbook_engine.model.observation import Message
from runbook_engine.model.plan import Change, Outcome, PlannedStep, Progress
from runbook_engine.model.runbook import Runbook
from runbook_engine.planning import Sight, case_of, filler, make_plan, prepare_step, say_compensation
from runbook_engine.ports import ActionSpec, Effects, Journal, Refused

LEAST_TIME = timedelta(seconds=2)  # with less left, nothing external is begun
LOCK_RETRY = timedelta(seconds=5)
NO_SIGNAL = timedelta(days=1)  # a wait without an end is looked at once a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What driving needs: eyes, hands, a journal."""

    sight: Sight
    effects: Effects
    journal: Journal
    lease: timedelta = timedelta(seconds=60)
    checkpoint: Callable[[str], None] = field(default=lambda name: None)

    def drive(self, execution_id: str, owner: str, now: datetime, time_left: timedelta) -> Directive:
        """Take the execution one step further. Raises UnknownExecution; a lost race is just `next`."""
        execution = self.journal.load(execution_id)
        if execution.lease is not None and execution.lease.owner != owner and execution.lease.until > now:
            return Wait(execution.lease.until, f"driven by {execution.lease.owner}")
        runbook = self.journal.runbook(execution.runbook_digest)
        turn = _Turn(self, execution, runbook, owner)
        try:
            return turn.take(now, time_left)
        except StaleVersion:
            return Next()


class _Turn:
    """One drive: the execution as it was read, what happened since, and the records of it."""

    def __init__(self, executor: Executor, execution: Execution, runbook: Runbook, owner: str) -> None:
        self.executor = executor
        self.sight = executor.sight
        self.execution = execution
        self.runbook = runbook
        self.owner = owner
        self.stored_version = execution.version
        self.records: list[AuditRecord] = []
        self.evidence: tuple[Evidence, ...] = ()
        self.fresh_intent = False

    def now(self) -> datetime:
        return self.sight.world.clock.now()

    def take(self, now: datetime, time_left: timedelta) -> Directive:
        self._consume_signals(now)
        while True:
            move = next_move(self.execution, self.runbook, now)
            if isinstance(move, Pause):
                return self._rest(move, now)
            if isinstance(move, Page | Lapse | StartVerification | Finish | Close | Ask):
                self._happen(self._decide(move, now))
                continue
            if time_left < LEAST_TIME:
                return self._rest(None, now)
            self._take_lease(now)
            for event in self._perform(move, now):
                self._happen(event)
            pause = next_move(self.execution, self.runbook, self.now())
            return self._rest(pause if isinstance(pause, Pause) else None, self.now())

    def _consume_signals(self, now: datetime) -> None:
        for signal in self.executor.journal.signals(self.execution.id, self.execution.signals_consumed):
            self._happen(Signalled(signal=signal, at=now))

    def _happen(self, event: Event) -> None:
        after = evolve(self.execution, event, self.runbook)
        record = audit_record(self.execution, event, after)
        self.execution = after
        if record is not None:
            self.records.append(record)
            self.execution = chained(self.execution, record)

    def _take_lease(self, now: datetime) -> None:
        lease = self.execution.lease
        if lease is not None and lease.owner == self.owner and lease.until - now > self.executor.lease / 2:
            return
        until = now + self.executor.lease
        leased = replace(self.execution, lease=Lease(self.owner, until), due_at=until)
        self.execution = leased if leased.ended else replace(leased, status="running")
        self._commit(now)
        self.executor.checkpoint("leased")

    def _rest(self, pause: Pause | None, now: datetime) -> Directive:
        """Store what happened and where the execution rests; say what the host does next."""
        before = self.execution
        self.execution = rest(before, pause, now)
        if self.records or self.execution != before or before.version != self.stored_version:
            self._commit(now)
            self.executor.checkpoint("rested")
        if pause is None:
            return Next()
        match pause.kind:
            case "approval":
                assert pause.until is not None, "an approval has a time limit"
                wanted = self.execution.approval
                return Approve(pause.until, wanted.hash if wanted is not None else "")
            case "done":
                return Done(self.execution.status, self.execution.reason)
            case "wait":
                return Wait(pause.until or now + NO_SIGNAL, pause.reason)
            case _:
                assert_never(pause.kind)

    def _commit(self, now: datetime, claims: tuple[Claim, ...] = ()) -> Refused | None:
        answer = self.executor.journal.commit(
            self.execution,
            expected_version=self.stored_version,
            records=tuple(self.records),
            claims=claims,
            release_locks=self._lets_go(),
            evidence=self.evidence,
            now=now,
        )
        if isinstance(answer, Refused):
            return answer
        self.stored_version = answer.version
        self.execution = replace(self.execution, version=answer.version)
        self.records.clear()
        self.evidence = ()
        return None

    def _lets_go(self) -> bool:
        """Locks are held from the first intent to the end, and again while something is undone."""
        return self.execution.stage == "ended" and self.execution.compensation != "undoing"

    # --- moves without a look outside ---------------------------------------------------------------------

    def _decide(self, move: Page | Lapse | StartVerification | Finish | Close | Ask, now: datetime) -> Event:
        match move:
            case Page():
                return Paged(rule=move.rule, at=now)
            case Lapse():
                return Lapsed(at=now)
            case StartVerification():
                return VerificationStarted(at=now)
            case Finish():
                return Finished(status=move.status, reason=move.reason, undo=move.undo, at=now)
            case Close():
                return Closed(at=now)
            case Ask():
                return Asked(request=self._question(move.step, now), at=now)
            case _:
                assert_never(move)

    def _question(self, index: int, now: datetime, again_because: str = "") -> ApprovalRequest:
        step, state = self.runbook.steps[index], self.execution.steps[index]
        approval = step.approval
        deadline = self.execution.deadline_at
        planned = PlannedStep(
            name=step.name,
            action=step.action,
            change=state.change,
            change_hash=state.change_hash,
            undo=say_compensation(step.compensate),
        )
        return ApprovalRequest(
            kind="step",
            hash=state.change_hash,
            by=approval.by if approval is not None else self.runbook.owner,
            asked_at=now,
            until=min(deadline, now + approval.timeout) if approval is not None else deadline,
            step=index,
            steps=(planned,),
            again_because=again_because or state.reason,
        )

    # --- moves that look or touch -------------------------------------------------------------------------

    def _perform(self, move: Move, now: datetime) -> tuple[Event, ...]:
        match move:
            case Require():
                return (Required(readings=self._judge(self.runbook.require), at=self.now()),)
            case Collect():
                return (self._collect(now),)
            case ReadBaseline():
                return (self._read_baseline(),)
            case Propose():
                plan = make_plan(self.execution, self.runbook, self.sight, now)
                return (Planned(plan=plan, at=now),)
            case Prepare():
                return (prepare_step(self.execution, self.runbook, move.step, self.sight, now),)
            case Begin():
                return self._begin(move, now)
            case Apply():
                return (self._apply(move.step, resumed=True),)
            case Observe():
                return (Observed(step=move.step, progress=self._observe(move.step), at=self.now()),)
            case Verify():
                return (self._verify(),)
            case Notify():
                return (self._notify(move.notice_id),)
            case Ask() | Page() | Lapse() | StartVerification() | Finish() | Close():
                return (self._decide(move, now),)
            case _:
                assert_never(move)

    def _judge(self, checks: tuple[Check, ...]) -> tuple[Reading, ...]:
        subject = Subject.of(self.execution, self.execution.target, filler(self.execution, self.sight))
        return judge_checks(checks, subject, self.sight.world)

    def _collect(self, now: datetime) -> Event:
        kept: list[Evidence] = []
        failures: list[str] = []
        for index, collector in enumerate(self.runbook.diagnostics):
            try:
                spec = self.sight.registry.collector(collector.name)
                arguments = spec.arguments.model_validate(dict(collector.arguments))
                seen = spec.collect(arguments, self.execution.target, now, self.sight.world)
            except (RunbookError, ValueError) as error:
                failures.append(f"{collector.name}: {error}")
                continue
            kept.append(
                Evidence(
                    id=f"{self.execution.id}-{index}",
                    execution_id=self.execution.id,
                    collector=collector.name,
                    title=seen.title,
                    at=now,
                    text=seen.text,
                    points=seen.points,
                )
            )
        self.evidence = tuple(kept)
        return Collected(evidence=tuple(piece.id for piece in kept), failures=tuple(failures), at=self.now())

    def _read_baseline(self) -> Event:
        rule = self.runbook.do_no_harm
        assert rule is not None, "only a runbook with doNoHarm reads a baseline"
        value, problem = read_harm(rule, filler(self.execution, self.sight), self.sight.world)
        says = f"{rule.query} {value:.4g}" if value is not None else f"{rule.query} cannot be read: {problem}"
        return BaselineRead(value=value, says=says, at=self.now())

    def _verify(self) -> Event:
        readings = self._judge(checks_of(self.execution, self.runbook))
        harm = None
        rule, baseline = self.runbook.do_no_harm, self.execution.baseline
        if rule is not None and baseline is not None and not self.execution.ended:
            harm = judge_harm(rule, baseline, filler(self.execution, self.sight), self.sight.world)
        return Verified(readings=readings, harm=harm, at=self.now())

    def _notify(self, notice_id: str) -> Event:
        notice = next(found for found in self.execution.outbox if found.id == notice_id)
        message = Message(
            id=notice.id,
            event=notice.event,
            title=notice.title,
            text=notice.text,
            at=notice.at,
            severity=self.execution.alert.severity,
            runbook=self.execution.runbook,
            execution_id=self.execution.id,
            incident_id=self.execution.incident_id,
            links=self.runbook.links,
        )
        try:
            self.executor.effects.notifier.send(notice.receiver, message)
        except (Permanent, NoAdapter) as error:
            return Undelivered(notice_id=notice_id, reason=str(error), permanent=True, at=self.now())
        except RunbookError as error:
            return Undelivered(notice_id=notice_id, reason=str(error), at=self.now())
        return Delivered(notice_id=notice_id, at=self.now())

    # --- effects --------------------------------------------------------------------------------------------

    def _begin(self, move: Begin, now: datetime) -> tuple[Event, ...]:
        """Look again, judge, record the intent with its claims in one commit, and only then touch."""
        prepared = self._change_to_begin(move, now)
        if not isinstance(prepared, Change):
            return prepared
        verdicts, claims = self._verdicts_and_claims(prepared, move.direction, now)
        if refusals(verdicts):
            return (self._refusal(move, verdicts, now),)
        self.executor.checkpoint("before-intent")
        before = (self.execution, tuple(self.records))
        spec = self._spec(move.step)
        self._happen(
            Intended(
                step=move.step,
                direction=move.direction,
                change=prepared,
                key=f"{self.execution.id}/{move.step}/{move.direction}",
                verdicts=verdicts,
                deadline=now + spec.time_limit,
                at=now,
            )
        )
        refused = self._commit(now, claims)
        if refused is not None:
            self.execution, self.records = before[0], list(before[1])
            return (self._claim_refusal(move, refused, now),)
        self.executor.checkpoint("after-intent")
        return (self._apply(move.step, resumed=False),)

    def _change_to_begin(self, move: Begin, now: datetime) -> Change | tuple[Event, ...]:
        """Return the change to make now: a retry's stored one, our own reversed for an undo, else a fresh look."""
        state = self.execution.steps[move.step]
        effect = state.effect
        if effect is not None and effect.status == "retrying":
            return effect.change
        if move.direction != "do":
            assert state.change is not None, "only a made change is undone or made again"
            return state.change.inverse() if move.direction == "undo" else replace(state.change, guard={})
        event = prepare_step(self.execution, self.runbook, move.step, self.sight, now)
        if not isinstance(event, Prepared):
            return (event,)
        approved = {yes.change_hash for yes in self.execution.approved}
        needs = self.execution.mode != "auto" or self.runbook.steps[move.step].approval is not None
        moved = event.change_hash != state.change_hash and event.change_hash not in approved
        if moved and needs and not event.message_only:
            return self._ask_again(move.step, event, now)
        return event.change

    def _ask_again(self, index: int, event: Prepared, now: datetime) -> tuple[Event, ...]:
        """The world moved since the yes was given: ask again, and say what is different."""
        old = self.execution.steps[index].change
        was = f"{old.field} {show(old.before)} -> {show(old.after)}" if old is not None else "nothing"
        new = f"{event.change.field} {show(event.change.before)} -> {show(event.change.after)}"
        self._happen(event)
        return (Asked(request=self._question(index, now, f"it was {was}, now it is {new}"), at=now),)

    def _verdicts_and_claims(
        self, change: Change, direction: Direction, now: datetime
    ) -> tuple[tuple[Verdict, ...], tuple[Claim, ...]]:
        if self._is_message(change):
            return (), ()
        case = case_of(change, self.execution, self.runbook, self.sight, now)
        if direction != "do":
            return judge_undo(case), undo_claims(change)
        from_guardrails = judge(case)
        if refusals(from_guardrails):
            return from_guardrails, ()
        return from_guardrails, claims_of(case)

    def _refusal(self, move: Begin, verdicts: tuple[Verdict, ...], now: datetime) -> Event:
        deadline = self.execution.deadline_at if move.direction == "do" else None
        until = wait_for(verdicts, deadline)
        if until is not None:
            return PutOff(step=move.step, verdicts=verdicts, until=until, at=now)
        return Blocked(step=move.step, verdicts=verdicts, at=now)

    def _claim_refusal(self, move: Begin, refused: Refused, now: datetime) -> Event:
        kind = type(refused.claim).__name__.lower()
        verdict = Verdict(guardrail=kind, ok=False, says=refused.says, until=refused.until)
        if kind == "lock":
            verdict = replace(verdict, until=now + LOCK_RETRY)
            return self._refusal(move, (verdict,), now)
        return Blocked(step=move.step, verdicts=(verdict,), at=now)

    def _apply(self, index: int, *, resumed: bool) -> Event:
        """Touch. A resumed intent is first treated as its action's repeat class demands."""
        effect = self.execution.steps[index].effect
        assert effect is not None, "an intent is recorded before it is applied"
        spec = self._spec(index)
        if resumed:
            settled = self._settle_resumed(index, spec)
            if settled is not None:
                return settled
        try:
            outcome = spec.apply(effect.change, effect.key, self.executor.effects)
        except Retryable as error:
            event: Event = ApplyPutOff(step=index, reason=str(error), after=error.after, at=self.now())
        except Conflict as error:
            event = Applied(step=index, outcome=Outcome.conflict(str(error)), resumed=resumed, at=self.now())
        except EffectUnknown as error:
            event = self._in_doubt(index, spec, str(error))
        except (ActionFailed, RunbookError) as error:
            event = Applied(step=index, outcome=Outcome.failed(str(error)), resumed=resumed, at=self.now())
        except Exception as error:  # noqa: BLE001 - the edge to third-party adapters: any surprise is an effect in doubt
            event = self._in_doubt(index, spec, f"{type(error).__name__}: {error}")
        else:
            event = Applied(step=index, outcome=outcome, resumed=resumed, at=self.now())
        self.executor.checkpoint("after-apply")
        return event

    def _settle_resumed(self, index: int, spec: ActionSpec) -> Event | None:
        """Return what a resumed intent came to, or None when it may simply be applied again."""
        match spec.repeat:
            case "declarative" | "token":
                return None
            case "once":
                said = "the run was interrupted in the middle of it, and it must not be repeated"
                return Applied(step=index, outcome=Outcome.unknown(said), resumed=True, at=self.now())
            case "observable":
                seen = self._observe(index)
                if seen.status == "absent":
                    return None
                if seen.status in ("done", "progressing"):
                    return Applied(step=index, outcome=Outcome.done(seen.reason), resumed=True, at=self.now())
                return Applied(step=index, outcome=Outcome.unknown(seen.reason), resumed=True, at=self.now())
            case _:
                assert_never(spec.repeat)

    def _in_doubt(self, index: int, spec: ActionSpec, reason: str) -> Event:
        if spec.repeat == "once":
            return Applied(step=index, outcome=Outcome.unknown(reason), at=self.now())
        return ApplyPutOff(step=index, reason=reason, look_first=True, at=self.now())

    def _observe(self, index: int) -> Progress:
        effect = self.execution.steps[index].effect
        assert effect is not None, "only an applied change is observed"
        try:
            return self._spec(index).observe(effect.change, effect.receipt, self.sight.world)
        except (Unreadable, NoAdapter, Retryable) as error:
            return Progress.progressing(f"cannot be looked at: {error}", timedelta(seconds=2))
        except RunbookError as error:
            return Progress.failed(str(error))

    def _spec(self, index: int) -> ActionSpec:
        return self.sight.registry.action(self.runbook.steps[index].action)

    def _is_message(self, change: Change) -> bool:
        return change.target.kind == "receiver"
