"""Alertmanager's webhook means what its documentation says, whatever is missing, odd or hostile in it."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, Links, Resource
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.sources import alertmanager
from runbook_engine.sources.identity import label_fingerprint
from runbook_engine.sources.strict_json import decode_text
from tests.length import examples

CAPTURES = Path(__file__).parents[2] / "data" / "alerts"
INDEX = json.loads((CAPTURES / "alertmanager-index.json").read_text())["files"]
NOW = datetime(2026, 11, 21, 19, 40, tzinfo=UTC)
SINGLE = (CAPTURES / "alertmanager-firing-single.json").read_bytes()


def parse(body: object, settings: SourceSettings | None = None, now: datetime = NOW, **headers: str) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(scope="prod", source="alertmanager", headers=headers, body=raw, received_at=now)
    return alertmanager.SOURCE.parse(request, settings or SourceSettings())


def only(entry: dict[str, Any], settings: SourceSettings | None = None, now: datetime = NOW, **body: Any) -> Alert:
    """Return the one alert that a body with this entry means."""
    parsed = parse({"alerts": [entry], **body}, settings, now)
    assert parsed.rejected == ()
    (alert,) = parsed.alerts
    return alert


@pytest.mark.parametrize("name", sorted(INDEX))
def test_a_captured_body_means_the_documented_alerts(name: str) -> None:
    """Names, instances and statuses are those that the capture's index lists."""
    described = INDEX[name]

    parsed = parse((CAPTURES / name).read_bytes())

    told = [[alert.name, alert.labels.get("instance"), alert.status] for alert in parsed.alerts]
    assert told == described["alerts"]
    assert parsed.rejected == ()
    assert {alert.batch.truncated for alert in parsed.alerts} == {described["truncatedAlerts"]}
    assert parsed.warnings == (("truncated",) if described["truncatedAlerts"] else ())


def test_a_captured_alert_is_read_whole() -> None:
    """Every field of the model, from bytes that a real Alertmanager sent."""
    (alert,) = parse(SINGLE).alerts

    sent = json.loads(SINGLE)["alerts"][0]
    assert alert == Alert(
        scope="prod",
        source="alertmanager",
        name="CheckoutHighErrorRate",
        labels=sent["labels"],
        annotations=sent["annotations"],
        status="firing",
        severity="critical",
        severity_raw="critical",
        starts_at=datetime(2026, 11, 21, 19, 28, 29, 704000, tzinfo=UTC),
        received_at=NOW,
        fingerprint="00ee54af4169214c",
        fingerprint_kind="native",
        alert_key=alert.alert_key,
        group_key=json.loads(SINGLE)["groupKey"],
        delivery_id=hashlib.sha256(SINGLE).hexdigest(),
        resource=Resource(cluster="local"),
        links=Links(generator=sent["generatorURL"], source="http://127.0.0.1:19093"),
        warnings=("link_dropped",),
    )
    assert len(alert.alert_key) == 64
    assert alert.severity_number == 5


def test_the_whole_captured_sequence_is_read_without_a_refusal() -> None:
    """Every notification of a real incident, from the first to the last."""
    sequence = json.loads((CAPTURES / "alertmanager-sequence.json").read_text())

    parsed = [parse(notification["body"]) for notification in sequence]

    assert [len(delivery.alerts) for delivery in parsed] == [len(sent["body"]["alerts"]) for sent in sequence]
    assert not any(delivery.rejected for delivery in parsed)
    assert len({alert.alert_key for delivery in parsed for alert in delivery.alerts}) == 3


def test_native_fingerprints_of_captured_alerts_are_those_that_we_derive() -> None:
    """Our derived fingerprint is Prometheus' own, so a body without fingerprints shows the same ones."""
    sent = json.loads((CAPTURES / "alertmanager-firing-grouped.json").read_bytes())["alerts"]

    assert [label_fingerprint(alert["labels"]) for alert in sent] == [alert["fingerprint"] for alert in sent]
    assert label_fingerprint({"alertname": "LedgerErrorBudgetBurn", "severity": "critical"}) == "96b4813241ec81cf"


@pytest.mark.parametrize("name", sorted(INDEX))
def test_the_schema_and_the_strict_reader_agree_on_captured_bodies(name: str) -> None:
    """The quick way is only quicker: with one unknown field the other way is taken, and means the same."""
    body = json.loads((CAPTURES / name).read_bytes())

    quick = parse(body)
    slow = parse(body | {"unknown": True})

    assert alertmanager._by_schema(json.dumps(body).encode()) is not None
    assert alertmanager._by_schema(json.dumps(body | {"unknown": True}).encode()) is None
    assert [without_delivery(alert) for alert in slow.alerts] == [without_delivery(alert) for alert in quick.alerts]


