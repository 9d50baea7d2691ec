"""One small installation to which anything may happen: alerts, people, outages, edits by others, and deaths."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.errors import EffectUnknown, Retryable, StalePlan
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Correlation
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Pause
from runbook_engine.model.runbook import Runbook
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.crash.invariants import assert_sound
from tests.crash.mortality import Killed, MortalJournal, mortal_effects
from tests.scenario.rig import ALERT, FLAG, MINUTE, SECOND, configuration

EXPIRES = Correlation(expire_after=timedelta(hours=1))
LONG_ENOUGH = timedelta(hours=4)
REPLICAS, VALUE = 4, "false"
REGISTRY = Registry()  # immutable, and slow to fill


class Fuse:
    """A mortality that is lit again and again: dies at the n-th place from now."""

    def __init__(self) -> None:
        self.left = 0

    def __call__(self, name: str) -> None:
        """Pass one place, or not."""
        self.left -= 1
        if self.left == 0:
            raise Killed(name)


class Drama:
    """The installation. Every public method but the last two is something that may happen."""

    def __init__(self, runbook: Runbook) -> None:
        self.runbook = runbook
        self.simulated = SimulatedWorld(receivers=("chat", "oncall"))
        self.journal = MemoryJournal()
        self.checkout = self.simulated.deploy("apps", "checkout", replicas=REPLICAS)
        self.simulated.set_parameter(FLAG, VALUE)
        self.healthy = False
        self.simulated.compute("checkout:error_ratio", lambda world: self._ratio())
        self.edits: list[str] = []
        self.fuse = Fuse()
        self.lives = 0
        self.started: dict[str, datetime] = {}
        self.delivered: list[bytes] = []
        self.intended_before_pause: int | None = None
        self.at_rest: dict[str, Execution] = {}
        self.undone_by_hand: set[str] = set()
        self.engine = self._live()

    @property
    def now(self) -> datetime:
        """The simulated present."""
        return self.simulated.clock.now()

    # --- what may happen --------------------------------------------------------------------------------------

    def fire(self, pod: str) -> None:
        """An alert fires, or is repeated while it does."""
        self.started.setdefault(pod, self.now)
        self._post("firing", pod)

    def resolve(self, pod: str) -> None:
        """An alert resolves, whether or not anybody heard it fire."""
        self._post("resolved", pod)
        self.started.pop(pod, None)

    def repeat(self, back: int) -> None:
        """A delivery of the past arrives once more."""
        if self.delivered:
            self._send(self.delivered[-1 - back % len(self.delivered)])

    def expire(self) -> None:
        """The sweep looks for alerts of which nobody speaks."""
        self._repeated(lambda: self.engine.expire(self.now))

    def push(self, by: timedelta) -> None:
        """Time passes, and what becomes due is driven."""
        end = self.now + by
        for _ in range(3000):
            self._drive()
            due = self.journal.next_due()
            if due is None or due > end:
                self.simulated.clock.push_to(end)
                return
            self.simulated.clock.push_to(max(self.now, due))
        raise AssertionError("an execution never waits")

    def answer(self, word: str) -> None:
        """A person answers whatever is asked: approve or deny."""
        for execution in self.journal.executions(limit=100):
            self._repeated(lambda execution=execution: self._answer(word, execution.id))

    def stop(self, word: str, undo: bool) -> None:
        """A person stops the newest run: cancel or take_over."""
        newest = next(iter(self.journal.executions(limit=1)), None)
        if newest is None:
            return
        if undo:
            self.undone_by_hand.add(newest.id)
        self._repeated(lambda: getattr(self.engine, word)(newest.id, undo=undo, by="ann", now=self.now))

    def die_at(self, place: int) -> None:
        """The process dies at the n-th place from now on."""
        self.fuse.left = place

    def outage(self, on: bool) -> None:
        """The flag store cannot be read, or can be again."""
        if on:
            self.simulated.faults.make_unreadable("flags")
        else:
            self.simulated.faults.make_readable("flags")

    def pause(self, on: bool) -> None:
        """Somebody throws the kill switch, or lifts it."""
        if not on:
            self.simulated.pauses.lift()
            self.intended_before_pause = None
        elif self.intended_before_pause is None:
            self.simulated.pauses.throw(Pause(until=self.now + timedelta(days=30), by="ann"))
            self.intended_before_pause = len(self.intended)

    def edit(self) -> None:
        """Somebody sets the flag to a value that nobody set before."""
        self.edits.append(f"edited-{len(self.edits)}")
        self.simulated.set_parameter(FLAG, self.edits[-1], by="ann")

    def stumble(self, how: str) -> None:
        """The next write of the flag is throttled, or its answer is lost before or after its effect."""
        error = Retryable("throttled") if how == "throttled" else EffectUnknown("connection reset")
        self.simulated.fail_next("flags.write", error, after_effect=how == "answer lost")

    def health(self, good: bool) -> None:
        """The fault itself comes or goes."""
        self.healthy = good

    # --- what must hold ---------------------------------------------------------------------------------------

    @property
    def intended(self) -> list[tuple[str, object]]:
        """The target and the value of every intent in any trail."""
        records = [record for found in self.journal.executions(limit=1000) for record in self.journal.audit(found.id)]
        return [(str(r.change.target), r.change.after) for r in records if r.event == "intended" and r.change]

    def check(self) -> None:
        """Assert what must hold at every moment."""
        assert_sound(self.journal)
        made = Counter((touch.target, touch.value) for touch in self.simulated.effects_made)
        unexplained = made - Counter(self.intended)
        assert not unexplained, f"nobody intended {unexplained}"
        if self.intended_before_pause is not None:
            assert self.intended_before_pause == len(self.intended), "a change began while paused"
        for execution in self.journal.executions(limit=1000):
            known = self.at_rest.get(execution.id)
            if known is not None and execution.id not in self.undone_by_hand:
                assert (known.status, known.reason, known.steps) == (
                    execution.status, execution.reason, execution.steps,
                )  # fmt: skip
            if execution.finished:
                self.at_rest[execution.id] = execution
        self._check_members()

    def settle(self) -> None:
        """Let every trouble end and time pass, then assert what must be so in the end."""
        self.fuse.left = 0
        self.simulated.faults.make_readable("flags")
        self.pause(False)
        self.healthy = True
        for pod in ("a", "b"):
            self.resolve(pod)
        self.push(LONG_ENOUGH)
        self.check()
        executions = self.journal.executions(limit=1000)
        assert all(execution.finished for execution in executions), [
            (found.status, found.compensation, found.waiting_for) for found in executions if not found.finished
        ]
        standing = {step.name for found in executions for step in found.steps if step.stands}
        if "shed-optional-features" not in standing:
            assert (self.edits or [VALUE])[-1] == self.simulated.value_of(FLAG)
        if "add-capacity" not in standing:
            assert REPLICAS == self.simulated.seen(self.checkout).replicas

    def _check_members(self) -> None:
        """A follower that has heard its signals knows of each of its alerts what the episode says."""
        legal = {"open": ("firing", "expired"), "closed": ("resolved",), "expired": ("expired",)}
        for execution in self.journal.executions(limit=1000):
            if not execution.absorbing or self.journal.signals(execution.id, execution.signals_consumed):
                continue
            latest = {member.alert_key: member.state for member in execution.members}
            episodes = self.journal.episodes(list(latest))
            for key, state in latest.items():
                assert state in legal[episodes[key].state], f"the episode is {episodes[key].state}, the member {state}"

    # --- inside -----------------------------------------------------------------------------------------------

    def _ratio(self) -> float:
        return 0.001 if self.healthy or self.simulated.value_of(FLAG) == "true" else 0.12

    def _live(self) -> Engine:
        self.lives += 1
        return Engine(
            bundle=Bundle((self.runbook,), configuration(correlation=EXPIRES)),
            journal=MortalJournal(self.journal, self.fuse),  # type: ignore[arg-type]  # the inner one answers the rest
            world=self.simulated.world,
            effects=mortal_effects(self.simulated.effects, self.fuse),
            registry=REGISTRY,
            checkpoint=self.fuse,
        )

    def _post(self, status: str, pod: str) -> None:
        labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps", "pod": pod}
        alert: dict[str, object] = {"status": status, "labels": labels}
        alert["startsAt"] = self.started.get(pod, self.now).isoformat()
        if status == "resolved":
            alert["endsAt"] = self.now.isoformat()
        self.delivered.append(json.dumps({"version": "4", "alerts": [alert]}).encode())
        self._send(self.delivered[-1])

    def _send(self, body: bytes) -> None:
        request = Request("local", "alertmanager", {"content-type": "application/json"}, body, self.now)
        self._repeated(lambda: self.engine.ingest(request))

    def _repeated(self, send: Callable[[], object]) -> None:
        while True:
            try:
                send()
            except Killed:
                self.engine = self._live()
            else:
                return

    def _answer(self, word: str, execution_id: str) -> None:
        request = self.journal.load(execution_id).approval
        if request is None:
            return
        try:
            if word == "approve":
                self.engine.approve(execution_id, plan_hash=request.hash, by="ann", now=self.now)
            else:
                self.engine.deny(execution_id, by="ann", now=self.now)
        except StalePlan:
            return

    def _drive(self) -> None:
        try:
            for execution_id in self.engine.due(self.now):
                for _ in range(200):
                    if not isinstance(self.engine.drive(execution_id, f"life-{self.lives}", self.now, MINUTE), Next):
                        break
                else:
                    raise AssertionError("an execution never rests")
        except Killed:
            self.engine = self._live()


PUSHES = (SECOND, 30 * SECOND, 70 * SECOND, 11 * MINUTE, 31 * MINUTE, 70 * MINUTE)
