"""Looking: what it takes to look at things, by their kind, as in `apps/deployments:get` or `lambda:GetAlias`.

Actions, collectors and checks look through the same readers, so what a look reads is said once.
"""

from __future__ import annotations

from collections.abc import Mapping

WORKLOADS = ("deployment", "statefulset", "daemonset")
RESOURCES: Mapping[str, str] = {kind: f"apps/{kind}s" for kind in WORKLOADS}
HISTORY: Mapping[str, str] = {
    "deployment": "apps/replicasets:list",
    "statefulset": "apps/controllerrevisions:list",
    "daemonset": "apps/controllerrevisions:list",
}
SURROUNDINGS = ("core/namespaces:get", "core/resourcequotas:list")  # a namespace may be out of bounds as a whole
AUTOSCALERS = ("autoscaling/horizontalpodautoscalers:list", "keda.sh/scaledobjects:list")
NODE_LOOKS = ("core/nodes:get", "core/nodes:list")
LISTING_PODS = (  # with their budgets; one with a number is judged by what the owner is meant to have
    *("core/pods:list", "core/namespaces:get", "policy/poddisruptionbudgets:list"),
    *("apps/daemonsets:get", "apps/replicasets:get", "apps/statefulsets:get"),
)
FUNCTION_LOOKS = (  # what it is, what its alias points to, what there is to return to, and who calls it how
    *("lambda:GetFunctionConfiguration", "lambda:GetAlias", "lambda:ListVersionsByFunction"),
    *("lambda:GetFunctionConcurrency", "lambda:ListTags", "lambda:GetPolicy", "lambda:ListEventSourceMappings"),
)
QUEUE_LOOKS = (
    *("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags"),
    *("sqs:ListDeadLetterSourceQueues", "sqs:ListMessageMoveTasks"),
)
FUNCTION_LOGS = ("lambda:GetFunctionConfiguration", "logs:FilterLogEvents")  # it says where it logs to
METRIC_LOOKS = ("cloudwatch:GetMetricData",)
FOLLOWING = ("core/pods:get", "apps/replicasets:get", *(f"{RESOURCES[kind]}:get" for kind in WORKLOADS))


def looking(kind: str) -> tuple[str, ...]:
    """Return what it takes to see a workload, a function or a queue, and all that it is judged by; else nothing."""
    if kind not in RESOURCES:
        return {"function": FUNCTION_LOOKS, "queue": QUEUE_LOOKS}.get(kind, ())
    return (*glancing(kind), *SURROUNDINGS, *(() if kind == "daemonset" else AUTOSCALERS))


def glancing(kind: str) -> tuple[str, ...]:
    """Return what it takes to see where a workload's rollout stands: its pods say why it is stuck, or their nodes."""
    if kind not in RESOURCES:
        return ()
    lost = ("core/nodes:get",) if kind == "daemonset" else ()
    return (f"{RESOURCES[kind]}:get", HISTORY[kind], "core/pods:list", *lost)


def tracing(kind: str) -> tuple[str, ...]:
    """Return what it takes to tell who changed something, and what."""
    if kind in RESOURCES:
        running = () if kind == "deployment" else ("core/pods:list",)
        return (f"{RESOURCES[kind]}:get", HISTORY[kind], *running)
    return {
        "node": ("core/nodes:get",),
        "pod": ("core/pods:get",),
        "function": ("lambda:GetFunctionConfiguration", "lambda:GetAlias", "lambda:ListVersionsByFunction"),
    }.get(kind, ())


def finding_pods(kind: str) -> tuple[str, ...]:
    """Return what it takes to find the pods of a workload, or the pod itself."""
    if kind == "pod":
        return ("core/pods:get",)
    if kind not in RESOURCES:
        return ()
    between = (HISTORY[kind],) if kind == "deployment" else ()
    return (f"{RESOURCES[kind]}:get", *between, "core/pods:list")


def judging_pods(kind: str) -> tuple[str, ...]:
    """Return what it takes to judge whether pods may go: their budgets, and what their workloads have ready."""
    kinds = (kind,) if kind in RESOURCES else WORKLOADS
    between = ("apps/replicasets:get",) if "deployment" in kinds else ()
    looks = ("core/pods:get", "core/namespaces:get", "policy/poddisruptionbudgets:list", *between)
    return together(looks, *(glancing(each) for each in kinds))


def together(*needs: tuple[str, ...]) -> tuple[str, ...]:
    """Return several needs as one, each entry once, in order."""
    return tuple(dict.fromkeys(entry for need in needs for entry in need))
