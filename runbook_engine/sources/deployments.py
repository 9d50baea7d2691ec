"""Deployments and other changes that somebody made: what an incident most often begins with.

They are kept for "what changed?" and start nothing. Whoever deploys may tell it in our own small event, posted or over
EventBridge; services of AWS tell it over EventBridge; GitHub posts `deployment_status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import IGNORED, Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.sources.aws_changes import read_change
from runbook_engine.sources.body import read_body
from runbook_engine.sources.bus_event import REPLAYED, BusEvent, demand_platform, read_bus_event
from runbook_engine.sources.changes import changed, short
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import map_of, text_of

SCHEMA = "rb.change.v1"
OUR_SOURCE, OUR_DETAIL_TYPE = "runbook-engine.deploys", "Deployment"
GITHUB_EVENT = "x-github-event"
KEYS = frozenset(("schema", "at", "who", "what", "target", "revision", "service"))
TARGET_KEYS = frozenset(("kind", "place", "namespace", "name"))
EXPECTED = (
    f'the body is no change that is known: a "deployment_status" of GitHub or our own event with "schema": "{SCHEMA}" '
    "is expected (see docs/senders.md)"
)

NO_DEPLOYMENT = (
    'the body is no "deployment_status" of GitHub: its "repository", "deployment" and "deployment_status" are '
    "expected, with environment, ids and state"
)

Change = tuple[Target, ChangeEvent]


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the changes of one delivery; raise InvalidAlert when it tells of none that is known."""
    values = decode_json(read_body(request, settings))
    if not isinstance(values, dict):
        raise InvalidAlert("schema", EXPECTED)
    try:
        if event := read_bus_event(values):
            demand_platform(request, "events of EventBridge")
            return _from_bus(event, request.received_at)
        if request.headers.get(GITHUB_EVENT):
            return _from_github(request.headers[GITHUB_EVENT], values, request.received_at)
        return Parsed(changes=(_own(values, None, request.received_at),))
    except RefusedAlert as error:
        return Parsed(rejected=(Rejected(0, str(error)),))


def _from_bus(event: BusEvent, now: datetime) -> Parsed:
    warnings = (REPLAYED,) if event.replayed else ()
    if (event.source, event.detail_type) == (OUR_SOURCE, OUR_DETAIL_TYPE):
        return Parsed(changes=(_own(event.detail, event.time, now),), warnings=warnings)
    change = read_change(event, now)
    return Parsed(warnings=(IGNORED,)) if change is None else Parsed(changes=(change,), warnings=warnings)


def _own(values: Mapping[str, Any], sent_at: str | None, now: datetime) -> Change:
    if values.get("schema") != SCHEMA:
        raise InvalidAlert("schema", EXPECTED)
    _refuse_unknown(values, KEYS, "the event")
    told = map_of(values.get("target"))
    _refuse_unknown(told, TARGET_KEYS, "the target")
    who, what = (text_of(values.get(key)) for key in ("who", "what"))
    if not who or not what:
        raise RefusedAlert('"who" and "what" say who changed what: both are texts, and neither is empty')
    revision = values.get("revision")
    more = [text_of(values.get("service")), f"revision {revision}" if isinstance(revision, str | int) else ""]
    noted = ", ".join(short(each) for each in more if each)
    target = Target(*(text_of(told.get(key)) for key in ("kind", "place", "namespace", "name")))
    text = f"{short(what, 300)} ({noted})" if noted else what
    return changed(target, at=values.get("at") or sent_at, who=who, what=text, now=now)


def _refuse_unknown(values: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    if not known.issuperset(values):
        raise RefusedAlert(f"{where} has an unknown key; known are {', '.join(sorted(known))}")


def _from_github(name: str, values: Mapping[str, Any], now: datetime) -> Parsed:
    """GitHub also pings, and sends whatever else the webhook is subscribed to: that is no change of ours."""
    if name != "deployment_status":
        return Parsed(warnings=(IGNORED,))
    status, deployment = map_of(values.get("deployment_status")), map_of(values.get("deployment"))
    repository = text_of(map_of(values.get("repository")).get("full_name"))
    environment = text_of(deployment.get("environment")).strip()
    commit, ref, state = (
        text_of(deployment.get("sha"))[:12],
        text_of(deployment.get("ref")),
        text_of(status.get("state")),
    )
    who = text_of(map_of(status.get("creator")).get("login")) or text_of(map_of(values.get("sender")).get("login"))
    numbers = [_number_of(each) for each in (deployment, status)]
    if not all((repository, environment, state, *numbers)):
        raise InvalidAlert("schema", NO_DEPLOYMENT)
    what = f"deployment {numbers[0]} of {ref} ({commit}) to {environment}: {state} (status {numbers[1]})"
    target = Target("environment", "github", "", f"{repository}/{environment}".replace(" ", "-"))
    return Parsed(changes=(changed(target, at=status.get("created_at"), who=who, what=what, now=now),))


def _number_of(told: Mapping[str, Any]) -> str:
    number = told.get("id")
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else ""


SOURCE = SourceSpec(
    name="deployments",
    parse=parse,
    notes=(
        SenderNote(
            sender="GitHub `deployment_status`, [our own event](#changes)",
            proves="`presentedAs: github` (a signature), or a bearer token",
            retries="nothing; a person may deliver it again",
            example="deployment-github.json",
        ),
        SenderNote(
            sender="CodePipeline, CodeDeploy, ECS, our own event over EventBridge",
            comes="through AWS",
            proves="its origin (`from`)",
            retries="for a day, until it is taken",
            example="deployment-codepipeline.json",
        ),
    ),
)
