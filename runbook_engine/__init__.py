"""runbook-engine: a real alert becomes a verified, compensated, audited remediation, from one YAML file in git."""

from runbook_engine.engine import Engine, Receipt
from runbook_engine.errors import RunbookError
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
