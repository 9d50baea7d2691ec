"""Reading functions: the alias, what was published, the brake, and who goes round the alias."""

from __future__ import annotations

from typing import Literal

import msgspec

from runbook_adapters.lambda_function.belonging import managed_by, service_of
from runbook_adapters.lambda_function.bypass import bypassed
from runbook_adapters.lambda_function.looks import Answer, Looks
from runbook_adapters.lambda_function.names import Named, named
from runbook_adapters.lambda_function.releases import revisions
from runbook_adapters.lambda_function.weights import canary_of
from runbook_engine.model.serverless import Function
from runbook_engine.model.target import Target

USABLE = ("Active", "Inactive")  # an inactive one starts with the next call

State = Literal["active", "updating", "failed"]


class LambdaFunctionReader:
    """Looks at functions and their aliases."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def function(self, target: Target) -> Function:
        """Return the function as it is now. Raises InvalidTarget, Unreadable."""
        name = named(target)
        configuration = self._looks.configuration(name)
        alias = self._looks.alias(name) if name.alias else {}
        version = version_of(alias)
        arn = arn_of(configuration, name)
        tags = self._looks.tags(arn)
        state, reason = state_of(configuration)
        return Function(
            target=msgspec.structs.replace(target, uid=arn),
            version=version,
            canary=canary_of(alias),
            versions=revisions(self._looks.versions(name), version),
            concurrency=self._looks.concurrency(name),
            state=state,
            reason=reason,
            service=service_of(tags),
            bypassed=self._bypassed(name),
            managed=managed_by(tags),
        )

    def _bypassed(self, name: Named) -> str:
        if not name.alias:
            return ""
        return bypassed(name.function, self._looks.policy(name), self._looks.mappings(name))


def version_of(alias: Answer) -> int:
    """Return the published version that an alias points to; 0 = the unpublished code."""
    version = str(alias.get("FunctionVersion", ""))
    return int(version) if version.isdigit() else 0


def arn_of(configuration: Answer, name: Named) -> str:
    """Return the ARN of the function itself, whichever of its versions was asked for: it is the function's uid."""
    head, function, _ = str(configuration.get("FunctionArn", "")).partition(f":function:{name.function}")
    return f"{head}{function}"


def state_of(configuration: Answer) -> tuple[State, str]:
    """Return how a function is, and why."""
    state, update = configuration.get("State") or "Active", configuration.get("LastUpdateStatus") or "Successful"
    if state == "Pending":
        return "updating", str(configuration.get("StateReason") or "it is being created")
    if update == "InProgress":
        return "updating", str(configuration.get("LastUpdateStatusReason") or "an update of it is in progress")
    if update == "Failed":
        return "failed", _because(configuration, "LastUpdateStatusReason", "its last update failed")
    if state not in USABLE:
        return "failed", _because(configuration, "StateReason", f"it is {state}")
    return "active", ""


def _because(configuration: Answer, key: str, otherwise: str) -> str:
    code, reason = configuration.get(f"{key}Code"), configuration.get(key)
    return ": ".join(str(part) for part in (code, reason) if part) or otherwise
