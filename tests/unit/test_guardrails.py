"""Each guardrail says yes, no, or no until when, in a sentence that an on-call understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Unreadable
from runbook_engine.guardrails import (
    Case,
    budget,
    budget_key,
    claims_of,
    cooldown,
    deadline,
    effective_mode,
    judge,
    judge_undo,
    kill_switch,
    minimum_fault_age,
    mode,
    one_execution,
    refusals,
    step_cap,
    storm,
    target_allow_list,
    wait_for,
)
from runbook_engine.model.configuration import Scope
from runbook_engine.model.execution import Effect, Execution
from runbook_engine.model.guardrail import (
    Budget,
    BudgetRule,
    Cooldown,
    Guardrails,
    LastChange,
    Lock,
    Verdict,
    waits_for_turn,
)
from runbook_engine.model.observation import Pause
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Mode, ModeRule, Runbook
from runbook_engine.model.standing import End
from runbook_engine.model.storm import Latch, StormRule
from runbook_engine.model.target import NO_TARGET, Target
from tests.scenario.rig import FLAG, MINUTE, SECOND, Rig, configuration, runbook

HOUR = timedelta(hours=1)
PARAMETER = Target("parameter", "local", "", FLAG)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
CHANGE = Change(target=PARAMETER, field="value", before="false", after="true")
RULES = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE, budget=BudgetRule(changes=5, per="service", window=HOUR))


@dataclass
class Books:
    """A ledger that says what a test wants."""

    holder: str | None = None
    last: LastChange | None = None
    count: int = 0
    storm: Latch = field(default_factory=Latch)
    ended: tuple[End, ...] = ()
    holding: Execution | None = None

    def lock_holder(self, key: str) -> str | None:
        return self.holder

    def last_change(self, key: str) -> LastChange | None:
        return self.last

    def changes_within(self, key: str, since: object, *, other_than: str) -> int:
        return self.count

    def load(self, execution_id: str) -> Execution:
        assert self.holding is not None
        return self.holding

    def latch(self) -> Latch:
        return self.storm

    def ends(self, runbook: str, digest: str, limit: int) -> tuple[End, ...]:
        return self.ended


def case(
    *,
    books: Books | None = None,
    change: Change = CHANGE,
    rules: Guardrails = RULES,
    age: timedelta = MINUTE,
    **settings: object,
) -> tuple[Case, Rig]:
    """Return a case a while after the alert, with the rig that it lives in."""
    book: Runbook = runbook(guardrails=rules)
    rig = Rig(book, settings=configuration(**settings))
    rig.fire()
    rig.simulated.push(age)
    return (
        Case(
            execution=rig.execution(),
            runbook=book,
            configuration=rig.engine.bundle.configuration,
            change=change,
            world=rig.simulated.world,
            ledger=books or Books(),
            now=rig.now,
            fill=str,
            ceiling="auto",
        ),
        rig,
    )


def replicas(before: int, after: int) -> Change:
    """Return a change of the checkout deployment's replicas."""
    return Change(
        target=Target("deployment", "local", "apps", "checkout"), field="replicas", before=before, after=after
    )


def test_all_guardrails_are_judged_and_say_yes_on_a_fresh_world() -> None:
    """Each of them answers, and none refuses."""
    judged, _ = case()

    verdicts = judge(judged)

    assert () == refusals(verdicts)
    assert [
        "pause",
        "storm",
        "mode",
        "targets",
        "bounds",
        "gitops",
        "freeze",
        "window",
        "minimumFaultAge",
        "stepCap",
        "deadline",
        "lock",
        "cooldown",
        "budget",
        "blastRadius",
        "doNoHarm",
    ] == [verdict.guardrail for verdict in verdicts]


def test_pause_says_until_when() -> None:
    """A thrown kill switch is a passing no."""
    judged, rig = case()
    rig.simulated.pauses.throw(Pause(until=rig.now + 30 * MINUTE, by="ann", reason="migration"))

    verdict = kill_switch(judged)

    assert (False, "paused by ann until 09:31:00 UTC: migration", rig.now + 5 * SECOND) == (
        verdict.ok,
        verdict.says,
        verdict.until,
    )


