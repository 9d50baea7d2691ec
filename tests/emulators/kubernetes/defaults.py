"""Defaulting: the values the server fills in, and the zero values it leaves out of what it answers."""

from tests.emulators.kubernetes.trees import Tree, dig


def apply_defaults(item: Tree) -> Tree:
    """Fill in defaults in place and return the object."""
    spec = item.setdefault("spec", {}) if item["kind"] not in _WITHOUT_SPEC else {}
    _DEFAULTS.get(item["kind"], _nothing)(spec, item)
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if item["metadata"].get(name) in ({}, []):
            del item["metadata"][name]
    return item


_WITHOUT_SPEC = ("ConfigMap", "ServiceAccount", "Event", "ControllerRevision")


def _nothing(spec: Tree, item: Tree) -> None:
    """Kinds without defaults."""


def _omit_false(spec: Tree, *names: str) -> None:
    for name in names:
        if spec.get(name) in (False, None, "", []):
            spec.pop(name, None)


def _pod_spec(spec: Tree) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in (spec.get("containers") or []) + (spec.get("initContainers") or []):
        _container(container)
    for volume in spec.get("volumes") or []:
        if volume.keys() == {"name"}:
            volume["emptyDir"] = {}
        if isinstance(volume.get("configMap"), dict):
            volume["configMap"].setdefault("defaultMode", 420)
    _omit_false(spec, "hostNetwork", "hostPID", "hostIPC", "nodeName", "containers", "initContainers", "volumes")


def _container(container: Tree) -> None:
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for each in container.get("env") or []:
        if each.get("value") == "":
            del each["value"]
        if isinstance(dig(each, "valueFrom", "fieldRef"), dict):
            each["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    _omit_false(container, "env", "ports", "command", "args", "volumeMounts", "envFrom", "stdin", "tty")


def _template(spec: Tree) -> None:
    template = spec.setdefault("template", {})
    metadata = template.setdefault("metadata", {})
    for name in ("labels", "annotations"):
        if metadata.get(name) == {}:
            del metadata[name]
    _pod_spec(template.setdefault("spec", {}))


def _deployment(spec: Tree, item: Tree) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _omit_false(spec, "paused")
    _template(spec)


def _replicaset(spec: Tree, item: Tree) -> None:
    spec.setdefault("replicas", 1)
    _template(spec)


def _statefulset(spec: Tree, item: Tree) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("serviceName", "")
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    _template(spec)


def _daemonset(spec: Tree, item: Tree) -> None:
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    _template(spec)


def _job(spec: Tree, item: Tree) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    spec.setdefault("suspend", False)
    _template(spec)


def _pod(spec: Tree, item: Tree) -> None:
    _pod_spec(spec)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("enableServiceLinks", True)
    tolerations = spec.setdefault("tolerations", [])
    for condition in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{condition}"
        if not any(_covers(each, key) for each in tolerations):
            wait = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            tolerations.append(wait)


def _covers(toleration: Tree, key: str) -> bool:
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in (None, "", "NoExecute")


def _node(spec: Tree, item: Tree) -> None:
    _omit_false(spec, "unschedulable", "taints")


def _autoscaler(spec: Tree, item: Tree) -> None:
    spec.setdefault("minReplicas", 1)


def _quota(spec: Tree, item: Tree) -> None:
    spec["hard"] = {key: str(value) for key, value in spec.get("hard", {}).items()}


def _configmap(spec: Tree, item: Tree) -> None:
    if item.get("immutable") is False:
        del item["immutable"]
    for name in ("data", "binaryData"):
        if item.get(name) == {}:
            del item[name]


def _namespace(spec: Tree, item: Tree) -> None:
    spec.setdefault("finalizers", ["kubernetes"])
    item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]


_DEFAULTS = {
    "Deployment": _deployment,
    "ReplicaSet": _replicaset,
    "StatefulSet": _statefulset,
    "DaemonSet": _daemonset,
    "Job": _job,
    "Pod": _pod,
    "Node": _node,
    "HorizontalPodAutoscaler": _autoscaler,
    "ResourceQuota": _quota,
    "ConfigMap": _configmap,
    "Namespace": _namespace,
}
