"""A mapping reads a sender's JSON as engine.yaml says, refuses what misses something, and says where."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.correlation import observe_alert
from runbook_engine.documents.mapping import MappingDocument
from runbook_engine.errors import InvalidAlert
from runbook_engine.loading.compile_mapping import compile_mapping
from runbook_engine.model.alert import Alert, Links
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.mapping import AlertMapping, InvalidPointer, Pointer, parse_pointer
from runbook_engine.sources import mapped
from tests.docs.pages import ROOT, blocks_of
from tests.length import examples
from tests.unit.sources.anything import JSON

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
NOW = datetime(2026, 5, 11, 7, 46, tzinfo=UTC)
PLAIN: dict[str, Any] = {"name": "/name", "status": "/status"}


def mapping(**fields: Any) -> AlertMapping:
    """Return a compiled mapping with these fields, as an author writes them."""
    return compile_mapping("plain", MappingDocument.model_validate(PLAIN | fields))


def parse(body: object, by: AlertMapping | None, *, origin: str = "", max_alerts: int = 10_000) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = json.dumps(body).encode()
    request = Request("any", "mapped", {}, raw, NOW, origin=origin)
    return mapped.SOURCE.parse(request, SourceSettings(mapping=by, max_alerts=max_alerts))


def only(body: dict[str, Any], **fields: Any) -> Alert:
    """Return the one alert that a mapping with these fields reads from a body."""
    parsed = parse({"name": "Hot", "status": "firing"} | body, mapping(**fields))
    assert () == parsed.rejected
    (alert,) = parsed.alerts
    return alert


def refusal(body: dict[str, Any], **fields: Any) -> str:
    """Return why a mapping with these fields refuses the one alert of a body."""
    parsed = parse({"name": "Hot", "status": "firing"} | body, mapping(**fields))
    assert () == parsed.alerts
    (rejected,) = parsed.rejected
    return rejected.reason


@cache
def shipped() -> dict[str, AlertMapping]:
    """Return the mappings of the page, which people copy."""
    (block,) = [each for each in blocks_of(ROOT / "docs" / "senders.md") if each.settings.get("file") == "mapped.yaml"]
    documents = yaml.safe_load(block.text)["mappings"]
    return {name: compile_mapping(name, MappingDocument.model_validate(each)) for name, each in documents.items()}


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """Return what a sender of the page posts, with some places (as pointers) changed."""
    body: dict[str, Any] = json.loads((ALERTS / f"mapped-{name}.json").read_text())
    for place, value in changes.items():
        *way, last = parse_pointer(place).parts
        inner = Pointer(tuple(way)).find(body, body)
        inner[last] = value
    return body


SHIPPED: dict[str, tuple[str, str, str, dict[str, str], datetime | None]] = {
    "google-cloud": (
        "ledger latency",
        "high",
        "alert",
        {"team": "payments", "cluster": "eu-green", "namespace": "ledger", "condition": "p99 > 2s"},
        datetime(2026, 5, 11, 7, 40, 12, tzinfo=UTC),
    ),
    "azure": (
        "ledger-5xx",
        "high",
        "alert",
        {"team": "payments", "resource": "ledger", "signal": "Metric"},
        datetime(2026, 5, 11, 7, 40, 12, 318_472, tzinfo=UTC),
    ),
    "opsgenie": (
        "ledger burn",
        "critical",
        "alert",
        {"prod": "true", "alias": "ledger/burn", "origin": "am"},
        datetime(2026, 5, 11, 7, 41, 1, 123_000, tzinfo=UTC),
    ),
    "zabbix": (
        "High CPU on ledger-db-1",
        "high",
        "alert",
        {"service": "ledger", "team": "payments", "host": "ledger-db-1"},
        None,
    ),
    "uptime-kuma": (
        "checkout page",
        "high",
        "alert",
        {"service": "checkout", "url": "https://shop.example/checkout"},
        datetime(2026, 5, 11, 7, 40, 12, 318_000, tzinfo=UTC),
    ),
    "guardduty": (
        "Recon:EC2/Portscan",
        "warning",
        "event",
        {"region": "eu-west-1", "resource_type": "Instance"},
        datetime(2026, 5, 11, 7, 39, tzinfo=UTC),
    ),
    "aws-health": (
        "AWS_EC2_API_ISSUE",
        "high",
        "event",
        {"aws_service": "EC2", "category": "issue"},
        datetime(2026, 5, 11, 7, 30, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_mapping_reads_what_its_sender_sends(name: str) -> None:
    """From the page as it stands, and a payload of the sender."""
    alert_name, severity, kind, labels, starts_at = SHIPPED[name]

    parsed = parse(sample(name), shipped()[name])

    assert ((), ()) == (parsed.rejected, parsed.warnings)
    (alert,) = parsed.alerts
    assert (alert_name, "firing", severity, kind) == (alert.name, alert.status, alert.severity, alert.kind)
    assert labels.items() <= alert.labels.items()
    assert starts_at == alert.starts_at


def test_every_mapping_of_the_page_has_a_sample() -> None:
    """What is shipped is tried."""
    assert sorted(SHIPPED) == sorted(shipped())


@pytest.mark.parametrize(
    ("name", "changes", "status"),
    [
        pytest.param(
            "google-cloud", {"/incident/state": "closed", "/incident/ended_at": 1778485800}, "resolved", id="google"
        ),
        pytest.param("google-cloud", {"/incident/state": "OPEN"}, "firing", id="google in capitals"),
        pytest.param("google-cloud", {"/version": "test", "/incident/state": "OPEN"}, "", id="google tests"),
        pytest.param(
            "azure",
            {
                "/data/essentials/monitorCondition": "Resolved",
                "/data/essentials/resolvedDateTime": "2026-05-11T07:50:00Z",
            },
            "resolved",
            id="azure",
        ),
        pytest.param("opsgenie", {"/action": "Close"}, "resolved", id="opsgenie"),
        pytest.param("opsgenie", {"/action": "AddNote"}, "", id="opsgenie notes"),
        pytest.param("opsgenie", {"/action": "Acknowledge"}, "", id="opsgenie is acknowledged"),
        pytest.param("zabbix", {"/value": "0"}, "resolved", id="zabbix"),
        pytest.param("zabbix", {"/update": "1"}, "", id="zabbix is written to"),
        pytest.param("uptime-kuma", {"/heartbeat/status": 1}, "resolved", id="kuma is up"),
        pytest.param("uptime-kuma", {"/heartbeat/status": 2}, "nodata", id="kuma waits"),
        pytest.param("uptime-kuma", {"/heartbeat/status": 3}, "suppressed", id="kuma is maintained"),
        pytest.param("uptime-kuma", {"/heartbeat/status": 4}, "unknown", id="kuma says something new"),
        pytest.param("uptime-kuma", {"/heartbeat": None, "/monitor": None}, "", id="kuma tests"),
        pytest.param("guardduty", {"/detail/service/archived": True}, "", id="an archived finding"),
        pytest.param("aws-health", {"/detail/statusCode": "closed"}, "resolved", id="health"),
    ],
)
def test_a_shipped_mapping_knows_the_end_and_what_is_no_alert(name: str, changes: dict[str, Any], status: str) -> None:
    """The same key as at the beginning, or nothing at all."""
    begun = parse(sample(name), shipped()[name]).alerts[0]

    parsed = parse(sample(name, **changes), shipped()[name])

    assert () == parsed.rejected
    assert [(status, begun.alert_key)] * bool(status) == [(each.status, each.alert_key) for each in parsed.alerts]
    assert {"": ("ignored",), "unknown": ("unknown_status",)}.get(status, ()) == parsed.warnings


def test_zabbix_tells_the_next_problem_of_a_trigger_by_its_number() -> None:
    """A trigger that is well for a moment fires anew."""
    first, repeated, later = (
        parse(sample("zabbix", **changes), shipped()["zabbix"]).alerts[0]
        for changes in ({}, {"/severity": "Disaster"}, {"/event_id": "48990"})
    )
    opened = observe_alert(first, None, cycle=first.cycle).episode

    assert "repeat" == observe_alert(repeated, opened, cycle=repeated.cycle).kind
    assert "superseded" == observe_alert(later, opened, cycle=later.cycle).kind


def test_an_event_out_of_an_archive_is_recorded_and_begins_nothing() -> None:
    """What the bus replays happened long ago; the same key in a posted body says nothing."""
    body = {"name": "Hot", "status": "firing", "detail-type": "x", "source": "y", "detail": {}, "replay-name": "r"}

    brought, posted = (parse(body, mapping(), origin=origin) for origin in ("events y", ""))

    assert (("event",), ("replayed",)) == (tuple(each.kind for each in brought.alerts), brought.warnings)
    assert (("alert",), ()) == (tuple(each.kind for each in posted.alerts), posted.warnings)


def test_every_field_is_read() -> None:
    """All that a mapping can say, at once."""
    by = mapping(
        alerts="/list",
        name=["/no", "/title"],
        status={"from": "/state", "words": {"Bad": "firing"}},
        identity=["/id", {"from": "body:/org", "required": True}],
        cycle="/run",
        severity={"from": "/level", "words": {"1": "critical"}},
        labels={"team": {"value": "payments"}, "zone": {"from": "/zone", "otherwise": "none"}, "gone": "/gone"},
        labelMaps=[{"from": "/tags", "prefix": "t_"}, {"from": "body:/common"}],
        annotations={"summary": "/text"},
        links={"source": "/url", "runbook": "body:/book"},
        values={"load": "/load", "text": "/text", "limit": "/limit"},
        startsAt=["/none", "/since"],
        observedAt="/at",
    )
    entry = {
        "title": "Hot",
        "state": " bad ",
        "id": 7,
        "run": "r1",
        "level": 1,
        "tags": ["a:b", "bare", {"tag": "c", "value": 3}],
        "text": "it is hot",
        "url": "https://x.example/7",
        "load": "2.5",
        "limit": 3,
        "since": "1778485212",
        "at": 1778485213000,
    }

    (alert,) = parse({"list": [entry], "org": "acme", "common": {"env": "prod", "t_a": "no"}}, by).alerts

    assert alert == Alert(
        scope="any",
        source="mapped",
        name="Hot",
        labels={
            "alertname": "Hot",
            "team": "payments",
            "zone": "none",
            "t_a": "b",
            "t_bare": "true",
            "t_c": "3",
            "env": "prod",
        },
        annotations={"summary": "it is hot"},
        alert_key=alert.alert_key,
        received_at=NOW,
        status="firing",
        severity="critical",
        severity_raw="critical",
        starts_at=datetime(2026, 5, 11, 7, 40, 12, tzinfo=UTC),
        observed_at=datetime(2026, 5, 11, 7, 40, 13, tzinfo=UTC),
        fingerprint=alert.fingerprint,
        cycle="r1",
        delivery_id=alert.delivery_id,
        values={"load": 2.5, "limit": 3.0},
        links=Links(source="https://x.example/7"),
    )


@pytest.mark.parametrize(
    ("body", "fields", "reason"),
    [
        pytest.param({"name": ""}, {}, "nothing stands at /name, and it is needed as name", id="no name"),
        pytest.param({"status": None}, {}, "nothing stands at /status, and it is needed as status", id="no status"),
        pytest.param(
            {},
            {"identity": [["/id", "body:/uid"]]},
            "nothing stands at /id or body:/uid, and it is needed as identity",
            id="no identity in any place",
        ),
        pytest.param(
            {},
            {"labels": {"team": {"from": "/a~1b/~0c", "required": True}}},
            "nothing stands at /a~1b/~0c, and it is needed as label team",
            id="no label that is required",
        ),
        pytest.param(
            {"name": ["Hot"]},
            {},
            "/name holds a list, and a text, a number or a truth is wanted as name",
            id="a list as a name",
        ),
        pytest.param(
            {"team": {"id": 1}},
            {"labels": {"team": "/team"}},
            "/team holds an object, and a text, a number or a truth is wanted as label team",
            id="an object as a label",
        ),
        pytest.param(
            {"tags": "a,b"},
            {"labelMaps": [{"from": "/tags"}]},
            "/tags holds neither a map nor a list of tags, and labels are wanted from it",
            id="tags as a text",
        ),
        pytest.param(
            {"tags": [["a"]]},
            {"labelMaps": [{"from": "/tags"}]},
            "a tag at /tags is neither a text nor a name with a value",
            id="a tag that is none",
        ),
        pytest.param(
            {"tags": ["a"] * 257},
            {"labelMaps": [{"from": "/tags"}]},
            "more than 256 tags at /tags",
            id="too many tags",
        ),
        pytest.param(
            {"map": {f"k{number}": number for number in range(257)}},
            {"labelMaps": [{"from": "/map"}]},
            "more than 256 labels at /map",
            id="a map without end",
        ),
        pytest.param(
            {"v": 2},
            {"expect": {"/v": [1, "one"]}},
            'what stands at /v is not what the mapping "plain" expects: 1 or one',
            id="another body",
        ),
        pytest.param(
            {"run": "r" * 257},
            {"cycle": "/run"},
            "what stands at /run is longer than 256 characters",
            id="a cycle of any length",
        ),
        pytest.param(
            {"deep": {"x": [1]}},
            {"labelMaps": [{"from": "/deep"}]},
            "a label value is an array or an object; only text, numbers and booleans are values",
            id="a map of lists",
        ),
    ],
)
def test_what_misses_something_is_refused_with_the_place(
    body: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    """The reason names where to look, and never what stands there."""
    assert reason == refusal(body, **fields)


SMALL = [{"name": f"A{number}", "status": "firing"} for number in range(2000)]
TOO_MUCH = (
    "too_large: the alerts of the body say more than 1048576 characters together, many times what the body holds (the "
    'mapping "plain" makes each of them say what stands once in it)'
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shared", "fields"),
    [
        pytest.param("x" * 200_000, {"annotations": {"summary": "body:/shared"}}, id="an annotation"),
        pytest.param("x" * 200_000, {"links": {"source": "body:/shared"}}, id="a link"),
        pytest.param("x" * 200_000, {"labels": {"part": "body:/shared"}}, id="a label"),
        pytest.param("x" * 200_000, {"identity": ["/name", "body:/shared"]}, id="an identity"),
        pytest.param({"a": "x" * 4000}, {"labelMaps": [{"from": "body:/shared"}]}, id="a map of labels"),
        pytest.param([f"tag:{'x' * 4000}"], {"labelMaps": [{"from": "body:/shared"}]}, id="a list of tags"),
    ],
)
def test_what_stands_once_is_not_said_by_each_alert_without_end(shared: object, fields: dict[str, Any]) -> None:
    """Twenty bytes an alert would otherwise cost megabytes each, in the journal too."""
    raw = json.dumps({"shared": shared, "alerts": SMALL}).encode()
    few = SourceSettings(mapping=mapping(alerts="/alerts", **fields), max_decoded_bytes=1_048_576)

    with pytest.raises(InvalidAlert) as refused:
        mapped.SOURCE.parse(Request("any", "mapped", {}, raw, NOW), few)

    assert TOO_MUCH == str(refused.value)


@pytest.mark.parametrize("place", ["expect", "ignore", "status"])
def test_a_long_text_of_the_whole_body_is_compared_once_and_not_by_every_alert(place: str) -> None:
    """What is longer than any word is none, whatever it says."""
    fields = {"status": {"from": "body:/shared", "words": {"x": "firing"}}} if place == "status" else {}
    more = {place: {"body:/shared": "x"}} if place != "status" else {}
    body = {"shared": "X" * 4_000_000, "alerts": SMALL}

    began = process_time()
    parsed = parse(body, mapping(alerts="/alerts", **fields, **more))

    assert (0 if place == "expect" else 2000) == len(parsed.alerts)
    assert process_time() - began < 4


def test_a_status_that_the_mapping_has_no_word_for_is_told_of() -> None:
    """A sender that changes a word would otherwise be silent from then on."""
    by = mapping(status={"from": "/status", "words": {"open": "firing"}})

    parsed = parse([{"name": "A", "status": "opened"}, {"name": "B", "status": "open"}], by)

    assert (["unknown", "firing"], ("unknown_status",)) == ([alert.status for alert in parsed.alerts], parsed.warnings)


def test_one_bad_alert_leaves_the_others() -> None:
    """The batch goes on."""
    entries = [{"name": "A", "status": "firing"}, 7, {"name": "B"}, {"name": "C", "status": "resolved"}]

    parsed = parse(entries, mapping())

    assert ["A", "C"] == [alert.name for alert in parsed.alerts]
    assert [
        (1, "an alert is not an object"),
        (2, "nothing stands at /status, and it is needed as status"),
    ] == [(each.index, each.reason) for each in parsed.rejected]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("firing", "firing", id="fires"),
        pytest.param("RESOLVED", "resolved", id="in capitals"),
        pytest.param("ignore", "unknown", id="no sender says so by itself"),
        pytest.param("suppressed", "unknown", id="nor so"),
        pytest.param(True, "unknown", id="a truth"),
    ],
)
def test_a_status_without_words_is_one_of_two(written: object, expected: str) -> None:
    """Everything else is unknown, and that starts nothing."""
    assert expected == only({"status": written}).status


@pytest.mark.parametrize(
    ("times", "written", "expected"),
    [
        pytest.param("auto", "2026-05-11T09:40:12+02:00", "07:40:12.000000", id="with a zone"),
        pytest.param("auto", 1778485212, "07:40:12.000000", id="seconds by their size"),
        pytest.param("auto", 1778485212318, "07:40:12.318000", id="milliseconds by their size"),
        pytest.param("auto", "1778485212318", "07:40:12.318000", id="as a text"),
        pytest.param("seconds", "1778485212.5", "07:40:12.500000", id="half a second"),
        pytest.param("milliseconds", 1778485212318, "07:40:12.318000", id="milliseconds"),
        pytest.param("microseconds", 1778485212318001, "07:40:12.318001", id="microseconds"),
        pytest.param("nanoseconds", 1778485212318000000, "07:40:12.318000", id="nanoseconds"),
        pytest.param("utc", "2026-05-11 07:40:12.3", "07:40:12.300000", id="without a zone"),
        pytest.param("utc", "2026-05-11T09:40:12+02:00", "07:40:12.000000", id="its own zone"),
        pytest.param("rfc1123", "Mon, 11 May 2026 07:40:12 GMT", "07:40:12.000000", id="a date of mail"),
        pytest.param("rfc1123", "11 May 2026 09:40:12 +0200", "07:40:12.000000", id="a date of mail with a zone"),
        pytest.param("auto", "2026-05-11 07:40:12", "bad_timestamp", id="no zone, and none is said"),
        pytest.param("auto", True, "bad_timestamp", id="a truth"),
        pytest.param("auto", {"at": 1}, "bad_timestamp", id="an object"),
        pytest.param("seconds", 10**15, "bad_timestamp", id="after all time"),
        pytest.param("seconds", "now", "bad_timestamp", id="a word"),
        pytest.param("utc", "yesterday", "bad_timestamp", id="another word"),
        pytest.param("utc", 5, "bad_timestamp", id="a number where a date is"),
        pytest.param("rfc1123", "Mon, 11 Foo 2026 07:40:12 GMT", "bad_timestamp", id="a month of nowhere"),
        pytest.param("rfc1123", "Mon, 99 May 2026 07:40:12 GMT", "bad_timestamp", id="a day of nowhere"),
        pytest.param("seconds", 0, "missing_starts_at", id="zero is none"),
        pytest.param("seconds", "", "missing_starts_at", id="nothing"),
    ],
)
def test_a_time_is_read_as_it_is_written(times: str, written: object, expected: str) -> None:
    """What is no instant is left out, with a warning."""
    alert = only({"at": written}, startsAt="/at", times=times)

    told = f"{alert.starts_at:%H:%M:%S.%f}" if alert.starts_at is not None else alert.warnings[0]
    assert expected == told


def test_an_end_counts_when_it_is_over() -> None:
    """Some senders give it while an alert fires: when they will look again."""
    firing, resolved = (only({"status": status, "end": 1778485800}, endsAt="/end") for status in ("firing", "resolved"))

    assert (None, datetime(2026, 5, 11, 7, 50, tzinfo=UTC)) == (firing.ends_at, resolved.ends_at)


def test_prose_decides_nothing() -> None:
    """A text for people that is none is left out; one that is required is not."""
    alert = only({"text": [1], "url": {}}, annotations={"summary": "/text"}, links={"source": "/url"})

    assert ({}, Links()) == (alert.annotations, alert.links)
    assert ("annotation_dropped", "link_dropped", "missing_starts_at") == alert.warnings
    assert "/text holds a list, and a text, a number or a truth is wanted as summary" == refusal(
        {"text": [1]}, annotations={"summary": {"from": "/text", "required": True}}
    )


@pytest.mark.parametrize(
    ("body", "by", "message"),
    [
        pytest.param(
            {}, None, "schema: the scope has no mapping (write mapping: NAME beside source: mapped)", id="none"
        ),
        pytest.param(
            "text",
            mapping(),
            'schema: the mapping "plain" finds neither an alert nor a list of alerts in the body',
            id="a text",
        ),
        pytest.param(
            {"a": {"b": None}},
            mapping(alerts="/a/b"),
            'schema: the mapping "plain" finds neither an alert nor a list of alerts at /a/b of the body',
            id="null",
        ),
        pytest.param([{}] * 3, mapping(), "too_large: 3 alerts in one body, at most 2 are taken", id="too many"),
    ],
)
def test_another_body_is_refused_whole(body: object, by: AlertMapping | None, message: str) -> None:
    """The sentence says where the mapping looked."""
    with pytest.raises(InvalidAlert) as refused:
        parse(body, by, max_alerts=2)

    assert message == str(refused.value)


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        pytest.param("", {"": 1, "a": {"b/c": [10, 11], "~": 2, "0": 3}}, id="everything"),
        pytest.param("/", 1, id="an empty key"),
        pytest.param("/a/b~1c/1", 11, id="a slash in a key, and an index"),
        pytest.param("/a/~0", 2, id="a tilde"),
        pytest.param("/a/0", 3, id="a key of digits"),
        pytest.param("/a/b~1c/2", None, id="behind the end"),
        pytest.param("/a/b~1c/01", None, id="no index"),
        pytest.param("/a/b~1c/-1", None, id="from the end"),
        pytest.param("/a/b~1c/-", None, id="behind the last"),
        pytest.param("/a/b~1c/1/x", None, id="inside a number"),
        pytest.param("/a/__class__", None, id="no attributes"),
    ],
)
def test_a_pointer_finds_one_value_or_none(pointer: str, found: object) -> None:
    """As RFC 6901 has it."""
    body = {"": 1, "a": {"b/c": [10, 11], "~": 2, "0": 3}}

    assert found == parse_pointer(pointer).find(body, None)
    assert found == parse_pointer(f"body:{pointer}").find(None, body)
    assert pointer == str(parse_pointer(pointer))


@pytest.mark.parametrize("text", ["a", "a/b", "/~", "/~2", "body:a", "#/a", "body/a", "/a\n~"])
def test_a_text_that_is_no_pointer_is_refused(text: str) -> None:
    """No fragment, no relative one, no broken escape."""
    with pytest.raises(InvalidPointer) as refused:
        parse_pointer(text)

    assert f'"{text}" is no JSON Pointer' == str(refused.value)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(JSON, st.lists(JSON, max_size=4))
def test_whatever_is_sent_is_read_or_refused(anything: Any, entries: list[Any]) -> None:
    """No JSON raises anything else, and nothing is lost: an alert is read, refused, or ignored."""
    for by in shipped().values():
        with suppress(InvalidAlert):
            parse(anything, by)
    everything = mapping(
        identity="/0", labels={"a": "/a"}, labelMaps=[{"from": ""}], severity="/b", startsAt="/c", values={"v": "/d"}
    )
    for by in (mapping(), everything):
        parsed = parse(entries, by)
        assert len(entries) == len(parsed.alerts) + len(parsed.rejected)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "tags"]), JSON, max_size=5),
    st.sampled_from(["auto", "seconds", "utc", "rfc1123", "nanoseconds"]),
)
def test_any_value_in_any_place_is_read_or_refused(told: dict[str, Any], times: str) -> None:
    """Every form of a field meets every form of a value."""
    by = mapping(
        identity=["/a"],
        cycle={"from": "/b", "otherwise": "none"},
        severity="/c",
        labels={"d": ["/d", "/tags/0"]},
        labelMaps=[{"from": "/tags", "prefix": "t."}],
        annotations={"b": "/b"},
        links={"source": "/c"},
        values={"d": "/d"},
        startsAt=["/a", "/b"],
        observedAt="/c",
        times=times,
    )

    parsed = parse({"name": "Hot", "status": "firing"} | told, by)

    assert 1 == len(parsed.alerts) + len(parsed.rejected)
    assert all(alert.labels["alertname"] == "Hot" for alert in parsed.alerts)
