"""Templates in a document: where they may stand, whether they parse, and whether they name what exists."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from runbook_engine.errors import TemplateError
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.templating import is_template, parse_path, variables_of

ALERT_FIELDS: Final = ("name", "labels", "annotations", "severity", "status", "scope", "source")
RUN_FIELDS: Final = ("execution", "incident", "runbook", "target")
ROOTS: Final = ("inputs", "alert", "run")
_INPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_templates(findings: Findings, inputs: Collection[str]) -> None:
    """Report templates that stand in the wrong place, do not parse, or name an input that is not declared."""
    read: set[str] = set()
    for path, node in findings.scalars:
        if isinstance(node.value, str) and is_template(node.value):
            variables = _check(findings, path, node.value, inputs)
            read.update(variable[1] for variable in variables if variable[0] == "inputs" and len(variable) > 1)
    for name in inputs:
        if name not in read and not findings.failed:
            message = f'the input "{name}" is never used, and yet a run without it is refused'
            findings.warning(
                ("inputs", name), "unused-input", message, f"remove it, or use it: {{{{ inputs.{name} }}}}"
            )


def check_inputs(findings: Findings) -> None:
    """Report inputs whose name no template can write, or that come from nowhere."""
    declared = findings.content.get("inputs") if isinstance(findings.content, dict) else None
    for name, content in declared.items() if isinstance(declared, dict) else ():
        if not _INPUT_NAME.fullmatch(name):
            fixed = re.sub(r"[^A-Za-z0-9_]", "_", name)
            message = f'the input "{name}" cannot be written in a template: only letters, digits and _'
            findings.error_at_key(("inputs", name), "input-name", message, f'did you mean "{fixed}"?')
        origin = content.get("from") if isinstance(content, dict) else None
        if isinstance(origin, str):
            _check_origin(findings, ("inputs", name, "from"), origin)


def _check_origin(findings: Findings, path: Path, origin: str) -> None:
    parts = parse_path(origin)
    if parts is None:
        hint = 'write alert.labels.NAME, or alert.labels["NAME"] for a name with other characters'
        findings.error(path, "input-origin", f'"{origin}" is no path into the alert', hint)
    elif parts[0] != "alert":
        findings.error(
            path, "input-origin", f'an input comes from the alert, not from "{parts[0]}"', "write alert.labels.NAME"
        )
    elif len(parts) == 1 or parts[1] not in ALERT_FIELDS:
        name = parts[1] if len(parts) > 1 else ""
        findings.error(path, "input-origin", f'an alert has no "{name}"', did_you_mean(name, ALERT_FIELDS))


def _check(findings: Findings, path: Path, text: str, inputs: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Report what is wrong with one template, and return what it reads."""
    if not _may_be_template(path):
        hint = "templates are filled in: target, with, where and the texts of diagnostics"
        if path[-1] == "query" or "metric" in path:
            hint = "restrict it with where: {LABEL: ...}, which may hold templates"
        findings.explained.add(path)
        findings.error(path, "template-place", f'"{_name(path)}" is never filled in', hint)
        return ()
    try:
        variables = variables_of(text)
    except TemplateError as error:
        findings.error(path, "template", f"{error}", "")
        return ()
    for variable in variables:
        _check_variable(findings, path, variable, inputs)
    return variables


def _check_variable(findings: Findings, path: Path, variable: tuple[str, ...], inputs: Collection[str]) -> None:
    root, name = variable[0], variable[1] if len(variable) > 1 else ""
    if root not in ROOTS:
        message = f'a template reads inputs, alert and run, not "{root}"'
        findings.error(path, "template-root", message, f'did you mean "inputs.{root}"?' if root in inputs else "")
    elif root == "inputs" and name not in inputs:
        hint = did_you_mean(name, inputs) or f"declare it: inputs: {{{name}: {{from: alert.labels.{name}}}}}"
        findings.error(path, "unknown-input", f'unknown input "{name}"', hint)
    elif root == "alert" and name not in ALERT_FIELDS:
        findings.error(path, "unknown-field", f'an alert has no "{name}"', did_you_mean(name, ALERT_FIELDS))
    elif root == "run" and name not in RUN_FIELDS:
        findings.error(path, "unknown-field", f'a run has no "{name}"', did_you_mean(name, RUN_FIELDS))


def _may_be_template(path: Path) -> bool:
    head, rest = path[0], path[1:]
    if head == "steps" and len(path) > 2:
        head, rest = path[2], path[3:]
        if head in ("with", "target"):
            return True
    if head == "target":
        return True
    if head in ("verify", "require", "when", "doNoHarm"):
        return "where" in rest[:-1]
    return head == "diagnostics" and path[-1] != "query"


def _name(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "this")
