"""Freezes and windows: what they say, whom they are about, and what becomes of a run that meets one."""

from __future__ import annotations

from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.guardrails import Case, freeze, judge_undo, refusals, window
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.guardrail import Guardrails, Verdict
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, Rig, configuration, runbook

HOUR = timedelta(hours=1)
DEPLOYMENT = Target("deployment", "local", "apps", "checkout")
ONCE = CalendarEntry(
    name="black-friday",
    zone="Europe/Berlin",
    says="sales days",
    begins=datetime(2026, 1, 4, 23, tzinfo=UTC),
    ends=datetime(2026, 1, 5, 23, tzinfo=UTC),
)
MORNING = CalendarEntry(name="payday", zone="UTC", every="FREQ=MONTHLY;BYMONTHDAY=5", at="06:00", lasts=12 * HOUR)
NIGHT = CalendarEntry(name="batch-night", zone="UTC", every="FREQ=WEEKLY;BYDAY=MO,TU", at="22:00", lasts=6 * HOUR)
SOON = CalendarEntry(name="lunch", zone="UTC", every="FREQ=DAILY", at="09:10", lasts=HOUR)
OVER = replace(
    ONCE, name="move", says="", begins=datetime(2025, 1, 1, tzinfo=UTC), ends=datetime(2025, 1, 2, tzinfo=UTC)
)
PAYMENTS = (Matcher("service", "=", "payments"),)
CRITICAL = (Matcher("__severity__", "=", "critical"),)
NO_FREEZE = Verdict(guardrail="freeze", ok=True, says="no freeze holds")
NO_WINDOW = Verdict(guardrail="window", ok=True, says="no window is demanded")


def case(*, freezes: tuple[CalendarEntry, ...] = (), windows: tuple[CalendarEntry, ...] = ()) -> Case:
    """Return the case of a change on Monday, 5 January 2026, 09:00 UTC, for a critical alert."""
    rig = Rig(settings=configuration(freezes=freezes, windows=windows))
    rig.fire()
    engine = rig.engine
    sight = engine._sight
    return Case(
        execution=rig.execution(),
        runbook=runbook(),
        configuration=engine.bundle.configuration,
        change=Change(target=DEPLOYMENT, field="replicas", before=4, after=6),
        world=rig.simulated.world,
        ledger=rig.journal,
        now=rig.now,
        fill=str,
        ceiling="auto",
        holds=lambda matchers: bool(sight.holds and sight.holds(rig.execution().alert, matchers)),
    )


def frozen(says: str, until: datetime | None) -> Verdict:
    """Return the no of a freeze."""
    return Verdict(guardrail="freeze", ok=False, says=says, until=until)


def closed(says: str, until: datetime | None) -> Verdict:
    """Return the no of windows."""
    return Verdict(guardrail="window", ok=False, says=says, until=until)


BY_ONCE = frozen("frozen by black-friday (sales days) until 2026-01-06 00:00 Europe/Berlin", ONCE.ends)
BY_MORNING = frozen("frozen by payday until 2026-01-05 18:00 UTC", datetime(2026, 1, 5, 18, tzinfo=UTC))


