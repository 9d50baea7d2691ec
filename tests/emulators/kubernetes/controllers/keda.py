"""The KEDA operator: a ScaledObject owns an HPA, whose spec it puts back whenever somebody edits it."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.registry import as_manager
from tests.emulators.kubernetes.resources import AUTOSCALERS, BY_KIND, SCALED_OBJECTS
from tests.emulators.kubernetes.scale import from_scale
from tests.emulators.kubernetes.trees import Tree, annotations, dig, owner_reference

PAUSED, PAUSED_REPLICAS = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
NAME_LABEL = "scaledobject.keda.sh/name"


def sync(context: Context) -> None:
    """Look at every ScaledObject once."""
    for scaled in context.items(SCALED_OBJECTS):
        if "deletionTimestamp" not in scaled["metadata"]:
            with context.requeue():
                _sync(context, scaled)


def _sync(context: Context, scaled: Tree) -> None:
    namespace, name = scaled["metadata"]["namespace"], f"keda-hpa-{scaled['metadata']['name']}"
    options = as_manager("keda")
    live = context.store.get(AUTOSCALERS, namespace, name)
    if annotations(scaled).get(PAUSED) == "true" or PAUSED_REPLICAS in annotations(scaled):
        if live:
            delete(context.registry, AUTOSCALERS, live)
        _hold(context, scaled)
        _write_status(context, scaled, "True", "ScaledObjectPaused")
        return
    wanted = _autoscaler_spec(scaled)
    if live is None:
        metadata = {
            "name": name,
            "labels": {NAME_LABEL: scaled["metadata"]["name"], "app.kubernetes.io/managed-by": "keda-operator"},
            "ownerReferences": [owner_reference(scaled)],
        }
        context.registry.create(AUTOSCALERS, namespace, {"metadata": metadata, "spec": wanted}, options)
    elif live["spec"] != wanted:
        context.registry.update(AUTOSCALERS, live, live | {"spec": wanted}, options)
    _write_status(context, scaled, "False", "ScaledObjectUnpaused", name)


def _autoscaler_spec(scaled: Tree) -> Tree:
    spec = scaled["spec"]
    target = spec["scaleTargetRef"]
    reference = {"apiVersion": target.get("apiVersion", "apps/v1"), "kind": target.get("kind", "Deployment")}
    metric = {"metric": {"name": "s0-trigger"}, "target": {"type": "AverageValue", "averageValue": "5"}}
    return {
        "scaleTargetRef": reference | {"name": target["name"]},
        "minReplicas": max(spec.get("minReplicaCount", 0), 1),
        "maxReplicas": spec.get("maxReplicaCount", 100),
        "metrics": [{"type": "External", "external": metric}],
    }


def _hold(context: Context, scaled: Tree) -> None:
    """Put a paused target at the replicas its annotation names."""
    text = annotations(scaled).get(PAUSED_REPLICAS)
    target = scaled["spec"]["scaleTargetRef"]
    resource = BY_KIND.get((target.get("apiVersion", "apps/v1"), target.get("kind", "Deployment")))
    item = resource and context.store.get(resource, scaled["metadata"]["namespace"], target["name"])
    if resource and item and text and text.isdigit() and item["spec"]["replicas"] != int(text):
        wanted = from_scale(item, {"spec": {"replicas": int(text)}})
        context.registry.update(resource, item, wanted, as_manager("keda"), "scale")


def _write_status(context: Context, scaled: Tree, paused: str, reason: str, autoscaler: str = "") -> None:
    target = scaled["spec"]["scaleTargetRef"]
    status = dict(scaled.get("status") or {})
    status["conditions"] = [
        {
            "type": "Ready",
            "status": "True",
            "reason": "ScaledObjectReady",
            "message": "ScaledObject is defined correctly",
        },
        {"type": "Active", "status": "True", "reason": "ScalerActive", "message": "Scaling is performed"},
        {"type": "Paused", "status": paused, "reason": reason, "message": ""},
    ]
    status["scaleTargetKind"] = f"{target.get('apiVersion', 'apps/v1')}.{target.get('kind', 'Deployment')}"
    if autoscaler:
        status["hpaName"] = autoscaler
    count = dig(status, "originalReplicaCount")
    status["originalReplicaCount"] = 1 if count is None else count
    context.registry.write_status(SCALED_OBJECTS, scaled, status, as_manager("keda"))
