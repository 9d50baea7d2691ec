"""An explanation says what each clause wanted and what the alert has."""

from __future__ import annotations

from datetime import UTC, datetime

from runbook_engine.matching.explain import explain
from runbook_engine.matching.meta import META_LABELS, labels_of
from runbook_engine.model.alert import Alert
from runbook_engine.model.matcher_grammar import parse_matchers

ALERT = Alert(
    scope="prod",
    source="alertmanager",
    name="CheckoutHighErrorRate",
    labels={"alertname": "CheckoutHighErrorRate", "__severity__": "critical", "__scope__": "other"},
    alert_key="0" * 64,
    received_at=datetime(2026, 5, 11, tzinfo=UTC),
    severity="warning",
)


def test_every_clause_is_judged_when_one_of_them_fails() -> None:
    """A near miss shows the value that the alert has, and None where it has none."""
    matchers = parse_matchers('alertname=CheckoutHighErrorRate, __severity__=~"critical|high", team=web, pod!~"x.+"')

    explained = explain(ALERT, matchers)

    assert not explained.matched
    assert [(clause.ok, clause.actual) for clause in explained.clauses] == [
        (True, "CheckoutHighErrorRate"),
        (False, "warning"),
        (False, None),
        (True, None),
    ]
    assert [clause.matcher for clause in explained.clauses] == list(matchers)


def test_a_payload_cannot_shadow_a_meta_label_when_it_carries_one_of_that_name() -> None:
    """The engine's word wins over the sender's."""
    seen = labels_of(ALERT)

    assert {name: seen[name] for name in META_LABELS} == {
        "__severity__": "warning",
        "__source__": "alertmanager",
        "__status__": "firing",
        "__kind__": "alert",
        "__scope__": "prod",
    }
