"""A replay decides as the engine does at night, and says what nobody can know now."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from runbook_engine.backtest.backtest import backtest_firings
from runbook_engine.backtest.firings import Firing
from runbook_engine.backtest.history import InvalidHistory, Recorded, RecordedDelivery
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.check import AlertCheck, ReadyCheck
from runbook_engine.model.configuration import Correlation, Scope
from runbook_engine.model.guardrail import BlastRadius, BudgetRule, Guardrails
from runbook_engine.model.hindsight import Unmatched, Window
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Approval, GroupRule, Input, Mode, ModeRule, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import ALERT, DEGRADE, NO_HARM, SCALE, configuration, runbook
from tests.unit.backtest.histories import NOON, REGISTRY, at, counted, fires, firing, look_back, only

RESTART = Step(name="restart", action="restart")
TELL = Step(name="tell", action="notify", arguments={"receiver": "chat", "text": "look"})
HOUR = timedelta(hours=1)
PART = Input(name="part", type="workload", path=("alert", "labels", "part"))


def parted(**changes: object) -> Runbook:
    """Return a runbook that restarts whatever part its alert names."""
    settings: dict[str, object] = {
        "name": "parted",
        "digest": "digest-of-parted",
        "inputs": (PART,),
        "target": TargetTemplate(kind="deployment", name="{{ inputs.part }}", namespace="apps"),
        "strategy": "sequence",
        "steps": (RESTART,),
        "verify": (),
        "guardrails": Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
    }
    return runbook(**{**settings, **changes})


def with_guardrails(**changes: object) -> Guardrails:
    """Return guardrails with what a test wants otherwise."""
    return Guardrails(**{"cooldown": timedelta(minutes=30), "deadline": timedelta(minutes=40), **changes})  # type: ignore[arg-type]


def test_a_run_acts_and_the_next_is_held_back_by_its_cooldown() -> None:
    """Within half an hour of a change nothing is changed again; after it, it is."""
    history = [*firing(0, 5), *firing(20, 25), *firing(31, 40)]

    found = only(look_back(history, runbook(steps=(DEGRADE,), verify=())))

    assert {"matched": 3, "would_act": 2, "blocked": 1} == counted(found)
    assert {"cooldown": 1} == found.blocked_by
    assert {"cooldown": "last change of /checkout/degraded_mode 20m ago by an earlier run, cooldown 30m"} == found.says
    assert (at(0), at(31), NOON, 3) == (found.first, found.last, found.busiest, found.busiest_episodes)


@pytest.mark.parametrize(
    ("mode", "would"),
    [("observe", "would_observe"), ("propose", "would_propose"), ("approve", "would_ask"), ("auto", "would_act")],
)
def test_the_mode_decides_what_would_have_been_done(mode: Mode, would: str) -> None:
    """One history under every mode."""
    found = only(look_back(firing(0, 5), runbook(mode=(ModeRule(mode=mode),))))

    assert ({"matched": 1, would: 1}, mode) == (counted(found), found.mode)


def test_the_ceiling_of_the_installation_counts() -> None:
    """Without one nothing goes further than propose."""
    found = only(look_back(firing(0, 5), runbook(), settings=configuration(mode_ceiling=())))

    assert ({"matched": 1, "would_propose": 1}, "propose") == (counted(found), found.mode)


CASES = [
    pytest.param(
        parted(guardrails=with_guardrails(minimum_fault_age=timedelta(minutes=10))),
        [*firing(0, 5, part="a"), *firing(60, 80, part="a")],
        {"matched": 2, "would_act": 1, "resolved_first": 1},
        {},
        id="one fault that heals before it is old enough, and one that does not",
    ),
    pytest.param(
        parted(guardrails=with_guardrails(cooldown=timedelta(seconds=1))),
        [*firing(0, 5, part="a"), *firing(6, 7, part="a"), *firing(8, 30, part="a")],
        {"matched": 3, "would_act": 2, "would_propose": 1, "flapping": 1},
        {},
        id="an alert that flaps is only proposed for",
    ),
    pytest.param(
        parted(steps=(DEGRADE,)),
        [*firing(0, 5, part="a"), *firing(8, 20, part="a")],
        {"matched": 2, "joined": 1, "came_back": 1, "would_act": 1},
        {},
        id="one that comes back within the hold time joins, and is handed over",
    ),
    pytest.param(
        parted(group=GroupRule(wait=timedelta(minutes=1), max_targets=3)),
        [each for number in range(5) for each in firing(number / 10, 30, part=f"p{number}")],
        {"matched": 5, "blocked": 5},
        {"group": 5},
        id="a group of too many targets is held whole",
    ),
    pytest.param(
        parted(group=GroupRule(wait=timedelta(minutes=1), max_targets=3)),
        [each for number in range(3) for each in firing(number / 10, 10 + 10 * number, part=f"p{number}")],
        {"matched": 3, "would_act": 3},
        {},
        id="a group of few acts one after the other",
    ),
    pytest.param(
        parted(group=GroupRule(wait=timedelta(minutes=1), max_targets=3)),
        [*firing(0, 0.5, part="a"), *firing(0.1, 30, part="b")],
        {"matched": 2, "would_act": 1, "resolved_first": 1},
        {},
        id="one of a group that heals while it gathers",
    ),
    pytest.param(
        parted(guardrails=with_guardrails(budget=BudgetRule(changes=2, per="fleet", window=timedelta(hours=1)))),
        [each for number in range(4) for each in firing(number, number + 10, part=f"p{number}")],
        {"matched": 4, "would_act": 2, "blocked": 2},
        {"budget": 2},
        id="a budget of the fleet that is used up",
    ),
    pytest.param(parted(steps=(TELL,)), firing(0, 5, part="a"), {"matched": 1, "would_tell": 1}, {}, id="a message"),
    pytest.param(
        parted(steps=(Step(name="r", action="restart", approval=Approval(by="team-checkout", timeout=HOUR)),)),
        firing(0, 5, part="a"),
        {"matched": 1, "would_ask": 1},
        {},
        id="a step that must be approved is asked for, mode auto or not",
    ),
    pytest.param(
        parted(),
        [*firing(0, 5, part="NOT A NAME"), *firing(10, 20)],
        {"matched": 2, "blocked": 2},
        {"target": 2},
        id="a label that names nothing, and one that is missing",
    ),
    pytest.param(
        parted(target=TargetTemplate(kind="deployment", name="dns", namespace="kube-system"), inputs=()),
        firing(0, 5),
        {"matched": 1, "blocked": 1},
        {"bounds": 1},
        id="what nobody may touch",
    ),
    pytest.param(
        parted(guardrails=with_guardrails(minimum_fault_age=timedelta(minutes=10))),
        [fires(0, part="a")],
        {"matched": 1, "undecided": 1},
        {},
        id="a history that ends too early",
    ),
    pytest.param(
        parted(guardrails=with_guardrails(minimum_fault_age=timedelta(hours=1))),
        firing(0, 100, part="a"),
        {"matched": 1, "blocked": 1},
        {"minimumFaultAge": 1},
        id="a deadline that comes before the fault is old enough",
    ),
    pytest.param(
        parted(steps=(Step(name="r", action="restart", arguments={"whenReady": "lots"}),)),
        firing(0, 5, part="a"),
        {"matched": 1, "blocked": 1},
        {"step": 1},
        id="a step that could not have been prepared",
    ),
]


@pytest.mark.parametrize(("written", "history", "counts", "reasons"), CASES)
def test_a_run_goes_as_far_as_can_be_told(
    written: Runbook, history: list[Recorded], counts: dict[str, int], reasons: dict[str, int]
) -> None:
    """Everything that is counted, and nothing else."""
    anywhere = configuration(targets=("deployment=apps/*", "deployment=kube-system/*", "parameter=/checkout/*"))

    found = only(look_back(history, written, settings=anywhere))

    assert (counts, reasons) == (counted(found), found.blocked_by)


def test_one_waits_for_the_lock_of_another() -> None:
    """It acts when the other's alert has resolved, and not before."""
    patient = with_guardrails(cooldown=timedelta(minutes=1))
    first = parted(guardrails=patient, matchers=(Matcher("x", "=", ""),))
    second = parted(name="second", digest="d2", guardrails=patient, matchers=(Matcher("x", "=", "1"),))
    history = [*firing(0, 20, part="a"), *firing(5, 60, part="a", x="1"), *firing(6, 15, part="a", x="1", y="2")]

    found = look_back(history, first, second)

    assert [{"matched": 1, "would_act": 1}, {"matched": 2, "joined": 1, "would_act": 1}] == [
        counted(each) for each in found.runbooks
    ]
    assert 2 == found.would_act


