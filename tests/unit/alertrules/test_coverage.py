"""Rules against runbooks: what covers what, and what keeps the rest apart."""

from __future__ import annotations

import pytest

from runbook_engine.alertrules.carried import Carried
from runbook_engine.alertrules.coverage import Sender, cover
from runbook_engine.alertrules.promql import carried_labels
from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.model.coverage import MissingLabel
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import parse_matcher
from runbook_engine.model.quantity import parse_duration
from runbook_engine.model.runbook import Input, Runbook
from runbook_engine.model.target import TargetTemplate
from runbook_engine.sources.severities import severity_of

SENDER = Sender(lambda raw: {severity_of(raw, {})}, {"prometheus": ("shop-*",)})


def _rule(name: str = "ShopErrors", expression: str = "sum by (namespace) (x) > 1", **labels: str) -> AlertRule:
    return AlertRule(
        name=name,
        expression=expression,
        group="shop",
        file="rules.yaml",
        line=7,
        labels={**labels, "alertname": name},
        carried=carried_labels(expression),
    )


def _runbook(*matchers: str, name: str = "shop-errors", inputs: tuple[Input, ...] = ()) -> Runbook:
    parsed = [parse_matcher(text) for text in matchers]
    return Runbook(
        name=name,
        owner="team-shop",
        matchers=tuple(
            Matcher(each.name, each.op, each.value, each.text, f"{name}.yaml", line)
            for line, each in enumerate(parsed, start=5)
        ),
        target=TargetTemplate("none"),
        guardrails=Guardrails(cooldown=parse_duration("1h"), deadline=parse_duration("1h")),
        steps=(),
        inputs=inputs,
        file=f"{name}.yaml",
        line=2,
    )


@pytest.mark.parametrize(
    ("matchers", "covers"),
    [
        pytest.param(["alertname = ShopErrors"], "yes", id="its name"),
        pytest.param(["alertname = ShopLatency"], "no", id="another name"),
        pytest.param(["alertname =~ Shop"], "no", id="a pattern is anchored"),
        pytest.param(["alertname =~ Shop.+"], "yes", id="a beginning"),
        pytest.param(["severity = page"], "yes", id="a label that is written out"),
        pytest.param(["severity = warning"], "no", id="another value of it"),
        pytest.param(["__severity__ = critical"], "yes", id="our word for its severity"),
        pytest.param(["__severity__ = low"], "no", id="another of our words"),
        pytest.param(["namespace = apps"], "maybe", id="a label that the expression keeps"),
        pytest.param(["pod = web-0"], "no", id="a label that the expression drops"),
        pytest.param(['pod = ""'], "yes", id="an absent label reads as the empty text"),
        pytest.param(["pod != web-0"], "yes", id="an absent label is not web-0"),
        pytest.param(["__source__ = alertmanager", "__kind__ = alert"], "yes", id="how it comes in"),
        pytest.param(["__source__ = cloudwatch"], "no", id="another sender"),
        pytest.param(["__status__ = firing"], "maybe", id="it fires, and resolves"),
        pytest.param(["__scope__ = prometheus"], "yes", id="the scope that it comes through"),
        pytest.param(["__scope__ = other"], "no", id="another scope"),
    ],
)
def test_an_alert_has_a_runbook_when_its_matchers_may_hold(matchers: list[str], covers: str) -> None:
    """As they would be matched; what nobody can tell counts as possible."""
    alert = cover([_rule(severity="page")], [_runbook(*matchers)], SENDER).alerts[0]

    assert covers == ("maybe" if alert.uncertain else "yes" if alert.runbooks else "no")
    assert alert.uncovered is (covers == "no")


def test_other_labels_are_possible_when_nothing_aggregates() -> None:
    """No false claim: of a plain selector nobody knows what its series carry."""
    covered = cover([_rule(expression="up == 0")], [_runbook("alertname = ShopErrors", "pod = web-0")], SENDER)

    assert () == covered.uncovered
    assert () == covered.unreachable


def test_a_template_is_set_and_its_value_unknown() -> None:
    """Only an alert knows it."""
    rule = AlertRule(
        name="ShopErrors",
        expression="x",
        group="shop",
        file="rules.yaml",
        line=7,
        labels={"alertname": "ShopErrors"},
        templated=frozenset({"severity"}),
        carried=Carried(frozenset(), frozenset()),
    )

    alert = cover([rule], [_runbook("__severity__ = low", "severity != none")], SENDER).alerts[0]

    assert ("shop-errors",) == alert.uncertain
    assert () == alert.missing


