"""Changes that services of AWS announce on the event bus: pipelines, deployments, and the alarms themselves.

A stage or an action of a pipeline is part of what the pipeline tells, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.sources.bus_event import BusEvent
from runbook_engine.sources.changes import changed
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.values import map_of, text_of

Told = tuple[Target, str, str, object]  # of what, who, what happened, when
INCOMPLETE = "the event does not say what was deployed, and how far it is"


def read_change(event: BusEvent, now: datetime) -> tuple[Target, ChangeEvent] | None:
    """Return the change that an event announces; None when it announces none. Raises RefusedAlert."""
    reader = _READERS.get((event.source, event.detail_type))
    if reader is None:
        return None
    target, who, what, at = reader(event)
    return changed(target, at=at or event.time, who=who, what=what, now=now)


def _of_pipeline(event: BusEvent) -> Told:
    name, run, state = (text_of(event.detail.get(key)) for key in ("pipeline", "execution-id", "state"))
    _demand(name, state)
    target = Target("pipeline", event.place, "", name)
    return target, "CodePipeline", f"pipeline {name} {state} (execution {run})", None


def _of_deployment(event: BusEvent) -> Told:
    keys = ("application", "deploymentGroup", "deploymentId", "state")
    application, group, deployment, state = (text_of(event.detail.get(key)) for key in keys)
    _demand(application, group, state)
    target = Target("application", event.place, "", f"{application}/{group}")
    return target, "CodeDeploy", f"deployment {deployment} of {application} to {group}: {state}", None


def _of_service(event: BusEvent) -> Told:
    """The service is known by its ARN alone: .../service/CLUSTER/NAME, or without a cluster in old accounts."""
    arn = next((each for each in event.resources if ":service/" in each), "")
    cluster, _, name = arn.rpartition(":service/")[2].rpartition("/")
    keys = ("eventName", "deploymentId", "reason")
    happened, deployment, reason = (text_of(event.detail.get(key)) for key in keys)
    _demand(name, happened)
    target = Target("service", event.place, cluster, name)
    return target, "ECS", f"{happened} {deployment}: {reason}", event.detail.get("updatedAt")


def _of_alarm(event: BusEvent) -> Told:
    name, operation = text_of(event.detail.get("alarmName")), text_of(event.detail.get("operation"))
    _demand(name, operation)
    at = map_of(event.detail.get("configuration")).get("timestamp")
    return Target("alarm", event.place, "", name), "CloudWatch", f"alarm {name}: {operation} of its configuration", at


def _demand(*needed: str) -> None:
    if not all(text.strip() for text in needed):
        raise RefusedAlert(INCOMPLETE)


_READERS: Mapping[tuple[str, str], Callable[[BusEvent], Told]] = {
    ("aws.codepipeline", "CodePipeline Pipeline Execution State Change"): _of_pipeline,
    ("aws.codedeploy", "CodeDeploy Deployment State-change Notification"): _of_deployment,
    ("aws.ecs", "ECS Deployment State Change"): _of_service,
    ("aws.cloudwatch", "CloudWatch Alarm Configuration Change"): _of_alarm,
}
