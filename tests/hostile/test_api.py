"""The whole API under generated requests: every answer is one that the OpenAPI document promises."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.links import Invitation, approval_links
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.server.openapi import OPERATIONS, Operation, openapi_document
from runbook_engine.entrypoints.server.web.answers import NAME as WEB
from runbook_engine.entrypoints.server.web.routes import WebHost
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, simulated_engine, webhook

EXAMPLES = 300 if os.environ.get("RUNBOOK_TESTS") == "long" else 12
LINKS = approval_links("https://runbooks.example/approvals", "k" * 32)
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def make_app(folder: Path) -> Flask:
    """A runner whose executions ask first."""
    bundle = bundle_in(folder, config=CONFIG + TOKENS, mode="approve")
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated, journal=MemoryJournal())
    beat_file = folder / "beat.json"
    write_heartbeat(beat_file, Heartbeat(at=simulated.clock.now(), pid=1, owner="w1"))
    return create_app(
        engine,
        keyring=load_keyring(bundle.configuration, Settings(environment=SECRETS).secret),
        pause=(simulated.pauses, simulated.pauses),
        clock=simulated.clock,
        metrics=Metrics(),
        log=EventLog(io.StringIO()),
        beat_file=beat_file,
        links=lambda: LINKS,
        web=WebHost(key=b"k" * 32),
    )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> tuple[BaseSchema, Mapping[str, str]]:
    """The API as a client finds it, and names of what is there; the query of a link that was genuine once."""
    app = make_app(tmp_path_factory.mktemp("api"))
    sender = {"Authorization": f"Bearer {SECRETS['SENDER_OLD']}", "Prefer": "wait"}
    receipt = (
        app.test_client().post("/hooks/lab", data=webhook(), headers=sender, content_type="application/json").get_json()
    )
    known = {"scope": "lab", "execution_id": receipt["executions"][0], "incident_id": receipt["incidents"][0]}
    link = LINKS.url(Invitation(known["execution_id"], "0" * 64, datetime(2100, 1, 1, tzinfo=UTC), "chat"))
    known |= dict(parse_qsl(urlsplit(link).query))
    return schemathesis.openapi.from_wsgi("/openapi.json", app), known


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_every_answer_is_a_promised_one_when_requests_are_generated(
    api: tuple[BaseSchema, Mapping[str, str]], operation: Operation, data: st.DataObject
) -> None:
    """With the rights of a sender, a reader and an operator; 503 is the only word for our own troubles."""
    schema, known = api
    case = data.draw(schema[operation.path][operation.method].as_strategy(generation_mode=data.draw(MODES)))
    for name in set(case.path_parameters or {}) & set(known):
        case.path_parameters[name] = data.draw(st.sampled_from([known[name], case.path_parameters[name]]))
    if operation.path.startswith("/approvals/") and data.draw(st.booleans()):
        case.path_parameters["execution_id"] = known["execution_id"]
        case.query = {name: known[name] for name in ("for", "hash", "until", "sig")}
    token = SECRETS["SENDER_OLD"] if operation.role == "ingest" else SECRETS["ANN"]

    case.call_and_validate(checks=list(CHECKS), headers={"Authorization": f"Bearer {token}"})


def test_document_names_every_route_when_it_is_compared_with_the_application(tmp_path: Path) -> None:
    """And no other. Pages for people are no operations: programs have nothing to do there."""
    app = make_app(tmp_path)
    served = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS") and not rule.endpoint.startswith(f"{WEB}.")
    }

    described = {(method, path) for path, found in openapi_document()["paths"].items() for method in found}

    assert described == served