def without_delivery(alert: Alert) -> dict[str, Any]:
    """Return all that an alert says, but for the hash of the body that it came in."""
    return {name: getattr(alert, name) for name in Alert.__struct_fields__ if name != "delivery_id"}


@pytest.mark.slow
@settings(max_examples=examples(120))
@given(st.data())
def test_a_changed_body_is_read_the_same_both_ways(data: st.DataObject) -> None:
    """Whatever is replaced in a real body, the quick way never means something else than the strict one."""
    body = copy.deepcopy(json.loads((CAPTURES / "alertmanager-firing-mixed.json").read_bytes()))
    values = st.sampled_from(["", "x", None, 1, 1.5, True, [], {}, {"a": "b"}, "4", '":', "9999-99-99", "resolved"])
    holders = st.sampled_from([body, *body["alerts"], body["alerts"][0]["labels"]])
    for _ in range(data.draw(st.integers(0, 3))):
        holder = data.draw(holders)
        holder[data.draw(st.sampled_from([*holder, "new"]))] = data.draw(values)
    text = json.dumps(body).encode()
    quick = alertmanager._by_schema(text)
    if quick is None:
        return

    slow = alertmanager._by_value(decode_text(text))

    read = [[envelope.draft(entry) for entry in envelope.entries] for envelope in (quick, slow)]
    assert read[0] == read[1]
    assert (quick.group_key or None, quick.truncated, quick.external_url) == (
        slow.group_key,
        slow.truncated,
        slow.external_url,
    )


def test_a_key_written_twice_is_refused_when_the_body_is_otherwise_alertmanagers_own() -> None:
    """In the group, in an alert and in its labels."""
    for once in (b'"receiver":"each"', b'"service":"checkout"', b'"status":"firing"'):
        assert once in SINGLE
        with pytest.raises(InvalidAlert) as caught:
            parse(SINGLE.replace(once, once + b"," + once, 1))
        assert caught.value.code == "duplicate_key"


def test_a_key_written_twice_is_refused_when_another_is_missing() -> None:
    """The two do not cancel out in the counting."""
    with pytest.raises(InvalidAlert) as caught:
        parse(SINGLE.replace(b'"receiver":"each"', b'"version":"4"', 1))

    assert caught.value.code == "duplicate_key"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"null", None, id="null"),
        pytest.param(b"[]", None, id="a list"),
        pytest.param(b'""', None, id="text"),
        pytest.param(b"{}", None, id="no alerts"),
        pytest.param(
            b'{"alerts": {}}',
            'the body is not an Alertmanager webhook: an object with a list "alerts" is expected',
            id="alerts that are no list",
        ),
        pytest.param(b'{"version":"3","alerts":[]}', 'the payload version is not "4"', id="another version"),
        pytest.param(b"", "the body is empty", id="nothing"),
    ],
)
def test_a_body_is_refused_when_it_is_no_webhook(body: bytes, message: str | None) -> None:
    """A custom payload is refused as a whole: nothing in it can be trusted to mean what it seems to."""
    with pytest.raises(InvalidAlert) as caught:
        parse(body)

    assert caught.value.code == "schema"
    assert message is None or caught.value.message == message


def test_nothing_is_accepted_when_the_list_is_empty() -> None:
    """An empty list is well formed, and says nothing."""
    assert parse({"alerts": []}) == Parsed()


def test_too_many_alerts_are_refused_whole() -> None:
    """A limit in alerts, besides the one in bytes."""
    with pytest.raises(InvalidAlert) as caught:
        parse({"alerts": [{}] * 4}, SourceSettings(max_alerts=3))

    assert (caught.value.code, caught.value.message) == ("too_large", "4 alerts in one body, at most 3 are taken")


def test_a_minimal_alert_is_read_when_all_but_labels_and_status_is_missing() -> None:
    """Its fingerprint is derived, and its start is ours to order by."""
    alert = only({"labels": {"alertname": "A"}, "status": "firing"})

    assert (alert.name, alert.status, alert.starts_at, alert.ends_at) == ("A", "firing", None, None)
    assert (alert.fingerprint_kind, len(alert.fingerprint)) == ("derived", 16)
    assert alert.warnings == ("missing_starts_at",)


