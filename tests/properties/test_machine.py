"""Whatever a world answers and people say, there is one next move; and once all is well, the run ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runbook_engine.executor.decisions import Decision, decide
from runbook_engine.machine import audit_record, evolve, next_move
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import (
    Admitted,
    Applied,
    ApplyPutOff,
    BaselineRead,
    Blocked,
    Collected,
    Delivered,
    Event,
    Merged,
    Observed,
    PrepareFailed,
    PutOff,
    Queued,
    Required,
    Resolved,
    ResolvePutOff,
    Signalled,
    Skipped,
    TurnedAway,
    Unchanged,
    Undelivered,
    Verified,
)
from runbook_engine.machine.evolve import rest
from runbook_engine.machine.moves import (
    Apply,
    AwaitGroup,
    Begin,
    Collect,
    LeaveGroup,
    Move,
    Notify,
    Observe,
    Pause,
    Prepare,
    Propose,
    ReadBaseline,
    Require,
    Resolve,
    Verify,
)
from runbook_engine.machine.verification import checks_of
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails, Verdict
from runbook_engine.model.plan import Outcome, Progress
from runbook_engine.model.runbook import Approval, Compensate, GroupRule, Mode, NotifyRule, Runbook
from runbook_engine.model.signal import Signal, SignalKind
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import DEGRADE, NO_HARM, SCALE, VERIFY, runbook
from tests.unit.machine.story import (
    DARK,
    FLIP,
    GROW,
    NO,
    SECOND,
    START,
    YES,
    intended,
    opened,
    planned,
    prepared,
)

MINUTE = 60 * SECOND
RULES = Guardrails(cooldown=MINUTE, deadline=20 * MINUTE)
ASKED = replace(SCALE, approval=Approval(by="team-checkout", timeout=MINUTE, on_timeout="next"))
BOOKS: dict[str, Runbook] = {
    "escalate": runbook(guardrails=RULES, do_no_harm=NO_HARM),
    "sequence with a gate": runbook(
        guardrails=RULES,
        strategy="sequence",
        steps=(replace(DEGRADE, verify=(VERIFY,), compensate=Compensate(when="onFailure")), SCALE),
    ),
    "nothing to verify": runbook(guardrails=RULES, strategy="sequence", verify=(), steps=(DEGRADE, SCALE)),
    "found, and one of a group": runbook(
        guardrails=RULES,
        target=TargetTemplate("workloadOf", "{{ inputs.pod }}", "apps"),
        group=GroupRule(wait=MINUTE, max_targets=2),
    ),
    "asks, and pages early": runbook(
        guardrails=RULES,
        steps=(replace(DEGRADE, settle=MINUTE), ASKED),
        notify=(NotifyRule(receiver="oncall", events=("notFixed", "approval"), after=MINUTE),),
    ),
}
REFUSED = (Verdict(guardrail="pause", ok=False, says="paused by eve"),)
SIGNALS: tuple[SignalKind, ...] = (
    "joined",
    "resolved",
    "expired",
    "approved",
    "denied",
    "cancelled",
    "taken_over",
    "released",
)
CHANGES = (FLIP, GROW)


class Fate:
    """Answers each move in one of the ways in which a world may answer it."""

    def __init__(self, data: st.DataObject, book: Runbook, mode: Mode) -> None:
        self._data = data
        self.book = book
        self.now: datetime = START
        self.execution = opened(book, mode=mode)
        self.told = 0

    def choose(self, *choices: Any) -> Any:
        """Return one of these."""
        return self._data.draw(st.sampled_from(choices))

    def happen(self, event: Event) -> None:
        """Let the execution evolve, on record."""
        following = evolve(self.execution, event, self.book)
        record = audit_record(self.execution, event, following)
        self.execution = following if record is None else chained(following, record)

    def turn(self, *, quiet: bool) -> bool:
        """Do one thing; return whether there was anything to do."""
        if not quiet and self.choose(*[False] * 7, True):
            self.speak()
        move = next_move(self.execution, self.book, self.now)
        if isinstance(move, Pause):
            return self._wait(move)
        self.happen(
            decide(move, self.execution, self.book, self.now)
            if isinstance(move, Decision)
            else self._answer(move, quiet=quiet)
        )
        self.now += SECOND
        return True

    def _wait(self, pause: Pause) -> bool:
        """Let the time pass until which the machine waits."""
        rested = rest(self.execution, pause, self.now)
        assert rested.status != "running"
        assert pause.until is None or pause.until > self.now, "a pause that is over is no pause"
        if pause.until is None:
            return False
        self.now = pause.until
        return True

    def speak(self) -> None:
        """Let an alert or a person say something."""
        self.told += 1
        request = self.execution.approval
        signal = Signal(
            kind=self.choose(*SIGNALS),
            at=self.now,
            number=self.told,
            by="ann",
            alert_key=self.choose("key", "other"),
            episode_id=self.choose("first", "second", "third"),
            name="Fire",
            plan_hash=request.hash if request is not None else "stale",
            undo=self.choose(True, False),
        )
        self.happen(Signalled(signal=signal, at=self.now))

    def resolve(self) -> None:
        """Let every alert resolve."""
        for member in self.execution.members:
            self.told += 1
            about = Signal(
                kind="resolved", at=self.now, number=self.told, alert_key=member.alert_key, episode_id=member.episode_id
            )
            self.happen(Signalled(signal=about, at=self.now))

    def _answer(self, move: Move, *, quiet: bool) -> Event:
        at = self.now
        readings = (YES,) if quiet else (self.choose(YES, YES, NO, DARK),)
        match move:
            case Resolve():
                found = Resolved(target=GROW.target, slot="found", at=at)
                put_off = ResolvePutOff(reason="unreadable", at=at)
                lost = Merged(target=GROW.target, into="another", at=at)
                return found if quiet else self.choose(found, found, found, put_off, put_off, lost)
            case AwaitGroup():
                admitted = Admitted(batch=1, of=2, at=at)
                queued, refused = Queued(reason="its turn", at=at), self.choose(True, False)
                away = TurnedAway(reason="too many", tells=refused, at=at)
                return admitted if quiet else self.choose(admitted, admitted, queued, queued, away)
            case LeaveGroup(reason):
                return TurnedAway(reason=reason, tells=True if quiet else self.choose(True, False), at=at)
            case Require():
                return Required(readings=readings, at=at)
            case Collect():
                return Collected(evidence=("e",), failures=("logs: gone",), at=at)
            case ReadBaseline():
                return BaselineRead(value=1.0 if quiet else self.choose(1.0, 1.0, None), says="latency 1", at=at)
            case Propose():
                return replace(planned(), at=at)
            case Prepare(step):
                return self._prepared(step, quiet=quiet)
            case Begin():
                return self._begun(move, quiet=quiet)
            case Apply(step):
                return self._applied(step, quiet=quiet)
            case Observe(step):
                progress = Progress.done("there") if quiet else self._progress()
                return Observed(step=step, progress=progress, at=at)
            case Verify():
                count = len(checks_of(self.execution, self.book))
                harm = None if quiet else self.choose(None, None, None, YES, NO, DARK)
                return Verified(readings=readings * count, harm=harm, at=at)
            case Notify(notice_id):
                lost = Undelivered(notice_id=notice_id, reason="refused", permanent=self.choose(True, False), at=at)
                return (
                    Delivered(notice_id=notice_id, at=at)
                    if quiet
                    else self.choose(lost, Delivered(notice_id=notice_id, at=at))
                )
            case _:
                raise AssertionError(f"{move} is decided, not answered")

    def _prepared(self, step: int, *, quiet: bool) -> Event:
        at = self.now
        ready = replace(prepared(step, CHANGES[step]), at=at)
        others = (
            Skipped(step=step, reason="no change by others", at=at),
            Unchanged(step=step, reason="already as wanted", at=at),
            PrepareFailed(step=step, reason="unreadable", passing=True, at=at),
            PrepareFailed(step=step, reason="no such parameter", at=at),
        )
        return ready if quiet else self.choose(ready, ready, ready, ready, *others)

    def _begun(self, move: Begin, *, quiet: bool) -> Event:
        at = self.now
        change = CHANGES[move.step] if move.direction != "undo" else CHANGES[move.step].inverse()
        begun = intended(move.step, change, move.direction, at)
        if quiet:
            return begun
        waits = PutOff(step=move.step, verdicts=REFUSED, until=at + 5 * SECOND, at=at)
        refused = Blocked(step=move.step, verdicts=REFUSED, at=at) if move.direction == "do" else waits
        return self.choose(begun, begun, begun, waits, refused)

    def _applied(self, step: int, *, quiet: bool) -> Event:
        at = self.now
        done = Applied(step=step, outcome=Outcome.done(version=2), at=at)
        if quiet:
            return done
        outcomes = (
            Outcome.noop(),
            Outcome.partial(SECOND, "one of two"),
            Outcome.conflict("moved"),
            Outcome.failed("denied"),
            Outcome.unknown("lost"),
        )
        others = [Applied(step=step, outcome=outcome, resumed=self.choose(True, False), at=at) for outcome in outcomes]
        put_off = ApplyPutOff(
            step=step,
            reason="throttled",
            after=self.choose(None, timedelta(0), timedelta(days=400)),
            look_first=self.choose(True, False),
            at=at,
        )
        return self.choose(done, done, done, put_off, put_off, *others)

    def _progress(self) -> Progress:
        return self.choose(
            Progress.done(), Progress.done(), Progress.progressing("2 of 4"), Progress.failed("stuck"),
            Progress.superseded("somebody"), Progress.absent("never came"),
        )  # fmt: skip


def assert_sound(execution: Execution) -> None:
    """Whatever happened, this holds."""
    in_flight = [
        effect
        for step in execution.steps
        for effect in step.effects
        if effect.status in ("intended", "applied", "retrying")
    ]
    assert len(in_flight) <= 1, "two changes at once"
    assert len({notice.id for notice in execution.outbox}) == len(execution.outbox)
    assert execution.ended is (execution.ended_at is not None)
    assert (execution.unwind is not None) is (execution.stage == "unwinding")


@given(
    data=st.data(), name=st.sampled_from(sorted(BOOKS)), mode=st.sampled_from(("auto", "auto", "propose", "approve"))
)
def test_there_is_always_one_next_move_and_the_run_ends(data: st.DataObject, name: str, mode: Mode) -> None:
    """Through fifty random answers and signals; and once the world is well and every alert resolved, to its end."""
    fate = Fate(data, BOOKS[name], mode)
    for _ in range(50):
        if not fate.turn(quiet=False):
            fate.speak()
        assert_sound(fate.execution)
    fate.resolve()

    turns = 0
    while fate.turn(quiet=True):
        turns += 1
        assert turns < 500, f"it never ends: {fate.execution.status}, {fate.execution.compensation}"

    assert fate.execution.ended
    assert fate.execution.outbox == ()
    assert fate.execution.compensation != "undoing"
    # Two steps, each undone and made again, each of these put off twice, for an hour at most: eight; and the holds.
    assert fate.now <= fate.execution.opened_at + timedelta(hours=10)
