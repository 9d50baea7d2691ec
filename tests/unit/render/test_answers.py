"""The smaller answers: alerts, explanations, findings, test results, check-ups and charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_engine.matching.explain import Clause, Explanation
from runbook_engine.model.alert import Alert
from runbook_engine.model.delivery import Parsed, Rejected
from runbook_engine.model.diagnostic import Diagnostic
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.render.alerts import record_alerts, render_alerts
from runbook_engine.render.chart import render_chart
from runbook_engine.render.checkup import Finding, record_checkup, render_checkup
from runbook_engine.render.explain import Explained, record_explanations, render_explanations
from runbook_engine.render.findings import record_lint, render_findings, render_lint_summary
from runbook_engine.render.lines import plain
from runbook_engine.render.results import record_results, render_results
from runbook_engine.testing import TestResult

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ALERT = Alert(
    scope="local",
    source="alertmanager",
    name="CheckoutHighErrorRate",
    labels={"alertname": "CheckoutHighErrorRate", "pod": 'x\x1b[2J"y'},
    alert_key="0123456789abcdef",
    received_at=NOW,
    starts_at=NOW - timedelta(minutes=3),
    severity="warning",
    warnings=("truncated",),
)


def test_alerts_are_shown_as_they_were_understood() -> None:
    """Hostile label values are shown, harmless."""
    shown = plain(render_alerts(Parsed(alerts=(ALERT,), rejected=(Rejected(1, "it has no labels"),))))

    assert shown == (
        "CheckoutHighErrorRate  warning  firing since 08:57:00  alert of alertmanager, alert key 01234567\n"
        '   alertname = "CheckoutHighErrorRate"\n'
        '   pod       = "x\\x1b[2J\\"y"\n'
        "  warning: truncated\n"
        "rejected alert 1: it has no labels\n"
    )


def test_alerts_as_a_record() -> None:
    """Label values are exactly what was sent: JSON escapes them itself."""
    record = record_alerts(Parsed(alerts=(ALERT,), rejected=(Rejected(1, "it has no labels"),)))

    assert [{"index": 1, "reason": "it has no labels"}] == record["rejected"]
    assert record["accepted"] == [
        {
            "name": "CheckoutHighErrorRate",
            "status": "firing",
            "kind": "alert",
            "severity": "warning",
            "labels": {"alertname": "CheckoutHighErrorRate", "pod": 'x\x1b[2J"y'},
            "starts_at": "2026-01-05T08:57:00Z",
            "ends_at": None,
            "alert_key": "0123456789abcdef",
            "warnings": ["truncated"],
        }
    ]


def test_changes_are_shown_as_they_were_understood() -> None:
    """What somebody else changed, in what; their words are text."""
    target = Target("deployment", "prod", "apps", "checkout")
    parsed = Parsed(changes=((target, ChangeEvent(at=NOW, who="ci", what="release \x1b[2J")),))

    assert 'change of deployment=apps/checkout@prod  09:00:00  "ci": "release \\x1b[2J"\n' == plain(
        render_alerts(parsed)
    )
    assert [
        {
            "target": "deployment=apps/checkout",
            "place": "prod",
            "at": "2026-01-05T09:00:00Z",
            "who": "ci",
            "what": "release \x1b[2J",
        }
    ] == record_alerts(parsed)["changes"]


def _explained() -> Explained:
    name = Matcher("alertname", "=", "CheckoutHighErrorRate", text="alertname = CheckoutHighErrorRate", file="r.yaml")
    severity = Matcher(
        "__severity__", "=~", "critical|high", text="__severity__ =~ critical|high", file="a/high.yaml", line=9
    )
    clauses = (Clause(name, True, "CheckoutHighErrorRate"), Clause(severity, False, "warning"))
    return Explained(ALERT, [("checkout-high-error-rate", Explanation(clauses))])


def test_an_explanation_shows_the_clause_that_fails_and_where_it_stands() -> None:
    """With what the alert has instead."""
    assert plain(render_explanations([_explained()])) == (
        "checkout-high-error-rate  no match  ok    alertname = CheckoutHighErrorRate\n"
        "                                    FAIL  __severity__ =~ critical|high  "
        'alert has __severity__="warning"   (high.yaml:9)\n'
    )


def test_an_explanation_says_when_a_label_is_absent() -> None:
    """Absent and empty are not the same to a reader."""
    clause = Clause(Matcher("team", "=", "shop"), False, None)

    shown = plain(render_explanations([Explained(ALERT, [("r", Explanation((clause,)))])]))

    assert 'r  no match  FAIL  team = "shop"  alert has no team\n' == shown


def test_an_explanation_as_a_record() -> None:
    """Every runbook, every clause."""
    (alert,) = record_explanations([_explained()])["alerts"]

    assert "0123456789abcdef" == alert["alert_key"]
    assert ("checkout-high-error-rate", False) == (alert["runbooks"][0]["runbook"], alert["runbooks"][0]["matched"])
    assert alert["runbooks"][0]["clauses"][1] == {
        "matcher": "__severity__ =~ critical|high",
        "ok": False,
        "actual": "warning",
        "file": "a/high.yaml",
        "line": 9,
    }


FOUND = Diagnostic(
    file="high.yaml",
    line=28,
    column=21,
    code="unknown-field",
    message='unknown field "upto" in "with" of action "scale"',
    hint='did you mean "upTo"?',
    source_line="    with: {by: 50%, upto: 12}",
    width=4,
)


def test_a_finding_shows_its_place_its_line_and_its_remedy() -> None:
    """As the format promises."""
    assert plain(render_findings([FOUND])) == (
        'high.yaml:28:21: error: unknown field "upto" in "with" of action "scale"\n'
        "   28 |     with: {by: 50%, upto: 12}\n"
        "      |                     ^^^^\n"
        '      = did you mean "upTo"?\n'
    )


def test_findings_as_a_record() -> None:
    """Errors and warnings apart."""
    record = record_lint(["high.yaml"], [FOUND])

    assert {"files", "errors", "warnings"} == set(record)
    assert {"file", "line", "column", "code", "message", "hint"} == set(record["errors"][0])


@pytest.mark.parametrize(
    ("errors", "warnings", "said"),
    [
        (0, 0, "1 file: no errors, no warnings\n"),
        (2, 0, "1 file: 2 errors, 0 warnings\n"),
        (0, 1, "1 file: 0 errors, 1 warning\n"),
    ],
    ids=["clean", "errors", "a warning"],
)
def test_the_sum_of_lint(errors: int, warnings: int, said: str) -> None:
    """One line over all files."""
    assert said == plain([render_lint_summary(1, errors, warnings)])


def test_a_failed_test_shows_what_was_expected_and_what_happened() -> None:
    """A passing one is one line."""
    good = TestResult(file="a.test.yaml", name="degrading fixes it", ok=True)
    bad = TestResult(
        file="a.test.yaml",
        name="it is undone",
        ok=False,
        reason="at 16m: compensation is held, not undone",
        timeline=("09:00:00  opened",),
    )

    assert plain(render_results([good, bad])) == (
        "a.test.yaml\n"
        "  ok      degrading fixes it\n"
        "  FAILED  it is undone\n"
        "          at 16m: compensation is held, not undone\n"
        "          09:00:00  opened\n"
        "1 passed, 1 failed\n"
    )
    record = record_results([good, bad])
    assert (1, 1) == (record["passed"], record["failed"])
    assert {"file", "name", "ok", "reason", "timeline"} == set(record["tests"][0])
    assert ["09:00:00  opened"] == record["tests"][1]["timeline"]


def test_a_check_up_puts_the_remedy_below_what_is_broken() -> None:
    """And sums it up."""
    findings = [
        Finding(name="journal", health="ok", says="readable"),
        Finding(name="webhook", health="broken", says="does not answer", remedy="runbook serve"),
    ]

    assert plain(render_checkup(findings)) == (
        "ok    journal  readable\n"
        "FAIL  webhook  does not answer\n"
        "               -> runbook serve\n"
        "1 broken, 0 warnings\n"
    )
    assert ["ok", "broken"] == [check["health"] for check in record_checkup(findings)["checks"]]


def test_a_chart_shows_smallest_largest_newest_and_the_goal() -> None:
    """In one line."""
    points = [(NOW + timedelta(minutes=at), value) for at, value in enumerate((0.001, 0.12, 0.12, 0.001))]

    assert "Error ratio  ▁██▁  0.001 .. 0.12, last 0.001 (goal below 0.02)\n" == plain(
        [render_chart("Error ratio", points, goal="below 0.02")]
    )


def test_a_chart_without_data_says_so() -> None:
    """NaN is no data."""
    assert "Error ratio  no data\n" == plain([render_chart("Error ratio", [(NOW, float("nan"))])])
