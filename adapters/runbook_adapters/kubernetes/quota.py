"""Quota: how many more pods of a workload its namespace still admits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from runbook_adapters.kubernetes.amounts import needed_by, parse_amount
from runbook_adapters.kubernetes.transport import Items, Json

PODS = ("pods", "count/pods")
LIMITS, REQUESTS = "limits.", "requests."


def quota_left(quotas: Items, template: Json) -> int | None:
    """Return how many more such pods fit into every quota that counts them, None when none does. Raises Unreadable."""
    pod = template.get("spec") or {}
    rooms = [room for quota in quotas if _counts(quota, pod) for room in _rooms(quota, pod)]
    return max(0, min(rooms)) if rooms else None


def _rooms(quota: Json, pod: Json) -> Iterable[int]:
    status = quota.get("status") or {}
    hard = status.get("hard") or (quota.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    for name, limit in hard.items():
        need = _need(pod, name)
        if need > 0:
            yield math.floor((parse_amount(limit) - parse_amount(used.get(name, 0))) / need)


def _need(pod: Json, name: str) -> Fraction:
    """Return what one pod takes of what a quota limits; the bare name of a resource means what is asked for."""
    if name in PODS:
        return Fraction(1)
    if name.startswith(LIMITS):
        return needed_by(pod, name.removeprefix(LIMITS), "limits")
    return needed_by(pod, name.removeprefix(REQUESTS))


def _counts(quota: Json, pod: Json) -> bool:
    """Whether a quota counts such a pod: it does unless one of its scopes says otherwise."""
    spec = quota.get("spec") or {}
    clauses = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or []]
    clauses += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_in_scope(clause, pod) for clause in clauses)


def _in_scope(clause: Json, pod: Json) -> bool:
    modest = not any(_need(pod, name) for name in ("cpu", "memory", "limits.cpu", "limits.memory"))
    ends = pod.get("activeDeadlineSeconds") is not None
    match clause.get("scopeName"):
        case "Terminating":
            return ends
        case "NotTerminating":
            return not ends
        case "BestEffort":
            return modest
        case "NotBestEffort":
            return not modest
        case "PriorityClass":
            return _has_priority(clause, str(pod.get("priorityClassName") or ""))
        case _:
            return True


def _has_priority(clause: Json, name: str) -> bool:
    values = clause.get("values") or []
    match clause.get("operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "DoesNotExist":
            return not name
        case _:
            return bool(name)