@pytest.mark.parametrize(
    ("freezes", "expected"),
    [
        pytest.param((), NO_FREEZE, id="none is written"),
        pytest.param((ONCE,), BY_ONCE, id="once, told in its own zone"),
        pytest.param((MORNING,), BY_MORNING, id="again and again"),
        pytest.param((MORNING, ONCE), BY_ONCE, id="of two the one that ends last"),
        pytest.param((NIGHT,), NO_FREEZE, id="at another time"),
        pytest.param((OVER,), NO_FREEZE, id="long over"),
        pytest.param((replace(ONCE, matchers=PAYMENTS),), NO_FREEZE, id="for other alerts"),
        pytest.param((replace(ONCE, matchers=CRITICAL),), BY_ONCE, id="for such alerts"),
        pytest.param((replace(ONCE, exempt=CRITICAL),), NO_FREEZE, id="not for such alerts"),
        pytest.param((replace(ONCE, exempt=(*CRITICAL, *PAYMENTS)),), BY_ONCE, id="excepted only if all of it holds"),
        pytest.param((replace(ONCE, targets=("deployment=batch/*",)),), NO_FREEZE, id="of another target"),
        pytest.param(
            (replace(ONCE, targets=("deployment=batch/*", "deployment=apps/*")),), BY_ONCE, id="of the target"
        ),
        pytest.param((replace(ONCE, runbooks=("batch-*",)),), NO_FREEZE, id="for other runbooks"),
        pytest.param((replace(ONCE, runbooks=("checkout-*",)),), BY_ONCE, id="for this runbook"),
        pytest.param(
            (replace(MORNING, zone="Mars/Olympus"),),
            frozen('the calendar of engine.yaml cannot be evaluated: unknown time zone "Mars/Olympus"', None),
            id="in a zone that this machine does not know",
        ),
        pytest.param(
            (replace(ONCE, zone="Mars/Olympus"),),
            frozen('the calendar of engine.yaml cannot be evaluated: unknown time zone "Mars/Olympus"', None),
            id="once, in a zone that this machine cannot tell it in",
        ),
        pytest.param(
            (replace(MORNING, zone="localtime"),),
            frozen(
                "the calendar of engine.yaml cannot be evaluated: "
                '"localtime" is no time zone that every machine reads alike',
                None,
            ),
            id="in whatever zone this machine is set to",
        ),
        pytest.param(
            (replace(MORNING, every="FREQ=MONTHLY"),),
            frozen("the calendar of engine.yaml cannot be evaluated: MONTHLY alone does not say which day", None),
            id="by a rule that means nothing",
        ),
    ],
)
def test_freeze_says_until_when(freezes: tuple[CalendarEntry, ...], expected: Verdict) -> None:
    """A freeze that is about the change says no, by whom it was written and until when."""
    assert expected == freeze(case(freezes=freezes))


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param((), NO_WINDOW, id="none is written"),
        pytest.param((replace(NIGHT, targets=("deployment=batch/*",)),), NO_WINDOW, id="of another target"),
        pytest.param(
            (NIGHT,),
            closed("outside batch-night until 2026-01-05 22:00 UTC", datetime(2026, 1, 5, 22, tzinfo=UTC)),
            id="closed",
        ),
        pytest.param(
            (replace(NIGHT, says="batches"), SOON),
            closed(
                "outside batch-night (batches) and lunch until 2026-01-05 09:10 UTC",
                datetime(2026, 1, 5, 9, 10, tzinfo=UTC),
            ),
            id="of two the one that opens first",
        ),
        pytest.param(
            (NIGHT, MORNING),
            Verdict(guardrail="window", ok=True, says="within payday until 2026-01-05 18:00 UTC"),
            id="any open one will do",
        ),
        pytest.param((OVER,), closed("outside move, and none is to come", None), id="over for good"),
        pytest.param(
            (replace(NIGHT, zone="Mars/Olympus"),),
            closed('the calendar of engine.yaml cannot be evaluated: unknown time zone "Mars/Olympus"', None),
            id="in a zone that this machine does not know",
        ),
    ],
)
def test_window_says_when_it_opens(windows: tuple[CalendarEntry, ...], expected: Verdict) -> None:
    """What a window is about is changed within it alone, and outside it people are told when it opens."""
    assert expected == window(case(windows=windows))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(DEPLOYMENT, [BY_ONCE, False], id="the pod of a run that works on its workload"),
        pytest.param(Target("node", "local", "", "n-1"), [NO_FREEZE, True], id="the pod of a run on something else"),
    ],
)
def test_a_calendar_about_a_workload_is_about_its_pods(run: Target, expected: list[object]) -> None:
    """Deleting a pod of a frozen deployment is a change of that deployment, whatever the pod is named."""
    about = ("deployment=apps/*",)
    judged = case(freezes=(replace(ONCE, targets=about),), windows=(replace(NIGHT, targets=about),))
    deleted = Change(target=Target("pod", "local", "apps", "checkout-7d9f"), field="pod", before="there", after="gone")
    of_run = replaced(judged, change=deleted, execution=replace(judged.execution, target=run))

    assert expected == [freeze(of_run), window(of_run).ok]


