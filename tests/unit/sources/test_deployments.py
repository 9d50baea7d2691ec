"""Deployments: who changed what and when, whoever tells it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.errors import InvalidAlert, RunbookError
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.sources import deployments

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
NOW = datetime(2026, 5, 11, 7, 41, tzinfo=UTC)
PLACE = "210987654321/eu-west-1"
GITHUB = {"x-github-event": "deployment_status"}


def sent(name: str) -> dict[str, Any]:
    """Return a recorded body."""
    body: dict[str, Any] = json.loads((ALERTS / f"deployment-{name}.json").read_text())
    return body


def parse(body: object, origin: str = "", headers: dict[str, str] | None = None) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("deploys", "deployments", headers or {}, raw, NOW, origin=origin)
    return deployments.SOURCE.parse(request, SourceSettings())


def own(**changes: Any) -> dict[str, Any]:
    """Return our own event, with some fields changed."""
    event = {
        "schema": "rb.change.v1",
        "at": "2026-05-11T07:36:00Z",
        "who": "ci/alice",
        "what": "release",
        "target": {"kind": "deployment", "place": "prod", "namespace": "apps", "name": "checkout"},
    }
    return {key: value for key, value in (event | changes).items() if value is not None}


def on_the_bus(
    detail: dict[str, Any], source: str = "runbook-engine.deploys", kind: str = "Deployment"
) -> dict[str, Any]:
    """Return an event of EventBridge that holds this."""
    return {
        "version": "0",
        "id": "e-1",
        "detail-type": kind,
        "source": source,
        "account": "210987654321",
        "time": "2026-05-11T07:36:40Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


ECS = on_the_bus(
    {
        "eventType": "INFO",
        "eventName": "SERVICE_DEPLOYMENT_COMPLETED",
        "deploymentId": "ecs-svc/123",
        "updatedAt": "2026-05-11T07:35:00Z",
        "reason": "ECS deployment ecs-svc/123 completed.",
    },
    source="aws.ecs",
    kind="ECS Deployment State Change",
) | {"resources": ["arn:aws:ecs:eu-west-1:210987654321:service/prod/ledger-api"]}

TOLD = {
    "a pipeline": (
        sent("codepipeline"),
        Target("pipeline", PLACE, "", "ledger"),
        "CodePipeline",
        "pipeline ledger FAILED (execution ex-5510)",
        "07:36:40",
    ),
    "CodeDeploy": (
        sent("codedeploy"),
        Target("application", PLACE, "", "ledger/prod"),
        "CodeDeploy",
        "deployment d-L3DG3R001 of ledger to prod: FAILURE",
        "07:36:41",
    ),
    "ECS": (
        ECS,
        Target("service", PLACE, "prod", "ledger-api"),
        "ECS",
        "SERVICE_DEPLOYMENT_COMPLETED ecs-svc/123: ECS deployment ecs-svc/123 completed.",
        "07:35:00",
    ),
    "our own event": (
        on_the_bus(own()),
        Target("deployment", "prod", "apps", "checkout"),
        "ci/alice",
        "release",
        "07:36:00",
    ),
    "our own event without a time": (
        on_the_bus(own(at=None)),
        Target("deployment", "prod", "apps", "checkout"),
        "ci/alice",
        "release",
        "07:36:40",
    ),
}


@pytest.mark.parametrize(("body", "target", "who", "what", "at"), TOLD.values(), ids=TOLD.keys())
def test_an_event_of_the_bus_is_a_change(body: object, target: Target, who: str, what: str, at: str) -> None:
    """Each service names what it deploys to in its own way."""
    parsed = parse(body, origin="events x")

    moment = datetime.fromisoformat(f"2026-05-11T{at}+00:00")
    assert Parsed(changes=((target, ChangeEvent(at=moment, who=who, what=what)),)) == parsed


def test_a_deployment_of_github_is_a_change() -> None:
    """Every status counts: what failed may have changed something too."""
    parsed = parse(sent("github"), headers=GITHUB)

    event = ChangeEvent(
        at=datetime(2026, 5, 11, 7, 37, 10, tzinfo=UTC),
        who="ci-bot",
        what="deployment 88001 of main (9f1c2e7) to prod: failure (status 990011)",
    )
    assert Parsed(changes=((Target("environment", "github", "", "acme/ledger/prod"), event),)) == parsed


@pytest.mark.parametrize("state", ["queued", "pending", "in_progress", "success", "failure", "error", "inactive"])
def test_every_state_of_a_deployment_is_kept_once(state: str) -> None:
    """Each has a number of its own; what a person lets GitHub deliver again is the same change."""
    body = sent("github")
    body["deployment_status"] = body["deployment_status"] | {"state": state}

    ((target, event),) = parse(body, headers=GITHUB | {"x-github-delivery": "d-1"}).changes
    again = parse(body, headers=GITHUB | {"x-github-delivery": "d-2"}).changes

    assert f"deployment 88001 of main (9f1c2e7) to prod: {state} (status 990011)" == event.what
    assert ((target, event),) == again


NO_DEPLOYMENT = (
    'schema: the body is no "deployment_status" of GitHub: its "repository", "deployment" and "deployment_status" are '
    "expected, with environment, ids and state"
)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"repository": None}, id="no repository"),
        pytest.param({"repository": {"full_name": ""}}, id="a repository without a name"),
        pytest.param({"deployment": {}}, id="no deployment"),
        pytest.param({"deployment": {"id": 1, "environment": " "}}, id="no environment"),
        pytest.param({"deployment": {"id": {}, "environment": "prod"}}, id="no number"),
        pytest.param({"deployment_status": {"id": True, "state": "success"}}, id="no number of the status"),
        pytest.param({"deployment_status": {"id": 1}}, id="no state"),
    ],
)
def test_an_event_of_github_that_names_no_deployment_is_refused(changes: dict[str, Any]) -> None:
    """A change of nothing would stand beside every incident."""
    with pytest.raises(InvalidAlert) as caught:
        parse(sent("github") | changes, headers=GITHUB)

    assert NO_DEPLOYMENT == str(caught.value)


INCOMPLETE = "the event does not say what was deployed, and how far it is"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(sent("codepipeline") | {"detail": {}}, id="no pipeline"),
        pytest.param(sent("codepipeline") | {"detail": {"pipeline": "ledger", "state": ""}}, id="no state"),
        pytest.param(sent("codedeploy") | {"detail": {"state": "SUCCESS"}}, id="no application"),
        pytest.param(
            sent("codedeploy") | {"detail": {"state": "SUCCESS", "application": "a"}}, id="no deployment group"
        ),
        pytest.param(ECS | {"detail": {}}, id="nothing of a service"),
        pytest.param(ECS | {"resources": []}, id="no service"),
        pytest.param(
            on_the_bus({"operation": "update"}, "aws.cloudwatch", "CloudWatch Alarm Configuration Change"),
            id="no alarm",
        ),
    ],
)
def test_an_event_of_the_bus_that_names_nothing_is_rejected(body: object) -> None:
    """It is kept where people find it."""
    parsed = parse(body, origin="events x")

    assert ((), [INCOMPLETE]) == (parsed.changes, [rejected.reason for rejected in parsed.rejected])


@pytest.mark.parametrize("name", ["ping", "push", "workflow_run"])
def test_whatever_else_github_sends_is_left_alone(name: str) -> None:
    """A webhook may be subscribed to more than is known."""
    assert Parsed(warnings=("ignored",)) == parse({"zen": "x"}, headers={"x-github-event": name})


@pytest.mark.parametrize(
    "kind", ["CodePipeline Stage Execution State Change", "CodePipeline Action Execution State Change", "Other"]
)
def test_parts_of_a_pipeline_are_left_alone(kind: str) -> None:
    """The pipeline itself tells."""
    assert Parsed(warnings=("ignored",)) == parse(sent("codepipeline") | {"detail-type": kind}, origin="events x")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        pytest.param({}, "release", id="nothing more"),
        pytest.param({"revision": "r42"}, "release (revision r42)", id="a revision"),
        pytest.param(
            {"revision": 42, "service": "checkout"}, "release (checkout, revision 42)", id="a number, a service"
        ),
        pytest.param({"what": "a\nb\x1b[31m"}, "a b [31m", id="control characters"),
        pytest.param({"what": "x" * 900}, "x" * 499 + "…", id="an absurd length"),
    ],
)
def test_our_own_event_may_be_posted_and_is_one_line(changes: dict[str, Any], what: str) -> None:
    """A workflow that deploys needs one request."""
    ((target, event),) = parse(own(**changes)).changes

    assert (Target("deployment", "prod", "apps", "checkout"), what) == (target, event.what)


def test_a_time_to_come_is_now() -> None:
    """A clock that runs ahead must not hide a change behind a window."""
    soon, late = ((NOW + timedelta(minutes=minutes)).isoformat() for minutes in (4, 6))

    times = [parse(own(at=at)).changes[0][1].at for at in (soon, late, None)]

    assert [NOW + timedelta(minutes=4), NOW, NOW] == times


NO_KIND = "the target of the change has no valid kind, as in deployment or function"
NO_NAME = "the target of the change has no valid name"
REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": (own(who=""), '"who" and "what" say who changed what: both are texts, and neither is empty'),
    "a key that nobody knows": (
        own(when="x"),
        "the event has an unknown key; known are at, revision, schema, service, target, what, who",
    ),
    "a target as runbooks write it": (
        own(target={"deployment": "x"}),
        "the target has an unknown key; known are kind, name, namespace, place",
    ),
    "no target": (own(target=None), NO_KIND),
    "no name": (own(target={"kind": "function"}), NO_NAME),
    "a space in the name": (own(target={"kind": "function", "name": "a b"}), NO_NAME),
    "nothing at all": (own(target={"kind": "none", "name": "a"}), NO_KIND),
    "a path for a namespace": (
        own(target={"kind": "pod", "name": "a", "namespace": "../x"}),
        "the namespace of the changed target is not valid",
    ),
    "an odd place": (
        own(target={"kind": "pod", "name": "a", "place": "-x"}),
        "the place of the changed target is not valid",
    ),
    "no instant": (own(at="yesterday"), "the time of the change is no instant: write 2026-05-11T07:40:12Z"),
}


@pytest.mark.parametrize(("body", "reason"), REJECTED.values(), ids=REJECTED.keys())
def test_our_own_event_is_strict(body: object, reason: str) -> None:
    """A change of nothing that can be named helps nobody."""
    assert [reason] == [rejected.reason for rejected in parse(body).rejected]


EXPECTED = (
    'schema: the body is no change that is known: a "deployment_status" of GitHub or our own event with "schema": '
    '"rb.change.v1" is expected (see docs/senders.md)'
)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({}, EXPECTED, id="nothing"),
        pytest.param([], EXPECTED, id="no object"),
        pytest.param(own(schema="rb.change.v2"), EXPECTED, id="another version"),
        pytest.param(
            sent("codepipeline"),
            "schema: events of EventBridge come through AWS and are never posted (let a rule, a topic or a queue call "
            "the function, and name it in the scope's from)",
            id="an event of the bus that was posted",
        ),
    ],
)
def test_what_is_no_change_is_refused(body: object, sentence: str) -> None:
    """Over HTTP nobody speaks for AWS."""
    with pytest.raises(InvalidAlert) as caught:
        parse(body)

    assert sentence == str(caught.value)


VALUE = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from(["at", "who", "what", "target", "service", "state", "pipeline", "deployment", "repository"]), VALUE
)


@given(fields=FIELDS, kind=st.sampled_from([*deployments.TARGET_KEYS]), value=VALUE)
def test_no_body_breaks_the_source(fields: dict[str, Any], kind: str, value: object) -> None:
    """Any value in any field is read, rejected or refused."""
    target = own()["target"] | {kind: value}
    for body, origin, headers in (
        (own(target=target) | fields, "", {}),
        (sent("github") | fields, "", GITHUB),
        (on_the_bus(fields, "aws.ecs", "ECS Deployment State Change"), "events x", {}),
        (on_the_bus(fields, "aws.codepipeline", "CodePipeline Pipeline Execution State Change"), "events x", {}),
    ):
        try:
            parse(body, origin, headers)
        except RunbookError:
            continue