def test_a_pause_that_cannot_be_read_says_no() -> None:
    """Unreadable counts as paused."""
    judged, rig = case()
    rig.simulated.fail_next("pauses.pause", Unreadable("the pause file is corrupt"))

    verdict = kill_switch(judged)

    assert (False, "the kill switch cannot be read: the pause file is corrupt") == (verdict.ok, verdict.says)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({}, "parameter=/checkout/degraded_mode is allowed", id="on the list"),
        pytest.param(
            {"targets": ("deployment=apps/*",)},
            "parameter=/checkout/degraded_mode is not in the targets of engine.yaml",
            id="not on the list",
        ),
        pytest.param(
            {"targets": ("deployment=apps/*", "parameter=/billing/*")},
            "parameter=/checkout/degraded_mode is not in the targets of engine.yaml",
            id="another prefix",
        ),
        pytest.param(
            {"scopes": (Scope(name="local", targets=("deployment=apps/*",)),)},
            "scope local may not touch parameter=/checkout/degraded_mode",
            id="not this scope's",
        ),
    ],
)
def test_targets(settings: dict[str, object], says: str) -> None:
    """Only what the installation and the scope allow is touched."""
    judged, _ = case(**settings)

    verdict = target_allow_list(judged)

    assert (says.endswith("is allowed"), says) == (verdict.ok, verdict.says)


def test_a_young_fault_may_still_heal_by_itself() -> None:
    """A passing no: until the fault is old enough."""
    judged, rig = case(rules=replace(RULES, minimum_fault_age=90 * SECOND))

    verdict = minimum_fault_age(judged)

    assert (False, "firing for 1m, wanted 1m30s before a change", rig.now + 30 * SECOND) == (
        verdict.ok,
        verdict.says,
        verdict.until,
    )


@pytest.mark.parametrize(
    ("change", "ok", "says"),
    [
        pytest.param(replicas(4, 6), True, "+50%", id="half more"),
        pytest.param(replicas(4, 8), True, "+100%", id="twice as many is the limit"),
        pytest.param(
            replicas(4, 9), False, "replicas 4 -> 9 is +125%, at most +100% or -50% at once", id="more than twice"
        ),
        pytest.param(replicas(4, 2), True, "-50%", id="half as many is the limit"),
        pytest.param(
            replicas(4, 1), False, "replicas 4 -> 1 is -75%, at most +100% or -50% at once", id="less than half"
        ),
        pytest.param(
            replicas(0, 1), False, "replicas 0 -> 1 is +inf%, at most +100% or -50% at once", id="from nothing"
        ),
        pytest.param(CHANGE, True, "not a number", id="not a number"),
    ],
)
def test_step_cap(change: Change, ok: bool, says: str) -> None:
    """One change moves a number only so far."""
    judged, _ = case(change=change)

    verdict = step_cap(judged)

    assert (ok, says) == (verdict.ok, verdict.says)


@pytest.mark.parametrize(
    ("age", "ok", "says"),
    [
        pytest.param(MINUTE, True, "39m of 40m left", id="time left"),
        pytest.param(40 * MINUTE, False, "the deadline of 40m has passed", id="exactly at the deadline"),
    ],
)
def test_deadline(age: timedelta, ok: bool, says: str) -> None:
    """No change starts after the deadline."""
    judged, _ = case(age=age)

    verdict = deadline(judged)

    assert (ok, says) == (verdict.ok, verdict.says)


def test_a_lock_held_by_another_execution_is_waited_for() -> None:
    """A passing no, looked at again in five seconds."""
    books = Books(holder="e2")
    judged, rig = case(books=books)
    books.holding = rig.execution()

    verdict = one_execution(judged)

    assert (False, f"execution e2 is changing {FLAG}", rig.now + 5 * SECOND) == (
        verdict.ok,
        verdict.says,
        verdict.until,
    )


@pytest.mark.parametrize(
    ("before", "goes_first"),
    [
        pytest.param({}, True, id="not driven yet"),
        pytest.param({"status": "running"}, True, id="driven just now"),
        pytest.param({"placed": False, "target": NO_TARGET}, True, id="nobody knows its target yet"),
        pytest.param({"status": "waiting", "stage": "steps", "resume_at": FAR}, True, id="a guardrail says no for now"),
        pytest.param({"status": "waiting", "stage": "require"}, False, id="it waits for a signal"),
        pytest.param({"status": "awaiting_approval"}, False, id="it waits for a person"),
        pytest.param({"stage": "group", "resume_at": FAR}, False, id="its group gathers"),
        pytest.param({"status": "blocked"}, False, id="it has ended"),
        pytest.param({"mode": "observe"}, False, id="it changes nothing"),
        pytest.param({"target": Target("deployment", "local", "apps", "cart")}, False, id="another target"),
        pytest.param({"target": NO_TARGET}, False, id="no target"),
    ],
)
def test_of_the_runs_of_one_alert_the_first_goes_first(before: dict[str, object], goes_first: bool) -> None:
    """While nothing holds it up, the others wait a second and look again."""
    books = Books()
    judged, rig = case(books=books, age=SECOND)
    books.holding = replace(rig.execution(), id="e1", runbook="first", **before)
    judged = replaced(judged, execution=replace(judged.execution, behind=("e1",)))

    verdict = one_execution(judged)

    if goes_first:
        said = "execution e1 of first was opened before it, and goes first"
        assert (False, said, rig.now + SECOND) == (verdict.ok, verdict.says, verdict.until)
    else:
        assert (True, "nobody else is changing it") == (verdict.ok, verdict.says)


