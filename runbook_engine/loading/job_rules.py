"""What must hold of the jobs that engine.yaml allows: pinned images, bounded time, no way out of their pod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_list, as_map
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.quantity import parse_duration

LONGEST: Final = timedelta(minutes=30)
_PINNED: Final = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_HOST_KEYS: Final = ("hostNetwork", "hostPID", "hostIPC")


def check_jobs(findings: Findings) -> None:
    """Report what makes a job unfit to be started by a runbook."""
    for name, job in as_map(as_map(findings.content).get("jobs")).items():
        path: Path = ("jobs", name)
        spec = as_map(as_map(job).get("spec"))
        pod = as_map(as_map(spec.get("template")).get("spec"))
        containers = tuple(_containers(pod))
        if not containers:
            hint = "write spec: {template: {spec: {restartPolicy: Never, containers: [...]}}}"
            findings.error((*path, "spec"), "job-containers", f'the job "{name}" has no containers', hint)
        for kind, index, container in containers:
            _check_container(findings, (*path, "spec", "template", "spec", kind, index), container)
        _check_pod(findings, (*path, "spec"), spec, pod)
        if as_map(as_map(job).get("effect")).get("repeat") == "token":
            _check_memory(findings, (*path, "spec"), spec)
        _check_time(findings, path, as_map(job).get("timeLimit"))


def _containers(pod: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(as_list(pod.get(kind))):
            yield kind, index, as_map(container)


def _check_container(findings: Findings, path: Path, container: Mapping[str, Any]) -> None:
    image = container.get("image")
    if not isinstance(image, str) or not _PINNED.fullmatch(image):
        message = f"the image {image!r} is not pinned: what it is may change between the review and the run"
        findings.error((*path, "image"), "job-image", message, "write it with its digest: NAME@sha256:...")
    if as_map(container.get("securityContext")).get("privileged") is True:
        message = "a privileged container may leave its pod"
        findings.error((*path, "securityContext", "privileged"), "job-privileged", message, "remove it")


def _check_pod(findings: Findings, path: Path, spec: Mapping[str, Any], pod: Mapping[str, Any]) -> None:
    inner: Path = (*path, "template", "spec")
    for key in _HOST_KEYS:
        if pod.get(key) is True:
            findings.error((*inner, key), "job-privileged", f"{key} lets the job leave its pod", "remove it")
    for index, volume in enumerate(as_list(pod.get("volumes"))):
        if "hostPath" in as_map(volume):
            message = "a hostPath volume lets the job leave its pod"
            findings.error((*inner, "volumes", index), "job-privileged", message, "use another kind of volume")
    if pod and pod.get("restartPolicy") not in ("Never", "OnFailure"):
        message = 'a job needs "restartPolicy: Never" or "restartPolicy: OnFailure"'
        findings.error(inner, "job-restart", message, "Never runs it once; OnFailure may run it again")


def _check_memory(findings: Findings, path: Path, spec: Mapping[str, Any]) -> None:
    """What is to run once for each run must be remembered by the cluster for as long as a crash may take."""
    seconds = spec.get("ttlSecondsAfterFinished")
    if isinstance(seconds, int) and seconds < LONGEST.total_seconds() * 2:
        message = "a job that is removed this soon after its end could be started a second time after a crash"
        findings.error((*path, "ttlSecondsAfterFinished"), "job-ttl", message, "write 3600 or more, or leave it out")


def _check_time(findings: Findings, path: Path, written: Any) -> None:
    if not isinstance(written, str):
        return
    try:
        limit = parse_duration(written)
    except ValueError:
        return  # the field's own type says so
    if limit > LONGEST:
        findings.error((*path, "timeLimit"), "job-time", "a job may take 30m at most", "shorten it")
