"""Every sender's real payloads, made strange: read, or refused with a reason; never a crash, never without bound."""

from __future__ import annotations

import json
import os
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_engine.documents.mapping import MappingDocument
from runbook_engine.errors import InvalidAlert
from runbook_engine.loading.compile_mapping import compile_mapping
from runbook_engine.model.alert import Alert
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.mapping import AlertMapping
from runbook_engine.registry import Registry
from runbook_engine.sources.envelope import unwrap
from tests.docs.pages import ROOT, blocks_of
from tests.hostile.mutation import mutated, samples

EXAMPLES = 3000 if os.environ.get("RUNBOOK_TESTS") == "long" else 60
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCES = Registry().sources
PREFIXES = {"deployments": "deployment"}
MAPPINGS = {
    f"mapped-{name}": compile_mapping(name, MappingDocument.model_validate(document))
    for block in blocks_of(ROOT / "docs" / "senders.md")
    if block.settings.get("file") == "mapped.yaml"
    for name, document in yaml.safe_load(block.text)["mappings"].items()
}
ANY_LIST = compile_mapping(
    "any", MappingDocument.model_validate({"alerts": "/alerts", "name": "/labels/a", "status": "/status"})
)
PAYLOADS = {
    f"{source}: {name}": (source, payload, MAPPINGS.get(name))
    for source in SOURCES
    for name, payload in samples(PREFIXES.get(source, source))
    if isinstance(payload, dict)
}
ENVELOPES = dict(samples("envelope") + samples("cloudwatch") + samples("deployment"))
STATUSES = {"firing", "resolved", "nodata", "suppressed", "unknown"}
often = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


def parse(source: str, body: bytes, mapping: AlertMapping | None = None) -> Parsed | InvalidAlert:
    """Read a body as a source does."""
    headers = {"content-type": "application/json", "x-github-event": "deployment_status"}
    request = Request(scope="lab", source=source, headers=headers, body=body, received_at=NOW)
    try:
        return SOURCES[source].parse(request, SourceSettings(mapping=mapping or ANY_LIST))
    except InvalidAlert as error:
        return error


def demand_sound(alert: Alert) -> None:
    """Raise unless an alert is one that everything behind the front door may rely on."""
    assert alert.status in STATUSES
    assert len(alert.alert_key) == 64
    assert all(isinstance(part, str) for pair in alert.labels.items() for part in pair)
    assert alert.received_at == NOW
    assert alert.starts_at is None or alert.starts_at.tzinfo is not None
    assert alert.ends_at is None or alert.ends_at.tzinfo is not None


@pytest.mark.parametrize(("source", "payload", "mapping"), PAYLOADS.values(), ids=PAYLOADS)
@often
@given(data=st.data())
def test_payload_is_read_or_refused_when_something_in_it_is_strange(
    source: str, payload: Any, mapping: AlertMapping | None, data: st.DataObject
) -> None:
    """No other exception exists; a refusal has a code and a sentence, and an alert is a sound one."""
    answer = parse(source, json.dumps(data.draw(mutated(payload))).encode(), mapping)

    if isinstance(answer, InvalidAlert):
        assert answer.code
        assert answer.message
    else:
        assert all(rejected.reason for rejected in answer.rejected)
        for alert in answer.alerts:
            demand_sound(alert)


@pytest.mark.parametrize("source", SOURCES)
@often
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_bytes_are_refused_or_mean_nothing_when_they_are_arbitrary(source: str, body: bytes) -> None:
    """Whatever somebody posts, the source has an answer."""
    answer = parse(source, body)

    assert isinstance(answer, InvalidAlert) or not answer.alerts


@pytest.mark.parametrize("event", ENVELOPES.values(), ids=ENVELOPES)
@often
@given(data=st.data())
def test_event_is_unwrapped_or_refused_when_something_in_it_is_strange(event: Any, data: st.DataObject) -> None:
    """As deep as the bodies that it holds."""
    strange = data.draw(mutated(event))

    said = [True]
    try:
        said += [isinstance(delivery.read(), bytes) for delivery in unwrap(strange).deliveries]
    except InvalidAlert as error:
        said.append(bool(error.message))

    assert all(said)


@pytest.mark.parametrize("source", [name for name, spec in SOURCES.items() if spec.posted])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="a hundred thousand lists in each other"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="a hundred thousand objects in each other"),
        pytest.param(b'{"version":"4","alerts":[{"labels":{"a":' + b"9" * 5000 + b"}}]}", id="5,000 digits"),
        pytest.param(b'{"alerts":[' + b"{}," * 200_000 + b"{}]}", id="two hundred thousand alerts"),
        pytest.param(b'{"alerts":[],"alerts":[]}', id="a key twice"),
        pytest.param(b'{"version":1e999}', id="a number beyond all numbers"),
        pytest.param(b'"' + b"\\ud800" * 1000 + b'"', id="halves of characters"),
    ],
)
def test_body_is_refused_within_its_own_size_when_it_is_meant_to_exhaust(source: str, body: bytes) -> None:
    """The memory that reading takes is a small multiple of what was sent."""
    tracemalloc.start()
    try:
        answer = parse(source, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(answer, InvalidAlert)
    assert peak < 40 * len(body) + 1_000_000
