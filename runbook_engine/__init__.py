"""runbook-engine: a real alert becomes a verified, compensated, audited remediation, from one YAML file in git.

The public names load what they need when they are first used, so that a command or a Lambda that needs little
loads little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_engine.engine import Engine
    from runbook_engine.errors import RunbookError
    from runbook_engine.intake.receipt import Receipt
    from runbook_engine.model.alert import Alert
    from runbook_engine.model.bundle import Bundle
    from runbook_engine.model.delivery import Request
    from runbook_engine.model.directive import Approve, Directive, Done, Next, Wait
    from runbook_engine.model.execution import Execution
    from runbook_engine.model.plan import Change, Outcome, Plan, Progress
    from runbook_engine.model.runbook import Runbook
    from runbook_engine.model.target import Target
    from runbook_engine.ports import ActionSpec, AdapterSpec, Effects, Journal, World
    from runbook_engine.registry import Registry

_HOMES = {
    "ActionSpec": "ports",
    "AdapterSpec": "ports",
    "Alert": "model.alert",
    "Approve": "model.directive",
    "Bundle": "model.bundle",
    "Change": "model.plan",
    "Directive": "model.directive",
    "Done": "model.directive",
    "Effects": "ports",
    "Engine": "engine",
    "Execution": "model.execution",
    "Journal": "ports",
    "Next": "model.directive",
    "Outcome": "model.plan",
    "Plan": "model.plan",
    "Progress": "model.plan",
    "Receipt": "intake.receipt",
    "Registry": "registry",
    "Request": "model.delivery",
    "Runbook": "model.runbook",
    "RunbookError": "errors",
    "Target": "model.target",
    "Wait": "model.directive",
    "World": "ports",
}

__all__ = [
    "ActionSpec",
    "AdapterSpec",
    "Alert",
    "Approve",
    "Bundle",
    "Change",
    "Directive",
    "Done",
    "Effects",
    "Engine",
    "Execution",
    "Journal",
    "Next",
    "Outcome",
    "Plan",
    "Progress",
    "Receipt",
    "Registry",
    "Request",
    "Runbook",
    "RunbookError",
    "Target",
    "Wait",
    "World",
]


def __getattr__(name: str) -> Any:
    """Return a public name, loading its module now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
