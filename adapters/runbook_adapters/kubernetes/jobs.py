"""Jobs: starts those that engine.yaml pins, and looks how far they have come.

A job's name is the token: the API takes a name once. What a runbook hands over becomes environment values of the
job's containers, never part of a command.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runbook_adapters.kubernetes.calls import path_of
from runbook_adapters.kubernetes.problems import AlreadyExists, NotFound
from runbook_adapters.kubernetes.transport import Transport
from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.observation import Job
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

BATCH = "apis/batch/v1"
TEMPLATE = "runbook-engine/job"  # the label that names the template
ARGUMENTS = "runbook-engine/arguments"  # the annotation that keeps what it was told


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
        try:
            found = self._transport.get(path_of(BATCH, target.namespace, "jobs", target.name))
        except NotFound:
            return None
        live = msgspec.structs.replace(target, uid=str(found["metadata"]["uid"]))
        status = found.get("status", {})
        for condition in status.get("conditions", ()):
            if condition.get("status") != "True":
                continue
            if condition.get("type") in ("Complete", "SuccessCriteriaMet"):
                return Job(target=live, status="succeeded")
            if condition.get("type") in ("Failed", "FailureTarget"):
                told = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
                return Job(target=live, status="failed", reason=told)
        return Job(target=live, status="running", reason=_counts(target, status))


class KubernetesJobWriter:
    """Starts jobs."""

    def __init__(self, transport: Transport, templates: Sequence[JobTemplate]) -> None:
        self._transport = transport
        self._templates = {template.name: template for template in templates}

    def start(self, target: Target, template: str, arguments: Mapping[str, str]) -> Mapping[str, Value]:
        """Start the job of that name; one that was started from the same template with the same arguments is ours.

        Raises Conflict when another job bears the name, Retryable, Permanent, EffectUnknown.
        """
        try:
            wanted = _known(template, self._templates)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        try:
            self._transport.post(path_of(BATCH, target.namespace, "jobs"), job_manifest(target, wanted, arguments))
        except AlreadyExists:
            self._check_ours(target, template, arguments)
            return {"unchanged": True}
        return {}

    def _check_ours(self, target: Target, template: str, arguments: Mapping[str, str]) -> None:
        metadata = self._transport.get(path_of(BATCH, target.namespace, "jobs", target.name))["metadata"]
        labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
        if labels.get(TEMPLATE) != template or annotations.get(ARGUMENTS) != _written(arguments):
            raise Conflict(f"{target} exists, and is another job: it was not started by this run (remove it)")


def job_manifest(target: Target, template: JobTemplate, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the job that is sent: the pinned spec, bounded in time, with the arguments in its environment."""
    spec: dict[str, Any] = json.loads(template.spec)
    limit = int(template.time_limit.total_seconds())
    spec["activeDeadlineSeconds"] = min(limit, int(spec.get("activeDeadlineSeconds", limit)))
    spec.setdefault("backoffLimit", 0)
    pod = spec["template"]["spec"]
    values = [{"name": f"RUNBOOK_{name.upper()}", "value": value} for name, value in sorted(arguments.items())]
    ours = {value["name"] for value in values}
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        kept = [entry for entry in container.get("env", ()) if entry.get("name") not in ours]
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


def _written(arguments: Mapping[str, str]) -> str:
    return json.dumps(dict(arguments), sort_keys=True)


def _counts(target: Target, status: Mapping[str, Any]) -> str:
    active, failed = status.get("active", 0), status.get("failed", 0)
    return f"job {target.name} is running: {active} pods at work, {failed} failed"


def _known(name: str, templates: Mapping[str, JobTemplate]) -> JobTemplate:
    if name not in templates:
        known = ", ".join(templates) or "none is named"
        raise InvalidTarget(f"unknown job {name!r}; known are {known} (add it under jobs in engine.yaml)")
    return templates[name]
