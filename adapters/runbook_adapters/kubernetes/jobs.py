"""Jobs: starts those that engine.yaml pins, and looks how far they have come.

A job's name is the token: the API takes a name once. What a runbook hands over becomes environment values of the
job's containers, never part of a command.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import (
    annotations_of,
    condition_of,
    count_of,
    labels_of,
    path_to,
    uid_of,
)
from runbook_adapters.kubernetes.problems import AlreadyExists, NotFound
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.errors import Conflict, InvalidTarget
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.observation import Job
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

TEMPLATE = "runbook-engine/job"  # the label that names the template
ARGUMENTS = "runbook-engine/arguments"  # the annotation that keeps what it was told
_CHANGED = "job {} of engine.yaml is another one now than the one that was approved"


class KubernetesJobReader:
    """Looks at jobs, and at the templates that engine.yaml allows."""

    def __init__(self, transport: Transport, templates: Sequence[JobTemplate]) -> None:
        self._transport = transport
        self._templates = {template.name: template for template in templates}

    def template(self, name: str) -> JobTemplate:
        """Return a pinned template. Raises InvalidTarget."""
        return _known(name, self._templates)

    def job(self, target: Target) -> Job | None:
        """Return a job, None when there is none. Raises Unreadable."""
        found = _job(self._transport, target)
        if found is None:
            return None
        live = msgspec.structs.replace(target, uid=uid_of(found))
        for condition in _true_conditions(found):
            if condition.get("type") in ("Complete", "SuccessCriteriaMet"):
                return Job(target=live, status="succeeded")
            if condition.get("type") in ("Failed", "FailureTarget"):
                told = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
                return Job(target=live, status="failed", reason=one_line(told))
        return Job(target=live, status="running", reason=_progress(found, target.name))


class KubernetesJobWriter:
    """Starts jobs."""

    def __init__(self, transport: Transport, templates: Sequence[JobTemplate]) -> None:
        self._transport = transport
        self._templates = {template.name: template for template in templates}

    def start(self, target: Target, template: str, arguments: Mapping[str, str], *, digest: str) -> Mapping[str, Value]:
        """Start the job of that name; one that was started from the same template with the same arguments is ours.

        Raises Conflict when another job has the name or the template has changed, Retryable, Permanent, EffectUnknown.
        """
        with before_touching():
            wanted, path = _known(template, self._templates), _path(target)
        if wanted.digest != digest:
            # An earlier call may have started it, while the template still was the one that was approved.
            return self._started(target, template, arguments, _CHANGED.format(template))
        try:
            self._transport.post(path.rpartition("/")[0], job_manifest(target, wanted, arguments))
        except AlreadyExists:
            return self._started(target, template, arguments, f"{target} was there and is gone")
        return {}

    def _started(
        self, target: Target, template: str, arguments: Mapping[str, str], otherwise: str
    ) -> Mapping[str, Value]:
        """Return that our job is there already. Raises Conflict when it is not, or not ours."""
        with before_touching():
            found = _job(self._transport, target)
        if found is None:
            raise Conflict(otherwise)
        if labels_of(found).get(TEMPLATE) != template or annotations_of(found).get(ARGUMENTS) != _written(arguments):
            raise Conflict(f"{target} exists, and is another job: it was not started by this run (remove it)")
        return {"unchanged": True}


def job_manifest(target: Target, template: JobTemplate, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the job that is sent: the pinned spec, bounded in time, with the arguments in its environment."""
    spec: dict[str, Any] = json.loads(template.spec)
    limit = int(template.time_limit.total_seconds())
    spec["activeDeadlineSeconds"] = min(limit, int(spec.get("activeDeadlineSeconds") or limit))
    spec["backoffLimit"] = spec.get("backoffLimit") or 0
    pod = spec["template"]["spec"]
    values = [{"name": f"RUNBOOK_{name.upper()}", "value": _literal(text)} for name, text in sorted(arguments.items())]
    ours = {value["name"] for value in values}
    for container in (*(pod.get("initContainers") or ()), *pod["containers"]):
        kept = [entry for entry in container.get("env") or () if entry.get("name") not in ours]
        container["env"] = [*kept, *values]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "labels": {"app.kubernetes.io/managed-by": "runbook-engine", TEMPLATE: template.name},
            "annotations": {ARGUMENTS: _written(arguments)},
        },
        "spec": spec,
    }


def _job(transport: Transport, target: Target) -> Json | None:
    try:
        return transport.get(_path(target))
    except NotFound as problem:
        if not problem.served:
            raise
        return None


def _path(target: Target) -> str:
    if target.kind != "job" or not target.namespace or not target.name:
        raise InvalidTarget(f"{target} is no job of a cluster (name a namespace and a job)")
    return path_to("job", target.namespace, target.name)


def _written(arguments: Mapping[str, str]) -> str:
    return json.dumps(dict(arguments), sort_keys=True)


def _literal(text: str) -> str:
    """Return a value that the kubelet hands over as it is: it expands $(NAME), from secrets too, and $$ is a $."""
    return text.replace("$", "$$")


def _true_conditions(job: Json) -> Items:
    conditions = (job.get("status") or {}).get("conditions") or []
    return [condition for condition in conditions if condition.get("status") == "True"]


def _progress(job: Json, name: str) -> str:
    if condition_of(job, "Suspended").get("status") == "True":
        return f"job {name} is suspended: nothing of it runs"
    status = job.get("status") or {}
    active, failed = count_of(status, "active"), count_of(status, "failed")
    return f"job {name} is running: {active} pods at work, {failed} failed"


def _known(name: str, templates: Mapping[str, JobTemplate]) -> JobTemplate:
    if name not in templates:
        known = ", ".join(templates) or "none is named"
        raise InvalidTarget(f"unknown job {name!r}; known are {known} (add it under jobs in engine.yaml)")
    return templates[name]