@pytest.mark.parametrize(
    ("waited", "begun", "ok"),
    [
        pytest.param(None, False, False, id="something else held it up until now"),
        pytest.param(59 * SECOND, False, False, id="nearly a minute"),
        pytest.param(MINUTE, False, True, id="a minute"),
        pytest.param(SECOND, True, True, id="it has begun, and tries again"),
    ],
)
def test_a_run_waits_for_its_turn_once_and_not_for_ever(waited: timedelta | None, begun: bool, ok: bool) -> None:
    """One that hangs does not keep the others from helping."""
    books = Books()
    judged, rig = case(books=books, age=HOUR)
    books.holding = rig.execution()
    effect = Effect(
        direction="do", change=CHANGE, key="k", status="retrying", begun_at=rig.now, deadline=rig.now + HOUR
    )
    first, *others = judged.execution.steps
    steps = (replace(first, effects=(effect,) if begun else ()), *others)
    since = rig.now - waited if waited is not None else None
    judged = replaced(judged, execution=replace(judged.execution, behind=("e1",), steps=steps, in_turn_since=since))

    assert ok == one_execution(judged).ok


def test_a_run_that_goes_first_and_cannot_be_read_is_waited_for() -> None:
    """A guardrail that cannot read what it judges by says no."""

    class Torn(Books):
        def load(self, execution_id: str) -> Execution:
            raise Unreadable(f"the record of {execution_id} is torn")

    judged, rig = case(books=Torn())
    judged = replaced(judged, execution=replace(judged.execution, behind=("e1",)))

    verdict = one_execution(judged)

    said = "a run that was opened before it cannot be read: the record of e1 is torn"
    assert (False, said, rig.now + 5 * SECOND) == (verdict.ok, verdict.says, verdict.until)


def test_only_the_lock_says_that_a_run_waits_for_its_turn() -> None:
    """What a person writes as the reason of a pause says nothing about the order of runs."""
    turn = Verdict(guardrail="lock", ok=False, says="execution e1 of first was opened before it, and goes first")
    paused = Verdict(guardrail="pause", ok=False, says="paused by eve: it was opened before it, and goes first")

    assert [True, False, False, False] == [
        waits_for_turn(each) for each in ((turn,), (paused,), (turn, paused), (replace(turn, ok=True),))
    ]


def test_a_target_that_a_person_has_taken_over_is_waited_for_by_their_name() -> None:
    """Looked at again in half a minute, since they may give it back early."""
    books = Books(holder="e2")
    judged, rig = case(books=books)
    books.holding = replace(rig.execution(), kept_by="ana", kept_until=rig.now + 4 * HOUR)

    verdict = one_execution(judged)

    said = f"{FLAG} was taken over by ana, who keeps it until 13:01:00 UTC (`runbook release e2` gives it back)"
    assert (False, said, rig.now + 30 * SECOND) == (verdict.ok, verdict.says, verdict.until)


def test_a_storm_holds_every_change_until_it_is_calm() -> None:
    """A passing no, whose sentence stays the same while it holds."""
    books = Books()
    judged, rig = case(books=books)
    books.storm = Latch(held_since=rig.now - MINUTE, last_at=rig.now, reason="more than 50 targets within 5m")

    verdict = storm(judged)

    said = "storm: more than 50 targets within 5m; changes go on after 15m without another, or by `runbook release`"
    assert (False, said, rig.now + 15 * MINUTE) == (verdict.ok, verdict.says, verdict.until)


TURN = "storm: it was let go, and no more than 3 changes go on within 5m; this one waits for its turn"


