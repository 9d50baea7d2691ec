"""What must hold of the automations that engine.yaml allows: each parameter set by one alone, and never its role."""

from __future__ import annotations

from typing import Final

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_list, as_map
from runbook_engine.loading.yaml_tree import Path

ROLE: Final = "AutomationAssumeRole"  # the parameter by which a document is told whose rights it works with


def check_automations(findings: Findings) -> None:
    """Report what makes an automation unfit to be started by a runbook."""
    content = as_map(findings.content)
    for name, written in as_map(content.get("automations")).items():
        path: Path = ("automations", name)
        automation = as_map(written)
        fixed = as_map(automation.get("fixed"))
        for index, parameter in enumerate(as_list(automation.get("parameters"))):
            if parameter == ROLE:
                message = f"a runbook must not choose the role that the automation {name!r} works under"
                findings.error((*path, "parameters", index), "automation-role", message, "write role: its ARN")
            elif parameter in fixed:
                message = f'the parameter "{parameter}" is fixed, so no runbook can set it'
                findings.error((*path, "parameters", index), "automation-fixed", message, "keep one of the two")
        if ROLE in fixed:
            message = f'"{ROLE}" is set by "role"'
            findings.error_at_key((*path, "fixed", ROLE), "automation-role", message, "write role: its ARN")
