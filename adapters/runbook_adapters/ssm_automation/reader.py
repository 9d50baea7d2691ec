"""Reading automations: those that engine.yaml pins, and how far a run of one has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.looks import looking_for
from runbook_adapters.aws.problems import part
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.serverless import AutomationRun, AutomationTemplate

Status = Literal["running", "succeeded", "failed"]
RUNNING = (
    *("Pending", "InProgress", "Waiting", "Cancelling", "PendingApproval", "Approved", "Scheduled"),
    *("RunbookInProgress", "PendingChangeCalendarOverride", "ChangeCalendarOverrideApproved"),
)
SUCCEEDED = ("Success", "CompletedWithSuccess")
FAILED = (
    *("TimedOut", "Cancelled", "Failed", "Rejected", "ChangeCalendarOverrideRejected"),
    *("CompletedWithFailure", "Exited"),
)
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(RUNNING, "running"),
    **dict.fromkeys(SUCCEEDED, "succeeded"),
    **dict.fromkeys(FAILED, "failed"),
}
ABSENT = "AutomationExecutionNotFoundException"
NO_DOCUMENT = ("InvalidDocument", "InvalidDocumentVersion")
LONGEST = 500


class SsmAutomationReader:
    """Looks at pinned automations and their runs."""

    def __init__(self, templates: Sequence[AutomationTemplate], clients: Clients) -> None:
        self._templates = templates
        self._clients = clients

    def template(self, name: str) -> AutomationTemplate:
        """Return a pinned automation. Raises InvalidTarget."""
        return known(name, self._templates)

    def run(self, template: str, run_id: str) -> AutomationRun | None:
        """Return one run, None when there is none. Raises Unreadable."""
        try:
            with looking_for(f"run {run_id} of automation {template}", _NoRun(), ABSENT):
                answer = self._clients.looking("ssm").get_automation_execution(AutomationExecutionId=run_id)
                execution = part(answer, "AutomationExecution")
        except _NoRun:
            return None
        said = str(execution.get("AutomationExecutionStatus"))
        status = STATUSES.get(said)
        if status is None:
            raise Unreadable(f"run {run_id} of automation {template} has status {said}, which is not known here")
        return AutomationRun(id=run_id, status=status, reason=_reason(execution, said, status))

    def probe(self) -> str:
        """Return that every pinned document exists in the version that engine.yaml pins. Raises Unreadable."""
        for template in self._templates:
            document, version = template.document, template.version
            what = f"version {version} of document {document} (automation {template.name})"
            absent = Unreadable(f"{what} does not exist (correct document and version in engine.yaml)")
            with looking_for(what, absent, *NO_DOCUMENT):
                self._clients.looking("ssm").describe_document(Name=document, DocumentVersion=version)
        count = len(self._templates)
        return f"answers, and knows the pinned documents: {count}" if count else "engine.yaml pins no automation"


class _NoRun(Exception):
    """There is no run of that id."""


def known(name: str, templates: Sequence[AutomationTemplate]) -> AutomationTemplate:
    """Return the template of that name. Raises InvalidTarget."""
    found = next((template for template in templates if template.name == name), None)
    if found is None:
        names = ", ".join(template.name for template in templates) or "none is named"
        raise InvalidTarget(f"unknown automation {name!r}; known are {names} (add it under automations in engine.yaml)")
    return found


def _reason(execution: Mapping[str, Any], said: str, status: Status) -> str:
    if status == "succeeded":
        return ""
    message = " ".join(str(execution.get("FailureMessage") or "").split())[:LONGEST]
    step = str(execution.get("CurrentStepName") or "")
    at = f"{said} at step {step}" if step else said
    return f"{at}: {message}" if message else at