def test_labels_are_missing_when_a_rule_does_not_set_what_a_runbook_needs() -> None:
    """Absent for sure, or perhaps; an input with a default needs nothing."""
    inputs = (
        Input(name="node", type="node", path=("alert", "labels", "node")),
        Input(name="space", type="namespace", path=("alert", "labels", "namespace")),
        Input(name="cluster", type="cluster", path=("alert", "labels", "cluster"), default="local"),
        Input(name="name", path=("alert", "name")),
    )
    runbook = _runbook("alertname = ShopErrors", inputs=inputs)

    sure, open_ = (cover([_rule(expression=each)], [runbook], SENDER) for each in ("sum by (namespace) (x)", "x > 1"))

    assert (MissingLabel("node", "shop-errors", "input node", True),) == sure.alerts[0].missing
    assert (
        MissingLabel("node", "shop-errors", "input node", False),
        MissingLabel("namespace", "shop-errors", "input space", False),
    ) == open_.alerts[0].missing
    assert (1, 0) == (len(sure.lacking), len(open_.lacking))


def test_a_matchers_label_may_be_absent_when_nobody_can_tell() -> None:
    """It decides whether the runbook starts."""
    alert = cover([_rule(expression="x > 1")], [_runbook("condition = DiskPressure")], SENDER).alerts[0]

    assert (MissingLabel("condition", "shop-errors", "matcher condition = DiskPressure", False),) == alert.missing


@pytest.mark.parametrize(
    ("matchers", "why"),
    [
        pytest.param(
            ["alertname = ShopErrors", "severity = critical"],
            "the nearest is ShopErrors (rules.yaml:7), and severity = critical (shop-errors.yaml:6) refuses it: "
            'its severity is "warning"',
            id="another value",
        ),
        pytest.param(
            ["alertname = ShopErrors", "pod =~ .+"],
            "the nearest is ShopErrors (rules.yaml:7), and pod =~ .+ (shop-errors.yaml:6) refuses it: it has no pod",
            id="a label that is not there",
        ),
        pytest.param(
            ["alertname =~ ShopErors|ShopX"],
            "the nearest is ShopErrors (rules.yaml:7), and alertname =~ ShopErors|ShopX (shop-errors.yaml:5) refuses "
            'it: its alertname is "ShopErrors"',
            id="a slip of the pen",
        ),
        pytest.param(
            ["alertname = QueueBacklog", "severity = critical"],
            "no rule has a name like alertname = QueueBacklog",
            id="a name that none has",
        ),
    ],
)
def test_a_runbook_out_of_reach_says_what_keeps_the_nearest_alert_away(matchers: list[str], why: str) -> None:
    """The rule, the clause, and what the rule has instead."""
    rules = [_rule(severity="warning"), _rule(name="MailsLate", severity="warning")]

    runbook = cover(rules, [_runbook(*matchers)], SENDER).runbooks[0]

    assert (False, why) == (runbook.reachable, runbook.why)


def test_a_runbook_is_out_of_reach_when_no_scope_may_start_it() -> None:
    """However well its matchers fit."""
    coverage = cover([_rule()], [_runbook("alertname = ShopErrors", name="mail-errors")], SENDER)

    assert ("ShopErrors",) == tuple(alert.name for alert in coverage.uncovered)
    assert ["no scope that takes alerts of Prometheus may start it (prometheus: shop-*)"] == [
        runbook.why for runbook in coverage.runbooks
    ]


def test_a_label_is_absent_when_the_installation_drops_it() -> None:
    """It is gone before anything matches."""
    sender = Sender(lambda raw: {severity_of(raw, {})}, {}, ("replica",))

    coverage = cover([_rule(expression="x", replica="a")], [_runbook("replica = a")], sender)

    assert (
        "the nearest is ShopErrors (rules.yaml:7), and replica = a (shop-errors.yaml:5) refuses it: it has no replica"
        in (coverage.runbooks[0].why)
    )


def test_heartbeats_need_no_runbook() -> None:
    """Nor does what an installation says needs none."""
    rules = [_rule(name=name) for name in ("Watchdog", "InfoInhibitor", "Known", "Forgotten")]

    coverage = cover(rules, [], SENDER, ["Known"])

    assert ["Forgotten"] == [alert.name for alert in coverage.uncovered]
