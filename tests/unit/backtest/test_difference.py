"""Two sets of runbooks over one history: what is gained, lost and planned otherwise, with exact numbers."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from runbook_engine.backtest.difference import compare
from runbook_engine.backtest.history import Recorded, RecordedAlert, RecordedDelivery
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.guardrail import BudgetRule
from runbook_engine.model.hindsight import Difference, PlanChange, RunbookDifference
from runbook_engine.model.mapping import AlertMapping, Choice, Pointer
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Approval, Compensate, Input, ModeRule, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import ALERT, DEGRADE, SCALE, VERIFY, configuration, runbook
from tests.unit.backtest.histories import REGISTRY, at, fires, firing

HISTORY = [*firing(0, 5, part="a"), *firing(1, 6, part="b"), fires(9, part="a"), *firing(10, 11, alertname="Other")]
PART = Input(name="part", type="workload", path=("alert", "labels", "part"), default="api")
BY_PART = TargetTemplate(kind="deployment", name="{{ inputs.part }}", namespace="apps")
ELSEWHERE = TargetTemplate(kind="deployment", name="b", namespace="apps")


def against(
    old: tuple[Runbook, ...],
    new: tuple[Runbook, ...],
    *,
    before: Configuration | None = None,
    after: Configuration | None = None,
    history: list[Recorded] | None = None,
) -> Difference:
    """Return what differs; a runbook that is not the very same has another digest."""
    told = {id(each): replace(each, digest=str(hash(repr(each)))) for each in (*old, *new)}
    return compare(
        Bundle(tuple(told[id(each)] for each in old), before or configuration()),
        Bundle(tuple(told[id(each)] for each in new), after or before or configuration()),
        HISTORY if history is None else history,
        REGISTRY,
        names=("old", "new"),
        scope="local",
    )


def changes(difference: Difference) -> dict[str, tuple[str, str, int]]:
    """Return what is planned otherwise by the only runbook that differs, with the number of alerts."""
    (found,) = difference.runbooks
    assert (0, 0) == (found.gained, found.lost)
    ordered = reversed(found.changes)  # where there are several, the one of the most alerts counts
    return {change.what: (change.before, change.after, change.alerts) for change in ordered}


def test_nothing_differs_when_nothing_was_changed() -> None:
    """Alerts that resolve are none that could start a runbook."""
    found = against((runbook(),), (runbook(),))

    assert (
        Difference(
            before="old",
            after="new",
            alerts=4,
            distinct=3,
            rejected=0,
            added=(),
            removed=(),
            runbooks=(),
            without_effect=(),
            unchanged=1,
        )
        == found
    )
    assert not found.differs


def test_alerts_are_gained_and_lost_when_matchers_change() -> None:
    """Counted by alert, with the first of them as examples."""
    named = Matcher("alertname", "=", ALERT)
    old = runbook(matchers=(named, Matcher("part", "=", "a")))
    new = runbook(matchers=(named, Matcher("part", "=", "b")))

    found = against((old,), (new,))

    assert (
        RunbookDifference(
            runbook="checkout-high-error-rate",
            gained=1,
            lost=2,
            gained_examples=('CheckoutHighErrorRate{part="b"}',),
            lost_examples=('CheckoutHighErrorRate{part="a"}',),
        ),
    ) == found.runbooks


def test_runbooks_come_and_go() -> None:
    """A new one gains its alerts, one that is gone loses them."""
    found = against((runbook(),), (runbook(name="another"),))

    assert (("another",), ("checkout-high-error-rate",)) == (found.added, found.removed)
    assert [("another", 3, 0), ("checkout-high-error-rate", 0, 3)] == [
        (each.runbook, each.gained, each.lost) for each in found.runbooks
    ]
    assert 0 == found.unchanged


def test_a_change_without_effect_is_told_apart() -> None:
    """A summary decides nothing; a cooldown of a runbook that no alert reaches has not mattered."""
    idle = runbook(name="idle", matchers=(Matcher("alertname", "=", "Never"),))
    hotter = replace(idle, guardrails=replace(idle.guardrails, cooldown=timedelta(hours=9)))

    found = against((runbook(), idle), (runbook(summary="better words"), hotter))

    assert (("checkout-high-error-rate", "idle"), ()) == (found.without_effect, found.runbooks)
    assert not found.differs


@pytest.mark.parametrize(
    ("new", "what"),
    [
        pytest.param(
            runbook(mode=(ModeRule(mode="approve"),)), {"mode": ("auto", "approve", 3)}, id="how far it may go"
        ),
        pytest.param(
            runbook(mode=(ModeRule(mode="propose", matchers=(Matcher("part", "=", "a"),)), ModeRule(mode="auto"))),
            {"mode": ("auto", "propose", 2)},
            id="how far it may go for some",
        ),
        pytest.param(
            runbook(
                target=TargetTemplate(kind="deployment", name="{{ inputs.part }}", namespace="apps"), inputs=(PART,)
            ),
            {"target": ("deployment=apps/checkout@local", "deployment=apps/a@local", 2)},
            id="its target",
        ),
        pytest.param(
            runbook(steps=(replace(DEGRADE, arguments={**DEGRADE.arguments, "value": "off"}), SCALE)),
            {"step shed-optional-features.value": ('"true"', '"off"', 3)},
            id="an argument",
        ),
        pytest.param(
            runbook(steps=(DEGRADE, replace(SCALE, target=ELSEWHERE))),
            {"step add-capacity.target": ("", "deployment=apps/b@local", 3)},
            id="a step's own target",
        ),
        pytest.param(
            runbook(steps=(DEGRADE,)),
            {
                "steps": ("shed-optional-features, add-capacity", "shed-optional-features", 3),
                "step add-capacity.action": ("scale", "", 3),
            },
            id="a step that is gone",
        ),
        pytest.param(
            runbook(
                guardrails=replace(
                    runbook().guardrails,
                    cooldown=timedelta(minutes=5),
                    budget=BudgetRule(changes=3, per="fleet", window=timedelta(hours=1)),
                )
            ),
            {
                "guardrails.cooldown": ("30m", "5m", 3),
                "guardrails.budget.changes": ("", "3", 3),
                "guardrails.budget.per": ("", "fleet", 3),
                "guardrails.budget.window": ("", "1h", 3),
            },
            id="guardrails",
        ),
        pytest.param(
            runbook(steps=(DEGRADE, replace(SCALE, approval=Approval(by="team-b", timeout=timedelta(minutes=9))))),
            {
                "step add-capacity.approval.by": ("", "team-b", 3),
                "step add-capacity.approval.timeout": ("", "9m", 3),
            },
            id="who must say yes",
        ),
        pytest.param(
            runbook(steps=(replace(DEGRADE, compensate=Compensate(when="onFailure")), SCALE)),
            {"step shed-optional-features.compensate.when": ("resolved", "onFailure", 3)},
            id="when it is undone",
        ),
        pytest.param(
            runbook(verify=(replace(VERIFY, value=0.05),)), {"verify[1].value": ("0.02", "0.05", 3)}, id="what is fixed"
        ),
    ],
)
def test_a_plan_that_changed_says_what(new: Runbook, what: dict[str, tuple[str, str, int]]) -> None:
    """Each thing that is planned otherwise, from what to what, and for how many alerts."""
    found = changes(against((runbook(),), (new,)))

    assert what == {name: found.get(name) for name in what}


def test_the_installation_changes_plans_too() -> None:
    """A ceiling that rises, and a sender that may no longer ask, with runbooks that stay the same."""
    raised = against((runbook(),), (runbook(),), before=configuration(mode_ceiling=()), after=configuration())
    refused = against(
        (runbook(),), (runbook(),), after=configuration(scopes=(Scope(name="local", runbooks=("other",)),))
    )

    assert {"mode": ("propose", "auto", 3)} == changes(raised)
    assert ("", "scope local may not ask for runbook checkout-high-error-rate", 3) == changes(refused)["refused"]


def test_a_plan_is_made_for_each_word_that_it_hangs_on() -> None:
    """Two alerts have one plan only when they say the same where it matters: here an annotation and the name."""
    tell = Step(name="tell", action="notify", arguments={"receiver": "chat", "text": "{{ alert.annotations.say }}"})
    more = replace(tell, arguments={"receiver": "chat", "text": "{{ alert.name }}: {{ alert.annotations.say }}"})
    labels = {"alertname": ALERT}
    history = [
        Recorded("h:1", RecordedAlert(at=at(number), status="firing", labels=labels, annotations={"say": say, "x": x}))
        for number, (say, x) in enumerate([("hot", "1"), ("cold", "2"), ("hot", "3")])
    ]

    found = against((runbook(steps=(tell,)),), (runbook(steps=(more,)),), history=history)

    (one,) = found.runbooks
    assert [('"hot"', f'"{ALERT}: hot"', 2), ('"cold"', f'"{ALERT}: cold"', 1)] == [
        (change.before, change.after, change.alerts) for change in one.changes
    ]


def test_only_so_many_changes_are_listed() -> None:
    """Those of the most alerts; the others are counted."""
    history = [fires(number, part=f"p{number}") for number in range(30)] + [fires(40, part="p7")]

    found = against((runbook(inputs=(PART,)),), (runbook(inputs=(PART,), target=BY_PART),), history=history)

    (one,) = found.runbooks
    assert (31, 20, 10) == (one.changed, len(one.changes), one.more_changes)
    assert (
        PlanChange(
            what="target",
            before="deployment=apps/checkout@local",
            after="deployment=apps/p7@local",
            alerts=2,
            example='CheckoutHighErrorRate{part="p7"}',
        )
        == one.changes[0]
    )


def test_an_alert_that_is_refused_on_both_sides_is_treated_the_same() -> None:
    """Nothing is planned for it, so no guardrail of a plan is otherwise."""
    outside = TargetTemplate(kind="deployment", name="b", namespace="elsewhere")
    old = runbook(target=outside)
    new = replace(old, guardrails=replace(old.guardrails, cooldown=timedelta(minutes=5)))

    found = against((old,), (new,))

    assert ((), ("checkout-high-error-rate",)) == (found.runbooks, found.without_effect)


def test_a_mapping_that_finds_other_alerts_is_read_as_it_is_now() -> None:
    """Alerts that only one of the two finds in a delivery cannot be compared; those of today count."""
    body = msgspec.Raw(b'{"old": [{"n": "x"}], "new": [{"n": "%b"}, {"n": "Other"}]}' % ALERT.encode())
    posted = [Recorded("history:1", RecordedDelivery(at=at(0), source="mapped", scope="feed", body=body))]

    def reads(place: str) -> Configuration:
        mapping = AlertMapping(
            name="feed",
            alerts=Pointer((place,)),
            alert_name=Choice(places=(Pointer(("n",)),)),
            status=Choice(otherwise="firing"),
        )
        return replace(configuration(), scopes=(Scope(name="feed", source="mapped", mapping=mapping),))

    proposes = runbook(mode=(ModeRule(mode="propose"),))
    found = against((runbook(),), (proposes,), before=reads("old"), after=reads("new"), history=posted)

    assert {"mode": ("auto", "propose", 1)} == changes(found)
