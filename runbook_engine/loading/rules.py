"""What must hold between the fields of a runbook, judged on what is written, so that every error shows at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol

from runbook_engine.documents.target import KINDS
from runbook_engine.loading.arguments import check_arguments
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.runbook import Step
from runbook_engine.model.target import FOUND_KINDS
from runbook_engine.ports import ActionSpec, AdapterSpec, CollectorSpec
from runbook_engine.templating import is_template


class Catalogue(Protocol):
    """What the registry knows of actions, collectors, sources and adapters."""

    @property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action by name."""
        ...

    @property
    def collectors(self) -> Mapping[str, CollectorSpec]:
        """Every evidence collector by name."""
        ...

    @property
    def sources(self) -> Mapping[str, Any]:
        """Every alert source by name."""
        ...

    def time_limit(self, step: Step) -> timedelta:
        """Return how long the action of a step may take to take effect."""
        ...

    def adapter(self, name: str) -> AdapterSpec:
        """Return one adapter. Raises NoAdapter."""
        ...


def check_rules(findings: Findings, catalogue: Catalogue) -> None:
    """Report what breaks a rule between fields."""
    content = as_map(findings.content)
    if content.get("strategy") == "escalate" and not content.get("verify"):
        message = 'strategy "escalate" needs "verify": it stops at the first step after which verify passes'
        findings.error(("strategy",), "escalate-verify", message, "add verify, or write strategy: sequence")
    _check_group(findings, content)
    _check_unique_steps(findings)
    for index, step in steps_of(findings):
        _check_step(findings, ("steps", index), step, catalogue)
    _check_diagnostics(findings, as_list(content.get("diagnostics")), catalogue)


def steps_of(findings: Findings) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield every step that is a map, with its index."""
    for index, step in enumerate(as_list(as_map(findings.content).get("steps"))):
        if isinstance(step, dict):
            yield index, step


def as_map(value: Any) -> Mapping[str, Any]:
    """Return a map as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []


def _check_group(findings: Findings, content: Mapping[str, Any]) -> None:
    if content.get("group") is not None and not _varies(content.get("target")):
        message = '"group" counts targets, and every run of this runbook has the same one'
        findings.warning(("group",), "group-of-one", message, "remove it, or let the target come from an input")


def _varies(target: Any) -> bool:
    """Whether a target is filled in from what an alert says."""
    if isinstance(target, dict):
        return any(_varies(part) for part in target.values())
    return isinstance(target, str) and is_template(target)


def _check_unique_steps(findings: Findings) -> None:
    seen: set[str] = set()
    for index, step in steps_of(findings):
        name = step.get("name")
        if isinstance(name, str) and name in seen:
            findings.error(
                ("steps", index, "name"), "duplicate-step", f'two steps are named "{name}"', "rename one of them"
            )
        seen.add(str(name))


def _check_step(findings: Findings, path: Path, step: Mapping[str, Any], catalogue: Catalogue) -> None:
    action = step.get("action")
    if not isinstance(action, str):
        return
    spec = catalogue.actions.get(action)
    if spec is None:
        _report_unknown_action(findings, (*path, "action"), action, catalogue)
        return
    _check_compensation(findings, path, step, spec)
    _check_target_kind(findings, path, step, spec)
    written = step.get("with")
    if written is None or isinstance(written, dict):
        inside = (*path, "with") if isinstance(written, dict) else path
        check_arguments(findings, inside, written or {}, spec.params, f'"with" of action "{action}"')


def _report_unknown_action(findings: Findings, path: Path, action: str, catalogue: Catalogue) -> None:
    findings.error(path, "unknown-action", f'unknown action "{action}"', did_you_mean(action, catalogue.actions))


def _check_compensation(findings: Findings, path: Path, step: Mapping[str, Any], spec: ActionSpec) -> None:
    stated = step.get("compensate")
    when = stated.get("when") if isinstance(stated, dict) else stated
    if spec.reversible and stated is None:
        message = f'"compensate" is missing in {findings.where(path)}: "{spec.name}" can be undone, so say when'
        findings.error(path, "compensate-missing", message, "write compensate: whenResolved, onFailure or never")
    if not spec.reversible and isinstance(when, str) and when != "never":
        message = f'"{spec.name}" cannot be undone by a machine'
        findings.error((*path, "compensate"), "compensate-irreversible", message, "write compensate: never")


def _check_target_kind(findings: Findings, path: Path, step: Mapping[str, Any], spec: ActionSpec) -> None:
    own = step.get("target")
    place = (*path, "target") if own is not None else (*path, "action")
    target = own if own is not None else as_map(findings.content).get("target")
    kinds = [kind for kind in KINDS if kind in target] if isinstance(target, dict) else []
    kind = kinds[0] if kinds else "none" if target == "none" else ""
    if not kind or not spec.target_kinds or (FOUND_KINDS.get(kind) or {kind}) & set(spec.target_kinds):
        return
    leads = " or a ".join(sorted(FOUND_KINDS.get(kind, [])))
    article = f"a {leads}" if leads else f"a {kind}" if kind != "none" else "no target"
    hint = f"it works on {' or '.join(spec.target_kinds)}: give the step such a target"
    findings.error(place, "target-kind", f'"{spec.name}" does not work on {article}', hint)


def _check_diagnostics(findings: Findings, diagnostics: list[Any], catalogue: Catalogue) -> None:
    for index, entry in enumerate(diagnostics):
        if not isinstance(entry, dict):
            continue
        path: Path = ("diagnostics", index)
        if len(entry) != 1:
            message = f"an entry of diagnostics names one collector, this one {len(entry)}"
            findings.error(path, "one-collector", message, "begin each one with its own dash")
            continue
        name, written = next(iter(entry.items()))
        spec = catalogue.collectors.get(name)
        if spec is None:
            hint = did_you_mean(name, catalogue.collectors)
            findings.error_at_key((*path, name), "unknown-collector", f'unknown collector "{name}"', hint)
        elif written is None or isinstance(written, dict):
            check_arguments(findings, (*path, name), written or {}, spec.arguments, f'"{name}" of diagnostics')
