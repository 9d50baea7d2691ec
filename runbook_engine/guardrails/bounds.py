"""Bounds: whether this very thing may be changed by anybody's wish.

The installation's allow-list and the alert's scope say what may be; the thing itself may say that it is out of
bounds (an opt-out on it, on its namespace or its node), and some namespaces always are.
"""

from __future__ import annotations

from runbook_engine.errors import InvalidTarget, RunbookError
from runbook_engine.guardrails.case import Case
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.target import WORKLOAD_KINDS, Target
from runbook_engine.resolution import allowed, scope_refusal

PROTECTED_NAMESPACES = frozenset(("kube-system", "kube-public", "kube-node-lease"))


def target_allow_list(case: Case) -> Verdict:
    """Only what the installation and the alert's scope allow is touched."""
    target = case.change.target
    if not allowed(target, case.configuration.targets):
        says = f"{target.pattern_form} is not in the targets of engine.yaml"
        return Verdict(guardrail="targets", ok=False, says=says)
    says = scope_refusal(case.configuration, case.execution.scope, target=target)
    if says:
        return Verdict(guardrail="targets", ok=False, says=says)
    return Verdict(guardrail="targets", ok=True, says=f"{target.pattern_form} is allowed")


def bounds(case: Case) -> Verdict:
    """What is opted out, on its way out, or in a namespace that the cluster itself lives in is left alone."""
    target = case.change.target
    if target.namespace in PROTECTED_NAMESPACES:
        says = f"{target} is in the protected namespace {target.namespace}, where nothing is changed"
        return Verdict(guardrail="bounds", ok=False, says=says)
    try:
        says = _why_out_of_bounds(case, target)
    except RunbookError as error:
        return case.unread("bounds", f"whether {target} is out of bounds", error)
    return Verdict(guardrail="bounds", ok=not says, says=says or f"nothing puts {target} out of bounds")


def _why_out_of_bounds(case: Case, target: Target) -> str:
    """Return why what is changed must be left alone; empty = it need not be."""
    match target.kind:
        case kind if kind in WORKLOAD_KINDS:
            workload = case.looks.workload(target)
            ignored = workload.ignored
            if workload.deleting:
                return f"{target} is being deleted"
        case "configmap":
            ignored = case.looks.setting(target, case.change.field).ignored
        case "pod":
            ignored = _of_pod(case, target)
        case "node":
            ignored = _of_node(case, target)
        case _:
            ignored = ""
    return f"{target} {ignored}" if ignored else ""


def _of_node(case: Case, target: Target) -> str:
    """Return why a node is out of bounds; one that is gone is not: there is nothing left to leave alone."""
    try:
        return case.looks.node(target).ignored
    except InvalidTarget:
        return ""


def _of_pod(case: Case, target: Target) -> str:
    """Return why a pod is out of bounds; one that is gone is not: it may be our own change that has made it go."""
    try:
        return case.looks.pod(target).ignored
    except InvalidTarget:
        return ""
