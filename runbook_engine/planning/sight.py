"""Sight: everything that planning may look at, and what a runbook's templates may see of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from runbook_engine.guardrails import Case, untold
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.ports import Ledger, World
from runbook_engine.registry import Registry
from runbook_engine.resolution import alert_variables
from runbook_engine.templating import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything that planning may look at. Nothing in it can write."""

    world: World
    ledger: Ledger
    registry: Registry
    configuration: Configuration
    templates: Templates
    ceiling: Callable[[Alert], Mode]  # how far the installation lets any runbook go for an alert, now
    holds: Callable[[Alert, tuple[Matcher, ...]], bool] | None = None  # None: who only looks judges no matchers


def case_of(change: Change, execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Case:
    """Return what guardrails judge by."""
    holds = sight.holds
    return Case(
        execution=execution,
        runbook=runbook,
        configuration=sight.configuration,
        change=change,
        world=sight.world,
        ledger=sight.ledger,
        now=now,
        fill=filler(execution, sight),
        ceiling=sight.ceiling(execution.alert),
        holds=partial(holds, execution.alert) if holds is not None else untold,
    )


def variables_of(execution: Execution) -> Mapping[str, Any]:
    """Return what a runbook's templates may see."""
    return {
        "inputs": execution.inputs,
        "alert": alert_variables(execution.alert),
        "run": {
            "execution": execution.id,
            "incident": execution.incident_id,
            "runbook": execution.runbook,
            "target": str(execution.target),
        },
    }


def filler(execution: Execution, sight: Sight) -> Callable[[str], str]:
    """Return the function that fills one `where` value."""
    variables = variables_of(execution)
    return lambda text: sight.templates.render(text, variables)