@pytest.mark.parametrize(
    ("made", "under_way", "ok", "says", "wait"),
    [
        pytest.param(2, False, True, "2 of 3 changes in 5m after a storm", None, id="room for one more"),
        pytest.param(3, False, False, TURN, MINUTE, id="no room, so it looks again in a minute"),
        pytest.param(3, True, True, "under way since it had its turn after a storm", None, id="had its turn already"),
    ],
)
def test_a_change_waits_for_its_turn_after_a_storm(
    made: int, under_way: bool, ok: bool, says: str, wait: timedelta | None
) -> None:
    """A passing no; the next batch of a change that is under way is no further change."""
    books = Books(count=made)
    judged, rig = case(books=books, storm=StormRule(max_targets=3))
    books.storm = Latch(released_by="ann", released_at=rig.now)
    if under_way:
        effect = Effect(
            direction="do", change=CHANGE, key="k", status="retrying", begun_at=rig.now, deadline=rig.now + HOUR
        )
        first, *others = judged.execution.steps
        steps = (replace(first, effects=(effect,)), *others)
        judged = replaced(judged, execution=replace(judged.execution, steps=steps))

    verdict = storm(judged)

    until = rig.now + wait if wait is not None else None
    assert (ok, says, until) == (verdict.ok, verdict.says, verdict.until)
    assert Budget("after-storm", 5 * MINUTE, 3, counts_own=True) in claims_of(judged)


def test_a_demoted_runbook_makes_no_change_without_a_yes() -> None:
    """A run that was opened before another one failed is stopped too."""
    books = Books()
    judged, rig = case(books=books)
    failed = End(
        runbook="r", digest="d", execution_id="0123456789", at=rig.now, status="failed", mode="auto", changed=True
    )
    books.ended = (failed,)

    verdict = mode(judged)

    said = "demoted to approve until a commit changes it, since execution 01234567 failed"
    assert (False, said, None) == (verdict.ok, verdict.says, verdict.until)


def test_a_lock_of_our_own_is_no_obstacle() -> None:
    """The execution holds it already."""
    books = Books()
    judged, _ = case(books=books)
    books.holder = judged.execution.id

    assert one_execution(judged).ok


@pytest.mark.parametrize(
    ("age", "mine", "ok", "says"),
    [
        pytest.param(
            10 * MINUTE, False, False, f"last change of {FLAG} 10m ago by execution e2, cooldown 30m", id="too fresh"
        ),
        pytest.param(
            30 * MINUTE, False, True, f"last change of {FLAG} 30m ago by execution e2", id="exactly the period"
        ),
        pytest.param(10 * MINUTE, True, True, "no change by another run", id="our own does not count"),
    ],
)
def test_cooldown(age: timedelta, mine: bool, ok: bool, says: str) -> None:
    """A target that another run just changed is left alone."""
    books = Books()
    judged, rig = case(books=books)
    books.last = LastChange(execution_id=judged.execution.id if mine else "e2", at=rig.now - age)

    verdict = cooldown(judged)

    assert (ok, says) == (verdict.ok, verdict.says)
    assert verdict.until is None


@pytest.mark.parametrize(("count", "ok"), [pytest.param(4, True, id="one left"), pytest.param(5, False, id="used up")])
def test_budget(count: int, ok: bool) -> None:
    """Only so many changes in a window."""
    judged, _ = case(books=Books(count=count))

    verdict = budget(judged)

    assert (ok, f"{count} of 5 changes per service in 1h") == (verdict.ok, verdict.says)


def test_a_budget_whose_service_cannot_be_read_says_no() -> None:
    """It cannot count, so it forbids."""
    judged, rig = case()
    rig.simulated.fail_next("cluster.workload", Unreadable("the API server does not answer"))

    verdict = budget(judged)

    assert (False, "the service to count for cannot be read: the API server does not answer") == (
        verdict.ok,
        verdict.says,
    )


@pytest.mark.parametrize(
    ("per", "key"),
    [
        pytest.param("target", f"target:local/parameter//{FLAG}", id="the change's own target"),
        pytest.param("service", "service:local/checkout", id="the service of the run's workload"),
        pytest.param("fleet", "fleet", id="everything"),
    ],
)
def test_budget_key(per: str, key: str) -> None:
    """What is counted together."""
    rules = replace(RULES, budget=BudgetRule(changes=5, per=per, window=HOUR))  # type: ignore[arg-type]
    judged, _ = case(rules=rules)

    assert key == budget_key(judged)


def test_claims_are_keyed_by_the_changes_own_target() -> None:
    """Two runbooks that flip one parameter meet."""
    judged, _ = case()

    claims = claims_of(judged)

    key = f"local/parameter//{FLAG}"
    assert (Lock(key), Cooldown(key, 30 * MINUTE), Budget("service:local/checkout", HOUR, 5)) == claims


