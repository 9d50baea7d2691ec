"""Starting automations: the document in its pinned version, with declared parameters only, once for each token."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import part, touching
from runbook_adapters.aws.touching import Receipt, before_touching
from runbook_adapters.ssm_automation.reader import known
from runbook_engine.errors import Conflict, Permanent, Retryable
from runbook_engine.model.serverless import AutomationTemplate

ROLE = "AutomationAssumeRole"  # the parameter that documents take the role from
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
FULL = "AutomationExecutionLimitExceededException"
OTHER = "IdempotentParameterMismatch"
GONE = ("AutomationDefinitionNotFoundException", "AutomationDefinitionVersionNotFoundException")


class SsmAutomationWriter:
    """Starts pinned automations."""

    def __init__(self, templates: Sequence[AutomationTemplate], clients: Clients) -> None:
        self._templates = templates
        self._clients = clients

    def start(self, template: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Receipt:
        """Start a run; the same token again starts no second one. Receipt: `run`, its id."""
        with before_touching():
            wanted = known(template, self._templates)
        if wanted.digest != digest:
            raise Conflict(
                f"automation {template} of engine.yaml is another one now than the one that was approved; "
                "nothing was started"
            )
        parameters = parameters_of(wanted, arguments)
        with touching(f"cannot start automation {template}", lambda code, reason: _meaning(code, reason, wanted)):
            answer = self._clients.touching("ssm").start_automation_execution(
                DocumentName=wanted.document,
                DocumentVersion=wanted.version,
                Parameters=parameters,
                ClientToken=client_token(token),
            )
            return {"run": str(part(answer, "AutomationExecutionId"))}


def parameters_of(template: AutomationTemplate, arguments: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what the document is told: what engine.yaml fixes is never overridden. Raises Permanent."""
    undeclared = sorted(set(arguments) - set(template.parameters))
    if undeclared:
        declared = ", ".join(template.parameters) or "none"
        raise Permanent(
            f"automation {template.name} takes no parameter {', '.join(undeclared)}; it takes {declared} "
            "(declare it under automations in engine.yaml)"
        )
    role = {ROLE: template.role} if template.role else {}
    return {name: [text] for name, text in {**arguments, **template.fixed, **role}.items()}


def client_token(token: str) -> str:
    """Return a token as AWS wants it, a UUID: the same for the same, and only then."""
    return token.lower() if _UUID.fullmatch(token) else str(uuid.uuid5(uuid.NAMESPACE_URL, token))


def _meaning(code: str, reason: str, template: AutomationTemplate) -> Exception | None:
    name = template.name
    if code == FULL:
        return Retryable(f"cannot start automation {name} now: {reason}")
    if code == OTHER:
        return Conflict(f"automation {name} was started with this token and other parameters; nothing was started")
    if code in GONE:
        document = f"version {template.version} of document {template.document}"
        return Permanent(f"cannot start automation {name}: {document} does not exist (correct it in engine.yaml)")
    return None
