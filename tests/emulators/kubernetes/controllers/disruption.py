"""The disruption controller: how many pods of each budget may go now."""

from tests.emulators.kubernetes.clock import elapsed_ms, parse
from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.eviction import allowed_conditions
from tests.emulators.kubernetes.pods import is_ready, is_terminal, is_terminating
from tests.emulators.kubernetes.quantities import share
from tests.emulators.kubernetes.resources import BUDGETS, BY_KIND, PODS
from tests.emulators.kubernetes.selectors import selects
from tests.emulators.kubernetes.trees import Tree, controller_of, dig, labels

_RECOGNIZED = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "ReplicationController": "v1"}


def sync(context: Context) -> None:
    """Look at every budget once."""
    for budget in context.items(BUDGETS):
        with context.requeue():
            _sync(context, budget)


def _sync(context: Context, budget: Tree) -> None:
    namespace, selector = budget["metadata"]["namespace"], budget["spec"].get("selector")
    every = [pod for pod in context.store.items(PODS, namespace) if selects(selector, labels(pod))]
    pods = [pod for pod in every if not is_terminal(pod)]
    try:
        expected, desired = _expectation(context, budget, pods)
    except ApiError as error:
        _fail(context, budget, error.message)
        return
    disrupted = _still_disrupted(context, budget, pods)
    healthy = sum(
        is_ready(pod) and not is_terminating(pod) and pod["metadata"]["name"] not in disrupted for pod in pods
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: Tree = {
        "observedGeneration": budget["metadata"]["generation"],
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": _conditions(context, budget, allowed),
    }
    context.registry.write_status(BUDGETS, budget, status | ({"disruptedPods": disrupted} if disrupted else {}))


def _expectation(context: Context, budget: Tree, pods: list[Tree]) -> tuple[int, int]:
    spec = budget["spec"]
    if spec.get("maxUnavailable") is not None:
        expected = _controller_scale(context, pods)
        return expected, max(expected - share(spec["maxUnavailable"], expected, up=True), 0)
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return len(pods), least
    expected = _controller_scale(context, pods)
    return expected, share(least, expected, up=True)


def _controller_scale(context: Context, pods: list[Tree]) -> int:
    """Return the replicas asked for by the controllers of the pods; a pod without one fails the sync."""
    scales: dict[str, int] = {}
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            name = pod["metadata"]["name"]
            raise ApiError(500, None, f"found no controller ref for pod {name!r}".replace("'", '"'))
        resource = BY_KIND.get((owner["apiVersion"], owner["kind"]))
        if _RECOGNIZED.get(owner["kind"]) != owner["apiVersion"] or resource is None:
            plural = f"{owner['kind'].lower()}s.{owner['apiVersion'].partition('/')[0]}"
            raise ApiError(500, None, f"{plural} does not implement the scale subresource")
        item = context.store.get(resource, pod["metadata"]["namespace"], owner["name"])
        parent = controller_of(item) if item else None
        if item and parent and parent["kind"] == "Deployment":
            deployment = BY_KIND[parent["apiVersion"], parent["kind"]]
            item = context.store.get(deployment, pod["metadata"]["namespace"], parent["name"])
        if item:
            scales[item["metadata"]["uid"]] = item["spec"]["replicas"]
    return sum(scales.values())


def _still_disrupted(context: Context, budget: Tree, pods: list[Tree]) -> Tree:
    """Keep a disruption until its pod goes, or for two minutes when it does not."""
    staying = {pod["metadata"]["name"] for pod in pods if not is_terminating(pod)}
    known = dig(budget, "status", "disruptedPods", default={})
    limit, now = context.settings.disrupted_pod, context.now()
    return {name: when for name, when in known.items() if name in staying and elapsed_ms(parse(when), now) < limit}


def _conditions(context: Context, budget: Tree, allowed: int) -> list[Tree]:
    return allowed_conditions(budget, allowed, context.clock)


def _fail(context: Context, budget: Tree, why: str) -> None:
    """A budget that cannot be computed allows nothing; its generation stays unobserved, as in the real controller."""
    known: Tree = next((each for each in dig(budget, "status", "conditions", default=[])), {})
    since = known.get("lastTransitionTime") if known.get("status") == "False" else None
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "SyncFailed",
        "message": why,
        "observedGeneration": dig(budget, "status", "observedGeneration", default=0),
        "lastTransitionTime": since or context.stamp(),
    }
    status = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0} | (budget.get("status") or {})
    status |= {"disruptionsAllowed": 0, "conditions": [condition]}
    context.registry.write_status(BUDGETS, budget, status)