def test_a_pod_of_the_runs_workload_counts_for_the_workload_too() -> None:
    """The next pod bears another name: keyed by the pod alone, no cooldown and no budget would ever say no."""
    pod = Change(target=Target("pod", "local", "apps", "checkout-x1", "u1"), field="pod", before="u1", after=None)
    rules = replace(RULES, budget=BudgetRule(changes=5, per="target", window=HOUR))
    judged, _ = case(change=pod, rules=rules)

    claims = claims_of(judged)

    keys = ("local/pod/apps/checkout-x1", "local/deployment/apps/checkout")
    held = tuple(claim for key in keys for claim in (Lock(key), Cooldown(key, 30 * MINUTE)))
    assert (*held, Budget(f"target:{keys[1]}", HOUR, 5)) == claims


@pytest.mark.parametrize("judge_claim", [one_execution, cooldown], ids=["lock", "cooldown"])
def test_a_pod_is_left_alone_when_its_workload_is(judge_claim: Callable[[Case], Verdict]) -> None:
    """Whoever changes the workload, or just did, is not joined by somebody who takes its pods away."""
    pod = Change(target=Target("pod", "local", "apps", "checkout-x1", "u1"), field="pod", before="u1", after=None)
    judged, rig = case(change=pod)
    workload = rig.target().key
    books = Books(holding=rig.execution())
    books.lock_holder = lambda key: "e2" if key == workload else None  # type: ignore[method-assign]
    last = LastChange(execution_id="e2", at=rig.now - MINUTE)
    books.last_change = lambda key: last if key == workload else None  # type: ignore[method-assign]

    verdict = judge_claim(replaced(judged, ledger=books))

    assert not verdict.ok
    assert "apps/deployment/checkout" in verdict.says


def test_an_undo_obeys_the_kill_switch_and_the_lock_only() -> None:
    """Cooldown, budget, freeze and deadline do not hold back an undo."""
    judged, rig = case(books=Books(count=99, last=LastChange(execution_id="e2", at=rig_now())), age=2 * HOUR)
    rig.simulated.pauses.throw(Pause(until=rig.now + MINUTE, by="ann"))

    verdicts = judge_undo(judged)

    assert ["pause", "lock"] == [verdict.guardrail for verdict in verdicts]
    assert ["pause"] == [verdict.guardrail for verdict in refusals(verdicts)]


def rig_now() -> object:
    """Return the instant at which every rig starts."""
    return Rig().now


NO = Verdict(guardrail="cooldown", ok=False, says="no")


@pytest.mark.parametrize(
    ("untils", "wait"),
    [
        pytest.param((5 * SECOND,), 5 * SECOND, id="a passing no is waited for"),
        pytest.param((5 * SECOND, 9 * SECOND), 9 * SECOND, id="until the last of them passes"),
        pytest.param((5 * SECOND, None), None, id="one that never passes blocks"),
        pytest.param((10 * MINUTE,), None, id="past the deadline blocks"),
    ],
)
def test_wait_for(untils: tuple[timedelta | None, ...], wait: timedelta | None) -> None:
    """A no that passes in time is waited for; any other ends the run."""
    now = Rig().now
    verdicts = tuple(
        replace(NO, guardrail=str(index), until=now + until if until is not None else None)
        for index, until in enumerate(untils)
    )

    answer = wait_for(verdicts, now + 5 * MINUTE)

    assert (now + wait if wait is not None else None) == answer


@pytest.mark.parametrize(
    ("mode", "ceiling", "effective"),
    [
        pytest.param("auto", "auto", "auto", id="both let it act"),
        pytest.param("auto", None, "propose", id="no ceiling means propose"),
        pytest.param("auto", "approve", "approve", id="the ceiling is lower"),
        pytest.param("observe", "auto", "observe", id="the runbook is lower"),
    ],
)
def test_effective_mode(mode: Mode, ceiling: Mode | None, effective: Mode) -> None:
    """The lower of what the runbook says and what the installation allows."""
    settings = configuration(mode_ceiling=(ModeRule(mode=ceiling),) if ceiling else ())
    always: Callable[[ModeRule], bool] = lambda rule: True  # noqa: E731

    assert effective == effective_mode(runbook(mode=(ModeRule(mode=mode),)), settings, always)


def test_a_budget_per_service_without_a_workload_says_no() -> None:
    """Counting the parameter in place of its service would let more through than the author allowed."""
    judged, _ = case()
    lonely = replaced(judged, execution=replace(judged.execution, target=PARAMETER))

    verdict = budget(lonely)

    said = "the run has no workload that could name its service; say per: target or per: fleet"
    assert (False, f"the service to count for cannot be read: {said}") == (verdict.ok, verdict.says)
