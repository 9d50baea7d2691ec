"""The resources the server knows: their names in the API and what the registry does with them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One kind of object. Hashable, so that it is the key of its own shelf in the store."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    scalable: bool = False
    status: bool = True
    counted: bool = True  # has metadata.generation
    custom: bool = False
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def singular(self) -> str:
        return self.kind.lower()


def _core(plural: str, kind: str, **more: object) -> Resource:
    return Resource("", "v1", plural, kind, **more)  # type: ignore[arg-type]


def _apps(plural: str, kind: str, **more: object) -> Resource:
    return Resource("apps", "v1", plural, kind, categories=("all",), **more)  # type: ignore[arg-type]


RESOURCES: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", namespaced=False, short=("ns",), counted=False),
    _core("nodes", "Node", namespaced=False, short=("no",), counted=False),
    _core("pods", "Pod", short=("po",), categories=("all",)),
    _core("events", "Event", short=("ev",), status=False, counted=False),
    _core("configmaps", "ConfigMap", short=("cm",), status=False, counted=False),
    _core("serviceaccounts", "ServiceAccount", short=("sa",), status=False, counted=False),
    _core("services", "Service", short=("svc",), counted=False, categories=("all",)),
    _core("resourcequotas", "ResourceQuota", short=("quota",), counted=False),
    _apps("deployments", "Deployment", short=("deploy",), scalable=True),
    _apps("statefulsets", "StatefulSet", short=("sts",), scalable=True),
    _apps("replicasets", "ReplicaSet", short=("rs",), scalable=True),
    _apps("daemonsets", "DaemonSet", short=("ds",)),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision", status=False, counted=False),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",)),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", short=("hpa",), counted=False),
    Resource("batch", "v1", "jobs", "Job"),
    Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject", short=("so",), custom=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", status=False, counted=False),
)

BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
BY_PLURAL = {resource.plural: resource for resource in RESOURCES}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}

NAMESPACES, NODES, PODS = BY_PLURAL["namespaces"], BY_PLURAL["nodes"], BY_PLURAL["pods"]
DEPLOYMENTS, REPLICASETS = BY_PLURAL["deployments"], BY_PLURAL["replicasets"]
STATEFULSETS, DAEMONSETS, JOBS = BY_PLURAL["statefulsets"], BY_PLURAL["daemonsets"], BY_PLURAL["jobs"]
REVISIONS, BUDGETS = BY_PLURAL["controllerrevisions"], BY_PLURAL["poddisruptionbudgets"]
AUTOSCALERS, SCALED_OBJECTS = BY_PLURAL["horizontalpodautoscalers"], BY_PLURAL["scaledobjects"]
QUOTAS, CONFIGMAPS, EVENTS = BY_PLURAL["resourcequotas"], BY_PLURAL["configmaps"], BY_PLURAL["events"]
SERVICE_ACCOUNTS = BY_PLURAL["serviceaccounts"]
