"""Disruption budgets: which of them cover a pod, and what is left of each."""

from __future__ import annotations

from runbook_adapters.kubernetes.objects import condition_of, count_of, labels_of, matches, metadata_of, name_of
from runbook_adapters.kubernetes.transport import Items, Json
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.node import DisruptionBudget


def covering(budgets: Items, pod: Json) -> tuple[DisruptionBudget, ...]:
    """Return those of its namespace's budgets that select a pod; an empty selector takes all, an absent one none."""
    labels = labels_of(pod)
    return tuple(budget_of(each) for each in budgets if matches((each.get("spec") or {}).get("selector"), labels))


def budget_of(obj: Json) -> DisruptionBudget:
    """Return a budget as its controller has counted it."""
    status = obj.get("status") or {}
    condition = condition_of(obj, "DisruptionAllowed")
    failed = condition.get("status") == "False" and condition.get("reason") == "SyncFailed"
    return DisruptionBudget(
        name=name_of(obj),
        allowed=count_of(status, "disruptionsAllowed"),
        healthy=count_of(status, "currentHealthy"),
        wanted=count_of(status, "desiredHealthy"),
        expected=count_of(status, "expectedPods"),
        observed=count_of(status, "observedGeneration") >= count_of(metadata_of(obj), "generation"),
        problem=one_line(condition.get("message") or "its controller cannot count its pods") if failed else "",
        frees_unready=(obj.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )
