"""The eviction subresource: a delete that asks the pod's disruption budget first."""

from tests.emulators.kubernetes.clock import Clock, stamp
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.errors import ApiError, bad_request, forbidden, too_many_requests
from tests.emulators.kubernetes.pods import condition_of, is_ready
from tests.emulators.kubernetes.registry import Registry, WriteOptions, as_manager, namespace_terminating
from tests.emulators.kubernetes.resources import BUDGETS, NAMESPACES, PODS
from tests.emulators.kubernetes.selectors import selects
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.trees import Tree, dig, labels

VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
AMBIGUOUS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_DISRUPTED_LIMIT = 2000


def budgets_of(store: Store, pod: Tree) -> list[Tree]:
    """Return the disruption budgets that select a pod: an empty selector takes every pod of the namespace."""
    found = store.items(BUDGETS, pod["metadata"]["namespace"])
    return [budget for budget in found if selects(budget["spec"].get("selector"), labels(pod))]


def evict(registry: Registry, namespace: str, name: str, eviction: Tree, options: WriteOptions, retry_ms: int) -> Tree:
    """Serve POST pods/{name}/eviction and return the Status."""
    home = registry.store.get(NAMESPACES, "", namespace)
    if home and home["metadata"].get("deletionTimestamp"):
        raise namespace_terminating(PODS, name, namespace)
    sent = dig(eviction, "metadata", "name", default="")
    if sent != name:
        raise bad_request(f"name in URL does not match name in Eviction object: {name} vs {sent}")
    pod = registry.get(PODS, namespace, name)
    wish = eviction.get("deleteOptions") or {}
    if _beyond_budget(pod):
        _evict_freely(registry, pod, wish, options, retry_ms)
    else:
        _ask_budget(registry, pod, options)
        delete(registry, PODS, registry.get(PODS, namespace, name), wish, options)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _beyond_budget(pod: Tree) -> bool:
    phase = dig(pod, "status", "phase")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


def _evict_freely(registry: Registry, pod: Tree, wish: Tree, options: WriteOptions, retry_ms: int) -> None:
    """Delete without a budget. The server retries conflicts here, so a stale uid takes its time to fail."""
    try:
        delete(registry, PODS, pod, wish, options)
    except ApiError as error:
        error.delay_ms = retry_ms
        raise


def _ask_budget(registry: Registry, pod: Tree, options: WriteOptions) -> None:
    budgets = budgets_of(registry.store, pod)
    if len(budgets) > 1:
        raise ApiError(500, None, AMBIGUOUS)
    if not budgets:
        return
    budget = budgets[0]
    status = budget.get("status") or {}
    if not is_ready(pod):
        if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
            return
        healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        if desired > 0 and healthy >= desired:
            return
    _decrement(registry, pod, budget, options)


def _decrement(registry: Registry, pod: Tree, budget: Tree, options: WriteOptions) -> None:
    """Take one disruption from a budget, or refuse. It stays taken even if the deletion then fails."""
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        raise _violates(f"The disruption budget {name} is still being processed by the server.", retry_after=10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise forbidden(BUDGETS, name, "pdb disruptions allowed is negative")
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > _DISRUPTED_LIMIT:
        raise forbidden(BUDGETS, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if allowed == 0:
        condition = condition_of(budget, "DisruptionAllowed")
        if condition and condition.get("reason") == "SyncFailed":
            why = f"does not allow evicting pods currently because it failed sync: {condition.get('message')}"
            raise _violates(f"The disruption budget {name} {why}")
        healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        raise _violates(f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
    if options.dry_run:
        return
    taken = status | {
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": disrupted | {pod["metadata"]["name"]: stamp(registry.clock.now())},
    }
    if allowed == 1:
        taken["conditions"] = allowed_conditions(budget, 0, registry.clock)
    registry.write_status(BUDGETS, budget, taken, as_manager("kube-apiserver"))


def allowed_conditions(budget: Tree, allowed: int, clock: Clock) -> list[Tree]:
    """Return the conditions of a budget that allows so many disruptions."""
    known = condition_of(budget, "DisruptionAllowed") or {}
    answer, reason = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
    same = known.get("status") == answer
    return [
        {
            "type": "DisruptionAllowed",
            "status": answer,
            "reason": reason,
            "message": "",
            "observedGeneration": budget["metadata"]["generation"],
            "lastTransitionTime": known["lastTransitionTime"] if same else stamp(clock.now()),
        }
    ]


def _violates(why: str, retry_after: int = 0) -> ApiError:
    return too_many_requests(VIOLATES, [{"reason": "DisruptionBudget", "message": why}], retry_after)
