"""Quota: how many more pods of a workload its namespace still admits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from runbook_adapters.kubernetes.amounts import parse_amount
from runbook_adapters.kubernetes.transport import Items, Json

PODS = ("pods", "count/pods")
RESOURCES = ("cpu", "memory", "ephemeral-storage")


def quota_left(quotas: Items, template: Json) -> int | None:
    """Return how many more such pods fit into every quota that counts them, None when none does. Raises Unreadable."""
    pod = template.get("spec") or {}
    per_pod = _per_pod(pod)
    rooms = [room for quota in quotas if _counts(quota, pod, per_pod) for room in _rooms(quota, per_pod)]
    return max(0, min(rooms)) if rooms else None


def _rooms(quota: Json, per_pod: Mapping[str, Fraction]) -> Iterable[int]:
    status = quota.get("status") or {}
    hard = status.get("hard") or (quota.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    for name, limit in hard.items():
        need = per_pod.get(name, Fraction(0))
        if need > 0:
            yield math.floor((parse_amount(limit) - parse_amount(used.get(name, 0))) / need)


def _per_pod(pod: Json) -> Mapping[str, Fraction]:
    """Return what one pod takes of every name that a quota can limit."""
    needs = {name: Fraction(1) for name in PODS}
    for resource in RESOURCES:
        requests, limits = _total(pod, "requests", resource), _total(pod, "limits", resource)
        needs[resource] = needs[f"requests.{resource}"] = requests or limits
        needs[f"limits.{resource}"] = limits
    return needs


def _total(pod: Json, side: str, resource: str) -> Fraction:
    """Return the larger of what the containers take together and what any one that prepares them takes."""

    def of(container: Json) -> Fraction:
        return parse_amount(((container.get("resources") or {}).get(side) or {}).get(resource, 0))

    together = sum((of(container) for container in pod.get("containers") or []), Fraction(0))
    beside = [container for container in pod.get("initContainers") or [] if container.get("restartPolicy") == "Always"]
    before = [container for container in pod.get("initContainers") or [] if container.get("restartPolicy") != "Always"]
    together += sum((of(container) for container in beside), Fraction(0))
    overhead = parse_amount((pod.get("overhead") or {}).get(resource, 0))
    return max([together, *(of(container) for container in before)]) + overhead


def _counts(quota: Json, pod: Json, per_pod: Mapping[str, Fraction]) -> bool:
    """Whether a quota counts such a pod: it does unless one of its scopes says otherwise."""
    spec = quota.get("spec") or {}
    clauses = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or []]
    clauses += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_in_scope(clause, pod, per_pod) for clause in clauses)


def _in_scope(clause: Json, pod: Json, per_pod: Mapping[str, Fraction]) -> bool:
    modest = not any(per_pod[name] for name in ("cpu", "memory", "limits.cpu", "limits.memory"))
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