def test_a_storm_holds_what_comes_after_it() -> None:
    """The third target within five minutes trips the latch: what opens from there on waits, and heals meanwhile."""
    settings = configuration(storm=StormRule(max_targets=2, within=timedelta(minutes=5), calm=timedelta(minutes=10)))
    history = [each for number in range(4) for each in firing(number, number + 8, part=f"p{number}")]

    found = only(look_back(history, parted(), settings=settings))

    assert {"matched": 4, "would_act": 2, "resolved_first": 2} == counted(found)


def test_a_freeze_of_then_holds() -> None:
    """The calendar is written down: what it forbids past the deadline is blocked, what it forbids for a while waits."""
    launch = CalendarEntry(name="launch", zone="UTC", begins=at(0), ends=at(60))
    history = [*firing(0, 30, part="a"), *firing(50, 90, part="b"), *firing(55, 58, part="c")]

    found = only(look_back(history, parted(), settings=configuration(freezes=(launch,))))

    assert {"matched": 3, "would_act": 1, "blocked": 1, "resolved_first": 1} == counted(found)
    assert {"freeze": "frozen by launch until 2026-03-01 13:00 UTC"} == found.says


def test_one_is_blocked_when_the_lock_is_held_past_its_deadline() -> None:
    """The other's deadline is longer than its own."""
    first = parted(guardrails=with_guardrails(deadline=timedelta(hours=2)), matchers=(Matcher("x", "=", ""),))
    second = parted(
        name="second",
        digest="d2",
        guardrails=with_guardrails(cooldown=timedelta(minutes=1)),
        matchers=(Matcher("x", "=", "1"),),
    )

    found = look_back([*firing(0, 110, part="a"), *firing(5, 100, part="a", x="1")], first, second)

    assert ({"matched": 1, "blocked": 1}, {"lock": 1}) == (counted(found.runbooks[1]), found.runbooks[1].blocked_by)
    assert {"lock": "an earlier run is changing apps/deployment/a"} == found.runbooks[1].says


