"""The API as an OpenAPI document: every route, who may use it, what it takes and what it answers.

The bodies are described by the very structs that read them, so the document cannot promise what the code refuses.
A test holds the table against the routes of the application.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
from flask import Blueprint, Response

from runbook_engine.entrypoints.approvals import LONGEST_REASON
from runbook_engine.entrypoints.links import FIELDS as LINK_FIELDS
from runbook_engine.entrypoints.server.answers import answer
from runbook_engine.entrypoints.server.deeds import (
    ApproveWish,
    DenyWish,
    EndWish,
    PauseWish,
    ReasonWish,
    TakeoverWish,
)
from runbook_engine.model.incident import ExecutionReport, IncidentReport

VERSION = "3.1.0"
Role = Literal["ingest", "read", "operate", ""]
Schema = Mapping[str, Any]

OBJECT: Schema = {"type": "object"}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
RECEIPT: Schema = {
    "type": "object",
    "required": ["decided", "delivery", "accepted", "rejected", "executions", "incidents", "warnings", "changes"],
    "properties": {
        "decided": {"type": "boolean", "description": "false: it is stored, and what it means is decided in its turn"},
        "delivery": {"type": ["integer", "null"], "description": "the number under which it waits"},
        "accepted": {"type": "integer", "minimum": 0},
        "rejected": {"type": "array", "items": {"type": "object", "required": ["index", "reason"]}},
        "executions": {"type": "array", "items": {"type": "string"}},
        "incidents": {"type": "array", "items": {"type": "string"}},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "changes": {"type": "integer", "minimum": 0},
    },
}
DONE: Schema = {
    "type": "object",
    "required": ["done", "execution", "by"],
    "properties": {
        "done": {"type": "string"},
        "execution": {"type": ["string", "null"]},
        "incident": {"type": ["string", "null"]},
        "by": {"type": "string"},
    },
}
RELEASE: Schema = {
    "type": "object",
    "required": ["runs", "targets", "first", "at_a_time", "within_seconds", "last_after_seconds", "late"],
    "properties": {
        "runs": {"type": "integer", "minimum": 0},
        "targets": {"type": "integer", "minimum": 0},
        "first": {"type": "array", "items": {"type": "object", "required": ["execution", "runbook", "target"]}},
        "at_a_time": {"type": "integer", "minimum": 1},
        "within_seconds": {"type": "number"},
        "last_after_seconds": {"type": "number"},
        "late": {"type": "integer", "minimum": 0},
    },
}
RELEASED: Schema = {
    **DONE,
    "required": [*DONE["required"], "release"],
    "properties": {**DONE["properties"], "release": RELEASE},
}
FORM: Schema = {
    "type": "object",
    "required": ["answer"],
    "properties": {
        "answer": {"type": "string", "enum": ["approve", "deny"]},
        "reason": {"type": "string", "maxLength": LONGEST_REASON},
        "token": {"type": "string", "description": "of a member, where the team that must answer names its members"},
    },
}
LINK: Mapping[str, Schema] = {name: {"type": "string"} for name in LINK_FIELDS}
PAGE: Schema = {"type": "string"}
HTML = "text/html"
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
SWITCH: Schema = {"type": "boolean", "default": False}
REFUSALS: Mapping[int, str] = {
    400: "It cannot be used as it is; sending it again is pointless.",
    401: "No valid credential for this.",
    403: "The credential has not this right.",
    404: "There is no such thing.",
    409: "Nothing is asked now, or something else is.",
    413: "It is too large.",
    415: "It is not JSON.",
    503: "Not taken: send it again after Retry-After seconds.",
}
TAKING = (400, 401, 413, 415, 503)
LOOKING = (400, 401, 403, 503)
ACTING = (400, 401, 403, 404, 409, 413, 415, 503)
VISITING = (401, 404, 409, 503)


class Operation(NamedTuple):
    """One thing to ask of the server."""

    method: Literal["get", "post", "put"]
    path: str
    role: Role
    summary: str
    status: int
    answers: Schema
    refusals: tuple[int, ...] = ()
    takes: type[msgspec.Struct] | None = None
    query: Mapping[str, Schema] = {}  # one without a default must be given
    content_type: str = "application/json"
    form: Schema | None = None


def _list(name: str) -> Schema:
    return {"type": "object", "required": [name], "properties": {name: {"type": "array", "items": OBJECT}}}


def _ref(kind: type) -> Schema:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


OPERATIONS: tuple[Operation, ...] = (
    Operation("post", "/hooks/{scope}", "ingest", "Deliver alerts or changes", 202, RECEIPT, TAKING),
    Operation("put", "/hooks/{scope}", "ingest", "Deliver alerts, for senders that put", 202, RECEIPT, TAKING),
    Operation(
        "get",
        "/api/incidents",
        "read",
        "List incidents",
        200,
        _list("incidents"),
        LOOKING,
        query={"limit": LIMIT, "open": SWITCH},
    ),
    Operation(
        "get", "/api/incidents/{incident_id}", "read", "Show an incident", 200, _ref(IncidentReport), (*LOOKING, 404)
    ),
    Operation(
        "get",
        "/api/executions",
        "read",
        "List executions",
        200,
        _list("executions"),
        LOOKING,
        query={"limit": LIMIT, "active": SWITCH},
    ),
    Operation(
        "get",
        "/api/executions/{execution_id}",
        "read",
        "Show an execution",
        200,
        _ref(ExecutionReport),
        (*LOOKING, 404),
    ),
    Operation("get", "/api/pause", "read", "Show the pause in force", 200, OBJECT, LOOKING),
    Operation(
        "post",
        "/api/executions/{execution_id}/approve",
        "operate",
        "Say yes to exactly what is asked",
        202,
        DONE,
        ACTING,
        ApproveWish,
    ),
    Operation(
        "post", "/api/executions/{execution_id}/deny", "operate", "Say no to what is asked", 202, DONE, ACTING, DenyWish
    ),
    Operation(
        "post",
        "/api/executions/{execution_id}/cancel",
        "operate",
        "Stop a run; keep or undo what it changed",
        202,
        DONE,
        ACTING,
        EndWish,
    ),
    Operation(
        "post",
        "/api/executions/{execution_id}/takeover",
        "operate",
        "Take a run into a person's hands",
        202,
        DONE,
        ACTING,
        TakeoverWish,
    ),
    Operation(
        "post",
        "/api/executions/{execution_id}/release",
        "operate",
        "Let other runs change again what a person has taken over",
        202,
        DONE,
        ACTING,
        ReasonWish,
    ),
    Operation(
        "post",
        "/api/incidents/{incident_id}/acknowledge",
        "operate",
        "Say that a person is on it",
        202,
        DONE,
        (401, 403, 404, 503),
    ),
    Operation(
        "post",
        "/api/incidents/{incident_id}/close",
        "operate",
        "Say that an incident is over",
        202,
        DONE,
        ACTING,
        ReasonWish,
    ),
    Operation("get", "/api/storm", "read", "Show whether a storm holds every change", 200, OBJECT, LOOKING),
    Operation(
        "post",
        "/api/storm/release",
        "operate",
        "Let changes go on after a storm, a few at a time",
        202,
        RELEASED,
        ACTING,
        ReasonWish,
    ),
    Operation("get", "/api/standing", "read", "Show how far each runbook is trusted", 200, _list("runbooks"), LOOKING),
    Operation("post", "/api/pause", "operate", "Throw the kill switch", 202, DONE, ACTING, PauseWish),
    Operation("post", "/api/resume", "operate", "Lift the kill switch", 202, DONE, (401, 403, 503)),
    Operation(
        "get",
        "/approvals/{execution_id}",
        "",
        "Show the question of a signed link, which is what lets one in; only where links are set up",
        200,
        PAGE,
        VISITING,
        query=LINK,
        content_type=HTML,
    ),
    Operation(
        "post",
        "/approvals/{execution_id}",
        "",
        "Answer the question of a signed link, by the form of its page",
        200,
        PAGE,
        (400, *VISITING, 403, 413),
        query=LINK,
        content_type=HTML,
        form=FORM,
    ),
    Operation("get", "/healthz", "", "Is this process up", 200, OBJECT),
    Operation("get", "/readyz", "", "Can it do its work", 200, OBJECT, (503,)),
    Operation("get", "/metrics", "", "Numbers for Prometheus", 200, {"type": "string"}, content_type="text/plain"),
    Operation("get", "/openapi.json", "", "This document", 200, OBJECT),
)


def openapi_routes() -> Blueprint:
    """Return the route that serves the document; it says nothing that needs a credential."""
    routes = Blueprint("openapi", __name__)

    @cache
    def document() -> dict[str, Any]:  # made once, when somebody asks: anybody may ask as often as they like
        return openapi_document()

    @routes.get("/openapi.json")
    def describe() -> Response:
        return answer(document())

    return routes


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of the runner."""
    kinds = {each.takes for each in OPERATIONS if each.takes is not None} | {IncidentReport, ExecutionReport}
    named = sorted(kinds, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(named, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": VERSION,
        "info": {"title": "runbook-engine", "version": "v1", "summary": "Alert-driven remediation"},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    content = {operation.content_type: {"schema": operation.answers}}
    described: dict[str, Any] = {
        "operationId": f"{operation.method} {operation.path}",
        "summary": operation.summary + (f" (role {operation.role})" if operation.role else ""),
        "security": [{"bearer": []}] if operation.role else [],
        "parameters": list(_parameters(operation)),
        "responses": {str(operation.status): {"description": operation.summary, "content": content}},
    }
    for status in operation.refusals:
        described["responses"][str(status)] = _refusal(operation, status)
    if operation.takes is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(operation.takes)}},
        }
    elif operation.form is not None:
        posted = {"application/x-www-form-urlencoded": {"schema": operation.form}}
        described["requestBody"] = {"required": True, "content": posted}
    elif operation.role == "ingest":
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": OBJECT}}}
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            yield {"name": part.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
    for name, schema in operation.query.items():
        yield {"name": name, "in": "query", "required": "default" not in schema, "schema": schema}


def _refusal(operation: Operation, status: int) -> dict[str, Any]:
    """Return what a refusal looks like: one that is not ready says its reasons instead, that of a page is a page."""
    schema = OBJECT if operation.path == "/readyz" else {"$ref": "#/components/schemas/Error"}
    page = {HTML: {"schema": PAGE}} if operation.content_type == HTML else {}
    return {"description": REFUSALS[status], "content": {**page, "application/json": {"schema": schema}}}
