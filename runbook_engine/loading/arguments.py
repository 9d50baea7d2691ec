"""The parameters of actions and collectors, checked against the models that those bring along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.sentences import report_errors
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.templating import is_template


def check_arguments(
    findings: Findings, path: Path, written: Mapping[str, Any], model: type[BaseModel], where: str
) -> None:
    """Report what is wrong with parameters. A field with a template is judged by its name now, by its value at run."""
    _check_spelling(findings, path, written, model, where)
    templated = {key for key, value in written.items() if has_template(value)}
    try:
        model.model_validate(dict(written))
    except ValidationError as error:
        found = [item for item in error.errors(include_url=False) if not _excused(item, templated)]
        report_errors(found, findings, model, path, where=where)


def has_template(value: Any) -> bool:
    """Say whether any text in a value is a template."""
    if isinstance(value, str):
        return is_template(value)
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_template(item) for item in value)


def _excused(error: Mapping[str, Any], templated: set[str]) -> bool:
    if error["type"] in ("extra_forbidden", "missing"):
        return False
    return bool(templated) and (not error["loc"] or error["loc"][0] in templated)


def _check_spelling(
    findings: Findings, path: Path, written: Mapping[str, Any], model: type[BaseModel], where: str
) -> None:
    """Report a Python name of a field: the model would take it, the format has one spelling."""
    fields = model.model_fields
    for key in written:
        spelling = (fields[key].alias or key) if key in fields else key
        if spelling != key:
            message = f'unknown field "{key}" in {where}'
            findings.error_at_key((*path, key), "unknown-field", message, did_you_mean(spelling, [spelling]))