def test_a_later_step_of_a_sequence_may_stop_it() -> None:
    """It would have acted, and then touched what it may not."""
    steps = (RESTART, Step(name="shed", action="degrade", arguments={"parameter": "/other/x", "value": "y"}))

    found = only(look_back(firing(0, 5, part="a"), parted(steps=steps)))

    assert ({"matched": 1, "would_act": 1}, {}) == (counted(found), found.blocked_by)
    assert {"targets": 1} == found.blocked_later
    assert {"targets": "parameter=/other/x is not in the targets of engine.yaml"} == found.says


def test_a_sender_that_may_not_ask_is_refused() -> None:
    """Neither the runbook nor the scope is its own."""
    found = only(
        look_back(
            firing(0, 5, part="a"),
            parted(),
            settings=configuration(scopes=(Scope(name="local", runbooks=("other",)),)),
        )
    )

    assert ({"matched": 1, "blocked": 1}, {"scope": 1}) == (counted(found), found.blocked_by)
    assert "" == found.mode


@pytest.mark.parametrize(
    ("written", "unknown"),
    [
        pytest.param(runbook(steps=(DEGRADE,), verify=()), {"pause"}, id="a parameter"),
        pytest.param(runbook(steps=(SCALE,)), {"pause", "verify", "bounds", "gitops", "stepCap"}, id="a workload"),
        pytest.param(
            runbook(
                steps=(DEGRADE,),
                do_no_harm=NO_HARM,
                require=(ReadyCheck(share=0.5),),
                guardrails=with_guardrails(budget=BudgetRule(changes=1, per="service", window=HOUR)),
            ),
            {"pause", "verify", "doNoHarm", "require", "budget"},
            id="what is required first, must not get worse, and is counted for a service",
        ),
        pytest.param(
            runbook(
                steps=(Step(name="drain", action="drain", when=(AlertCheck(state="firing"),)),),
                verify=(),
                inputs=(PART,),
                target=TargetTemplate(kind="node", name="{{ inputs.part }}"),
                guardrails=with_guardrails(blast_radius=BlastRadius(limits={"nodesUnavailable": {"max": 1}})),
            ),
            {"pause", "bounds", "blastRadius", "stepCap", "when"},
            id="a node",
        ),
        pytest.param(
            parted(
                target=TargetTemplate(kind="workloadOf", name="{{ inputs.part }}", namespace="apps"),
                group=GroupRule(wait=timedelta(minutes=1), max_targets=1),
            ),
            {"pause", "stepCap", "target", "group"},
            id="what only the cluster knew",
        ),
    ],
)
def test_what_nobody_can_know_now_is_said(written: Runbook, unknown: set[str]) -> None:
    """It is counted once for the run, and holds nothing up."""
    allowed = configuration(targets=("deployment=apps/*", "parameter=/checkout/*", "node=*"))

    found = only(look_back(firing(0, 5, part="a"), written, settings=allowed))

    assert {"matched": 1, "would_act": 1} == counted(found)
    assert dict.fromkeys(unknown, 1) == found.unknown


