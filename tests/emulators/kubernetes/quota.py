"""ResourceQuota: what is used, and the refusal of a pod that would not fit."""

from tests.emulators.kubernetes.errors import forbidden
from tests.emulators.kubernetes.quantities import quantity, requests
from tests.emulators.kubernetes.resources import PODS, QUOTAS
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.trees import Tree, dig

_NAMES = {"pods": "pods", "count/pods": "pods", "cpu": "cpu", "requests.cpu": "cpu"}
_NAMES |= {"memory": "memory", "requests.memory": "memory"}


def charge(pod: Tree, name: str) -> float:
    """Return what a pod uses of a quota's resource."""
    return 1 if _NAMES[name] == "pods" else requests(pod["spec"], _NAMES[name])


def used(store: Store, quota: Tree) -> dict[str, float]:
    """Return what the pods of a namespace use of each resource a quota limits."""
    pods = [pod for pod in store.items(PODS, quota["metadata"]["namespace"]) if not _terminal(pod)]
    return {name: sum(charge(pod, name) for pod in pods) for name in quota["spec"]["hard"] if name in _NAMES}


def admit_pod(store: Store, pod: Tree) -> None:
    """Refuse a pod that exceeds a quota of its namespace."""
    for quota in store.items(QUOTAS, pod["metadata"]["namespace"]):
        taken = used(store, quota)
        over = [
            name for name, sum_ in taken.items() if sum_ + charge(pod, name) > quantity(quota["spec"]["hard"][name])
        ]
        if over:
            asked = ",".join(f"{name}={show(charge(pod, name), name)}" for name in over)
            have = ",".join(f"{name}={show(taken[name], name)}" for name in over)
            limits = ",".join(f"{name}={quota['spec']['hard'][name]}" for name in over)
            why = f"exceeded quota: {quota['metadata']['name']}, requested: {asked}, used: {have}, limited: {limits}"
            raise forbidden(PODS, pod["metadata"]["name"], why)


def show(value: float, name: str) -> str:
    """Return an amount as a quantity."""
    if _NAMES[name] == "cpu" and value != int(value):
        return f"{round(value * 1000)}m"
    if _NAMES[name] == "memory" and value and value % 2**20 == 0:
        return f"{int(value // 2**20)}Mi"
    return str(int(value))


def _terminal(pod: Tree) -> bool:
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")
