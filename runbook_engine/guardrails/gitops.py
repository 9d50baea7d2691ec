"""GitOps: what a tool keeps as git says is changed in git, since the tool would revert any other change.

Infrastructure that is written in git is such a thing too: the next apply puts a function back.

A restart's mark is normally not in git, so it would stay; it is refused all the same, because a tool that prunes
what git does not name would restart everything once more.
"""

from __future__ import annotations

from runbook_engine.errors import RunbookError
from runbook_engine.guardrails.case import Case
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.target import WORKLOAD_KINDS

AUTOSCALER_FIELD = "minReplicas"  # a change of a workload that is written to its autoscaler


def gitops(case: Case) -> Verdict:
    """What a GitOps tool owns is left alone, unless the runbook allows drift."""
    try:
        what, owner = _owned(case)
    except RunbookError as error:
        return case.unread("gitops", f"whether a GitOps tool owns {case.change.target}", error)
    if not owner:
        return Verdict(guardrail="gitops", ok=True, says=f"no GitOps tool owns {what}")
    says = f"{what} belongs to {owner}"
    if case.runbook.guardrails.gitops == "allowDrift":
        return Verdict(guardrail="gitops", ok=True, says=f"{says}, and the runbook allows drift")
    remedy = "change it in git, or say gitops: allowDrift under guardrails"
    return Verdict(guardrail="gitops", ok=False, says=f"{says}, which may revert the change ({remedy})")


def _owned(case: Case) -> tuple[str, str]:
    """Return what is written to, as people read it, and which tool owns that; empty = none."""
    change = case.change
    if change.target.kind == "configmap":
        return str(change.target), case.looks.setting(change.target, change.field).gitops
    if change.target.kind == "function":
        return str(change.target), case.looks.function(change.target).managed
    if change.target.kind not in WORKLOAD_KINDS:
        return str(change.target), ""
    workload = case.looks.workload(change.target)
    scaler = workload.autoscaler
    if change.field == AUTOSCALER_FIELD and scaler is not None:
        return f"{scaler.kind} {scaler.name} of {change.target}", scaler.gitops
    return str(change.target), workload.gitops