def test_alerts_that_no_runbook_matches_are_told_by_name() -> None:
    """Those with the most episodes first, with how long they fired; heartbeats are none of them."""
    history = [
        *firing(0, 30, alertname="Disk", disk="a"),
        *firing(5, 15, alertname="Disk", disk="b"),
        *firing(0, 60, alertname="Job"),
        *firing(0, 1, alertname="Watchdog"),
        *firing(0, 5),
    ]

    found = look_back(history, runbook())

    assert (5, 4, 1, 3, 1) == (found.episodes, found.names, found.matched, found.unmatched_episodes, found.heartbeats)
    assert (
        Unmatched(name="Disk", episodes=2, firing=timedelta(minutes=40)),
        Unmatched(name="Job", episodes=1, firing=timedelta(hours=1)),
    ) == found.unmatched


def test_an_alert_that_nobody_speaks_of_any_more_expires() -> None:
    """After the time that the installation says, as at night; one that still fires at the end is told so."""
    settings = configuration(correlation=Correlation(expire_after=timedelta(hours=2)))
    history = [fires(0, alertname="Gone"), *firing(60 * 5, 60 * 6, alertname="Here"), fires(60 * 6, alertname="Still")]

    found = look_back(history, runbook(), settings=settings)

    minutes = {each.name: each.firing // timedelta(minutes=1) for each in found.unmatched}
    assert 120 <= minutes.pop("Gone") <= 125  # a repeat is not written down every time, so it may be a little later
    assert {"Here": 60, "Still": 0} == minutes
    assert 1 == found.still_firing


def test_a_whole_delivery_is_replayed_too() -> None:
    """Two alerts of one webhook, one of which cannot be used."""
    body = b'{"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "%b"}}, {"status": "firing"}]}'
    line = RecordedDelivery(at=NOON, source="alertmanager", body=_raw(body % ALERT.encode()), scope="local")

    found = look_back([Recorded("h:1", line)], runbook())

    assert (1, 1, 1) == (found.episodes, found.rejected, found.would_act)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(
            "alertmanager", "h:7: schema: the body is not an Alertmanager webhook", id="a body of another kind"
        ),
        pytest.param("alertmanger", "h:7: unknown source 'alertmanger': did you mean 'alertmanager'?", id="no source"),
    ],
)
def test_a_delivery_that_cannot_be_used_is_named(source: str, says: str) -> None:
    """With the line that it stands on."""
    line = RecordedDelivery(at=NOON, source=source, body=_raw(b"{}"), scope="local")

    with pytest.raises(InvalidHistory) as refusal:
        look_back([Recorded("h:7", line)], runbook())

    assert str(refusal.value).startswith(says)


def test_episodes_of_a_server_are_replayed_with_the_labels_that_it_adds() -> None:
    """Its series have no annotations: what hangs on one is not known, and not refused."""
    annotated = Input(name="part", type="workload", path=("alert", "annotations", "part"))
    firings = [
        Firing(labels={"alertname": ALERT, "part": "a"}, start=at(-90), end=at(5), began_before=True),
        Firing(labels={"alertname": ALERT, "part": "a"}, start=at(60), end=at(70)),
        Firing(labels={"alertname": ALERT, "part": "b"}, start=at(100), end=at(120), still_firing=True),
    ]

    runbooks = (parted(matchers=(Matcher("cluster", "=", "eu"),)), parted(name="b", inputs=(annotated,)))

    found = backtest_firings(
        firings,
        Window(since=NOON, until=at(120), step=timedelta(minutes=1)),
        Bundle(runbooks, configuration(clusters=("eu",))),
        REGISTRY,
        scope="local",
        external_labels={"cluster": "eu"},
    )

    first, second = found.runbooks
    assert (3, 1, 1) == (found.episodes, found.began_before, found.still_firing)
    assert ({"matched": 3, "would_act": 3}, at(-90)) == (counted(first), first.first)
    assert ({"matched": 3}, {"annotations": 3}) == (counted(second), second.unknown)


def test_an_alert_of_a_server_that_cannot_be_used_is_counted() -> None:
    """Nobody can mend the series of the past: the others are replayed."""
    firings = [
        Firing(labels={}, start=at(0), end=at(5)),
        Firing(labels={"alertname": ALERT}, start=at(60), end=at(70)),
    ]

    found = backtest_firings(
        firings,
        Window(since=NOON, until=at(120), step=timedelta(minutes=1)),
        Bundle((runbook(),), configuration()),
        REGISTRY,
        scope="local",
        external_labels={},
    )

    assert (1, 1) == (found.rejected, found.episodes)
    assert {"matched": 1, "would_act": 1} == counted(only(found))


def _raw(body: bytes) -> msgspec.Raw:
    return msgspec.Raw(body)