def test_good_alerts_are_kept_when_others_of_the_delivery_are_bad() -> None:
    """One bad alert never costs its neighbours, and each refusal says why."""
    good = {"labels": {"alertname": "A"}, "status": "firing", "startsAt": "2026-11-21T19:00:00Z"}
    bad = [
        {"labels": {}},
        {"labels": {"a": ""}},
        {"labels": {"a": None}},
        {"status": "firing"},
        {"labels": []},
        {"labels": {"a": ["x"]}},
        {"labels": {"": "x"}},
        {"labels": {"n" * 257: "x"}},
        {"labels": {"a": "é" * 2049}},
        {"labels": {f"l{number}": "x" for number in range(129)}},
        "text",
    ]

    parsed = parse({"alerts": [good, *bad, good]})

    assert [alert.batch.index for alert in parsed.alerts] == [0, 12]
    assert [(rejected.index, rejected.reason) for rejected in parsed.rejected] == [
        (1, "no labels"),
        (2, "no labels"),
        (3, "no labels"),
        (4, "no labels"),
        (5, "labels are not an object"),
        (6, "a label value is an array or an object; only text, numbers and booleans are values"),
        (7, "a label name is empty"),
        (8, "a label name is longer than 256 bytes"),
        (9, "a label value is longer than 4096 bytes"),
        (10, "more than 128 labels"),
        (11, "an alert is not an object"),
    ]


def test_label_values_become_text_when_they_are_numbers_or_booleans() -> None:
    """Their JSON text, with a warning; null and empty labels are gone."""
    alert = only({"labels": {"a": 1, "b": True, "c": 1.5, "d": None, "e": "", "alertname": "A"}})

    assert alert.labels == {"a": "1", "b": "true", "c": "1.5", "alertname": "A"}
    assert "label_coerced" in alert.warnings


def test_annotations_are_left_out_when_they_are_no_text() -> None:
    """Prose decides nothing, so it never costs an alert."""
    alert = only({"labels": {"alertname": "A"}, "annotations": {"a": {}, "b": 1, "c": None, "d": "x"}})
    without = only({"labels": {"alertname": "A"}, "annotations": "text"})

    assert (alert.annotations, without.annotations) == ({"b": "1", "d": "x"}, {})
    assert {"annotation_dropped", "annotation_coerced"} <= set(alert.warnings)
    assert "annotation_dropped" in without.warnings


@pytest.mark.parametrize("status", ["Firing", "pending", "", None, 1, "firing "], ids=repr)
def test_a_status_is_unknown_when_it_is_not_exactly_one_of_the_two(status: object) -> None:
    """A word that we do not know never fires and never resolves."""
    assert only({"labels": {"alertname": "A"}, "status": status}).status == "unknown"


@pytest.mark.parametrize("name", [None, "", "\u200b\u200d", " \t", "\x07"], ids=repr)
def test_an_alert_is_unnamed_when_its_name_cannot_be_seen(name: object) -> None:
    """An empty or invisible name would be an empty cell in every table."""
    alert = only({"labels": {"alertname": name, "a": "b"}})

    assert (alert.name, "unnamed" in alert.warnings) == ("unnamed", True)


def test_a_long_name_is_shown_short_and_kept_whole_in_the_labels() -> None:
    """The name is for people, the labels are the identity."""
    alert = only({"labels": {"alertname": "x" * 300}})

    assert (alert.name, alert.labels["alertname"]) == ("x" * 256, "x" * 300)


def test_names_stay_apart_when_they_differ_only_in_unicode_form() -> None:
    """Bytewise: composed and decomposed letters are two alerts."""
    composed, decomposed = only({"labels": {"alertname": "é"}}), only({"labels": {"alertname": "e\u0301"}})

    assert composed.alert_key != decomposed.alert_key


def test_an_annotation_is_cut_between_characters_when_it_is_huge() -> None:
    """Prose may be shortened; labels never."""
    alert = only({"labels": {"alertname": "A"}, "annotations": {"summary": "é" * 10_000, "short": "x"}})

    assert alert.annotations == {"summary": "é" * 8192, "short": "x"}
    assert "annotation_truncated" in alert.warnings


def test_a_fingerprint_is_derived_when_the_sent_one_is_not_one() -> None:
    """It is shown in links and tables, so it must look like one."""
    alert = only({"labels": {"alertname": "A"}, "fingerprint": "../../etc"})

    assert (alert.fingerprint_kind, "bad_fingerprint" in alert.warnings) == ("derived", True)


def test_replicas_are_one_alert_when_only_a_dropped_label_differs() -> None:
    """The native fingerprint covers the replica's name, so it does not count then."""
    one, other = (
        only({"labels": {"alertname": "A", "prometheus_replica": name}, "fingerprint": fingerprint})
        for name, fingerprint in (("a", "0" * 16), ("b", "1" * 16))
    )

    assert one.alert_key == other.alert_key
    assert one.labels["prometheus_replica"] == "a"