def test_freeze_says_no_when_nobody_tells_what_the_alert_is() -> None:
    """A case without the alert's labels cannot pass a freeze that depends on them."""
    judged = case(freezes=(replace(ONCE, matchers=PAYMENTS),))
    blind = Case(
        **{field: getattr(judged, field) for field in judged.__dataclass_fields__ if field not in ("looks", "holds")}
    )

    assert frozen(
        "the calendar of engine.yaml cannot be evaluated: nobody can tell whether the alert has service", None
    ) == freeze(blind)


def test_undoing_ignores_freezes_and_windows() -> None:
    """Our own change is taken back whatever the calendar says."""
    judged = case(freezes=(ONCE,), windows=(NIGHT,))
    taken_back = Change(target=Target("parameter", "local", "", FLAG), field="value", before="true", after="false")

    assert () == refusals(judge_undo(replaced(judged, change=taken_back)))


def test_a_run_waits_for_the_end_of_a_freeze_within_its_deadline() -> None:
    """Nothing is changed while it holds; at its end the run goes on by itself."""
    short = replace(ONCE, ends=datetime(2026, 1, 5, 9, 10, tzinfo=UTC))
    rig = Rig(settings=configuration(freezes=(short,)))
    rig.healed_by_flag()
    rig.fire()

    rig.run(9 * MINUTE)
    held = (rig.execution().status, rig.flag())
    rig.run(3 * MINUTE)

    assert ("waiting", "false") == held
    assert ("succeeded", "true") == (rig.execution().status, rig.flag())
    assert any(
        "frozen by black-friday (sales days) until 2026-01-05 10:10 Europe/Berlin" in says for says in rig.says()
    )


def test_a_freeze_that_is_lifted_early_is_noticed_within_a_minute() -> None:
    """Whoever lifts it in engine.yaml need not wake the runs; that it still holds is written down once."""
    short = replace(ONCE, ends=datetime(2026, 1, 5, 9, 10, tzinfo=UTC))
    rig = Rig(settings=configuration(freezes=(short,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(5 * MINUTE)
    held = (rig.execution().status, rig.flag(), sum("frozen by" in says for says in rig.says()))

    lifted = Rig(settings=configuration(), journal=rig.journal, world=rig.simulated)
    lifted.run(MINUTE)

    assert ("waiting", "false", 1) == held
    assert "true" == rig.flag()


def test_a_run_is_blocked_by_a_freeze_that_ends_after_its_deadline() -> None:
    """Nobody is kept waiting for what cannot come in time."""
    rig = Rig(settings=configuration(freezes=(ONCE,)))
    rig.healed_by_flag()
    rig.fire()

    rig.run(MINUTE)

    reason = "frozen by black-friday (sales days) until 2026-01-06 00:00 Europe/Berlin"
    assert ("blocked", reason, "false") == (rig.execution().status, rig.execution().reason, rig.flag())
    assert ["notFixed"] == rig.told("oncall")


def test_a_run_begins_when_its_window_opens() -> None:
    """Ten minutes before the window nothing is changed; then it is."""
    rig = Rig(settings=configuration(windows=(SOON,)))
    rig.healed_by_flag()
    rig.fire()

    rig.run(9 * MINUTE)
    before = rig.flag()
    rig.run(3 * MINUTE)

    assert ("false", "true") == (before, rig.flag())


def test_a_freeze_that_begins_after_a_change_does_not_keep_it_from_being_undone() -> None:
    """The change was made before the freeze; the alert resolves in the middle of it."""
    later = replace(ONCE, begins=datetime(2026, 1, 5, 9, 5, tzinfo=UTC))
    rules = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)
    rig = Rig(runbook(steps=(DEGRADE,), guardrails=rules), settings=configuration(freezes=(later,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(4 * MINUTE)
    made = rig.flag()
    rig.errors(lambda world: 0.001)
    rig.run(2 * MINUTE)

    rig.resolve()
    rig.run(12 * MINUTE)

    assert ("true", "false") == (made, rig.flag())
    assert "undone" == rig.execution().compensation
