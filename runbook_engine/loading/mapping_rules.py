"""What must hold between scopes and mappings: one that is read by a mapping names it, and no other does."""

from __future__ import annotations

from typing import Any, Final

from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_map
from runbook_engine.loading.yaml_tree import Path

MAPPED: Final = "mapped"  # the source that reads by a mapping


def check_mappings(findings: Findings) -> None:
    """Report scopes without the mapping that they need, and mappings that no scope needs."""
    content = as_map(findings.content)
    mappings = as_map(content.get("mappings"))
    used = {_check_scope(findings, ("scopes", name), as_map(scope), mappings) for name, scope in _scopes(content)}
    for name, mapping in mappings.items():
        _check_identity(findings, ("mappings", name, "identity"), as_map(mapping).get("identity"))
        if name not in used:
            hint = f"write {{source: {MAPPED}, mapping: {name}}} for its sender under scopes, or remove it"
            findings.warning(("mappings", name), "mapping-unused", f'no scope reads with the mapping "{name}"', hint)


def _check_identity(findings: Findings, path: Path, identity: Any) -> None:
    """Report an identity that nothing of an alert enters."""
    parts = identity if isinstance(identity, list) else [identity]
    if identity and all(isinstance(part, dict) and "value" in part for part in parts):
        message = "every alert would be one and the same: its identity is read from nothing that it says"
        findings.error(path, "mapping-identity", message, "write identity: /the/id of the sender, or leave it out")


def _scopes(content: Any) -> list[tuple[str, Any]]:
    return list(as_map(content.get("scopes")).items())


def _check_scope(findings: Findings, path: Path, scope: Any, mappings: Any) -> str:
    """Report what is wrong between one scope and its mapping; return the mapping's name."""
    source, name = scope.get("source"), scope.get("mapping")
    if source == MAPPED and "mapping" not in scope:
        hint = f"write mapping: {next(iter(mappings), 'NAME')}, and describe it under mappings"
        findings.error(path, "mapping-missing", f'"mapping" is missing: the source {MAPPED} reads by one', hint)
    if source != MAPPED and name is not None:
        message = f"only the source {MAPPED} reads by a mapping, not {source or 'alertmanager'}"
        findings.error((*path, "mapping"), "mapping-meaningless", message, f"write source: {MAPPED}, or remove it")
    elif isinstance(name, str) and name not in mappings:
        hint = did_you_mean(name, mappings) if mappings else "describe it under mappings"
        findings.error((*path, "mapping"), "unknown-mapping", f'unknown mapping "{name}"', hint)
    return name if isinstance(name, str) else ""