def test_alerts_are_apart_when_scope_labels_or_hidden_labels_differ() -> None:
    """The key covers the scope, every label's name and value, and what only the fingerprint covers."""
    keys = {
        only({"labels": {"a": "b"}}).alert_key,
        only({"labels": {"a": "bc"}}).alert_key,
        only({"labels": {"ab": "c"}}).alert_key,
        only({"labels": {"a": 'b","c":"d'}}).alert_key,
        only({"labels": {"a": "b", "c": "d"}}).alert_key,
        only({"labels": {"a": "b"}, "fingerprint": "0" * 16}).alert_key,
        alertmanager.parse(
            Request(
                scope="other",
                source="alertmanager",
                headers={},
                body=b'{"alerts":[{"labels":{"a":"b"}}]}',
                received_at=NOW,
            ),
            SourceSettings(),
        )
        .alerts[0]
        .alert_key,
    }

    assert len(keys) == 7


def test_the_order_of_labels_is_no_part_of_the_identity() -> None:
    """Maps have no order."""
    one, other = only({"labels": {"a": "1", "b": "2"}}), only({"labels": {"b": "2", "a": "1"}})

    assert one.alert_key == other.alert_key


def test_the_start_is_not_trusted_when_it_lies_ahead_of_our_clock() -> None:
    """Five minutes are forgiven; more is a warning, by which correlation orders."""
    ahead, slightly = (
        only({"labels": {"a": "b"}, "startsAt": (NOW + timedelta(minutes=minutes)).isoformat()}) for minutes in (6, 5)
    )

    assert ("clock_skew" in ahead.warnings, "clock_skew" in slightly.warnings) == (True, False)


def test_the_end_is_dropped_when_it_is_before_the_start() -> None:
    """Such an end says nothing."""
    alert = only(
        {
            "labels": {"alertname": "A"},
            "status": "resolved",
            "startsAt": "2026-11-21T19:00:00Z",
            "endsAt": "2026-11-21T18:00:00Z",
        }
    )

    assert (alert.ends_at, alert.warnings) == (None, ("end_before_start",))


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://x/y", "//x/y", "http://", "https://x/ y", "http://x/\n", "file:///etc/passwd", "x"],
)
def test_a_link_is_dropped_when_it_is_not_plainly_http(url: str) -> None:
    """What is shown to a person as a link is an address of the web."""
    alert = only({"labels": {"a": "b"}, "annotations": {"runbook_url": url}, "generatorURL": "https://ok.example/x"})

    assert alert.links == Links(generator="https://ok.example/x")
    assert "link_dropped" in alert.warnings


def test_links_are_found_when_they_are_labels_or_annotations() -> None:
    """Teams use both places; the annotation wins."""
    labels = {"a": "b", "runbook_url": "https://label.example", "dashboard_url": "https://d.example"}

    alert = only({"labels": labels, "annotations": {"runbook_url": "https://note.example"}})

    assert alert.links == Links(runbook="https://note.example", dashboard="https://d.example")


def test_the_resource_holds_valid_names_only_when_labels_are_hostile() -> None:
    """A name that Kubernetes could not have given is no name."""
    hostile = only(
        {"labels": {"cluster": "a/../b", "namespace": "$(id)", "pod": "x;y", "node": "ok-1", "account": "12"}}
    )
    good = only(
        {
            "labels": {
                "cluster": "eu-blue",
                "namespace": "ledger",
                "deployment": "api",
                "pod": "exporter-1",
                "region": "eu-west-1",
            }
        }
    )

    assert hostile.resource == Resource(kind="node", name="ok-1")
    assert good.resource == Resource(
        cluster="eu-blue", namespace="ledger", kind="deployment", name="api", region="eu-west-1"
    )


def test_alerts_say_so_when_the_sender_left_others_out() -> None:
    """Every alert of a truncated delivery carries the warning; the group's own status is not read."""
    alert = only({"labels": {"a": "b"}, "status": "firing"}, truncatedAlerts=7, status="resolved")

    assert (alert.status, alert.batch.truncated, "truncated" in alert.warnings) == ("firing", 7, True)


def test_the_delivery_keeps_the_senders_id_when_it_gives_one() -> None:
    """Else the body's hash is its id."""
    request = Request("prod", "alertmanager", {}, SINGLE, NOW, delivery_id="d-1")

    assert alertmanager.parse(request, SourceSettings()).alerts[0].delivery_id == "d-1"
