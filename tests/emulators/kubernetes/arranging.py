"""Arranging: the nodes, workloads, budgets and breakdowns that a test starts from."""

from typing import Any

from tests.emulators.kubernetes import builders
from tests.emulators.kubernetes.objects import Objects
from tests.emulators.kubernetes.pods import suffix, with_condition
from tests.emulators.kubernetes.resources import NODES
from tests.emulators.kubernetes.trees import Tree


class Arranging(Objects):
    """Creates objects from few arguments and breaks things."""

    def namespace(self, name: str) -> Tree:
        """Create a namespace with its default service account."""
        created = self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        self.create(account)
        return created

    def node(self, name: str, **more: Any) -> Tree:
        """Create a node that is ready: labels, cpu, memory, pods."""
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
        now = self.context.stamp()
        with self.store.lock:
            created = self.create(builders.node(name, **more))
            status = created["status"] | {"conditions": [ready | {"lastTransitionTime": now, "lastHeartbeatTime": now}]}
            return self.registry.write_status(NODES, created, status)

    def deployment(
        self,
        name: str,
        replicas: int = 1,
        image: str = builders.IMAGE,
        namespace: str = "default",
        labels: Tree | None = None,
        spec: Tree | None = None,
        **pod: Any,
    ) -> Tree:
        """Create a Deployment; `spec` adds to its spec, other arguments to its pods (env, grace, volumes, ...)."""
        return self._workload("Deployment", name, {"replicas": replicas} | (spec or {}), namespace, image, labels, pod)

    def statefulset(
        self,
        name: str,
        replicas: int = 1,
        image: str = builders.IMAGE,
        namespace: str = "default",
        labels: Tree | None = None,
        spec: Tree | None = None,
        **pod: Any,
    ) -> Tree:
        """Create a StatefulSet."""
        own = {"replicas": replicas, "serviceName": name} | (spec or {})
        return self._workload("StatefulSet", name, own, namespace, image, labels, pod)

    def daemonset(
        self,
        name: str,
        image: str = builders.IMAGE,
        namespace: str = "default",
        labels: Tree | None = None,
        spec: Tree | None = None,
        **pod: Any,
    ) -> Tree:
        """Create a DaemonSet."""
        return self._workload("DaemonSet", name, spec or {}, namespace, image, labels, pod)

    def job(
        self, name: str, image: str = builders.IMAGE, namespace: str = "default", spec: Tree | None = None, **pod: Any
    ) -> Tree:
        """Create a Job whose pods are not restarted."""
        pod = {"restartPolicy": "Never"} | pod
        return self._workload("Job", name, spec or {}, namespace, image, None, pod)

    def _workload(
        self, kind: str, name: str, spec: Tree, namespace: str, image: str, labels: Tree | None, pod: Tree
    ) -> Tree:
        return self.create(builders.workload(kind, name, namespace, spec, image, labels, **pod))

    def pod(
        self,
        name: str,
        node: str = "",
        image: str = builders.IMAGE,
        namespace: str = "default",
        labels: Tree | None = None,
        annotations: Tree | None = None,
        **pod: Any,
    ) -> Tree:
        """Create a pod that nothing manages, on a node when one is named."""
        spec = builders.pod_spec(image, **pod) | ({"nodeName": node} if node else {})
        members = builders.metadata(name, namespace, labels=labels, annotations=annotations)
        return self.create({"apiVersion": "v1", "kind": "Pod", "metadata": members, "spec": spec})

    def mirror_pod(self, name: str, node: str, namespace: str = "kube-system") -> Tree:
        """Create the API object of a static pod."""
        owner = self.get("nodes", node)
        reference = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": node,
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
        marks = {"kubernetes.io/config.mirror": "abc", "kubernetes.io/config.source": "file"}
        members = builders.metadata(f"{name}-{node}", namespace, annotations=marks, ownerReferences=[reference])
        spec = builders.pod_spec(tolerations=[{"operator": "Exists"}]) | {"nodeName": node}
        return self.create({"apiVersion": "v1", "kind": "Pod", "metadata": members, "spec": spec})

    def pdb(
        self,
        name: str,
        min_available: int | str | None = None,
        max_unavailable: int | str | None = None,
        namespace: str = "default",
        selector: Tree | None = None,
        unhealthy: str | None = None,
    ) -> Tree:
        """Create a disruption budget for app=<name>, or another selector (an object like spec.selector)."""
        members = {
            "minAvailable": min_available,
            "maxUnavailable": max_unavailable,
            "unhealthyPodEvictionPolicy": unhealthy,
            "selector": {"matchLabels": {"app": name}} if selector is None else selector,
        }
        spec = {key: value for key, value in members.items() if value is not None}
        return self.create(_document("policy/v1", "PodDisruptionBudget", name, namespace, spec=spec))

    def hpa(
        self,
        name: str,
        low: int = 1,
        high: int = 10,
        kind: str = "Deployment",
        target: str = "",
        namespace: str = "default",
    ) -> Tree:
        """Create an autoscaler for a workload of the same name; its metrics are broken until `recommend`."""
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": target or name}
        resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
        metrics = [{"type": "Resource", "resource": resource}]
        spec = {"scaleTargetRef": reference, "minReplicas": low, "maxReplicas": high, "metrics": metrics}
        return self.create(_document("autoscaling/v2", "HorizontalPodAutoscaler", name, namespace, spec=spec))

    def scaledobject(
        self,
        name: str,
        low: int = 1,
        high: int = 10,
        target: str = "",
        namespace: str = "default",
        annotations: Tree | None = None,
    ) -> Tree:
        """Create a ScaledObject for the Deployment of the same name."""
        trigger = {"type": "rabbitmq", "metadata": {"queueName": name, "mode": "QueueLength", "value": "5"}}
        spec = {
            "scaleTargetRef": {"name": target or name},
            "minReplicaCount": low,
            "maxReplicaCount": high,
            "triggers": [trigger],
        }
        document = _document("keda.sh/v1alpha1", "ScaledObject", name, namespace, spec=spec)
        document["metadata"] |= {"annotations": annotations} if annotations else {}
        return self.create(document)

    def configmap(self, name: str, values: Tree, namespace: str = "default", immutable: bool = False) -> Tree:
        """Create a ConfigMap."""
        more = {"immutable": True} if immutable else {}
        return self.create(_document("v1", "ConfigMap", name, namespace, data=values, **more))

    def quota(self, name: str, namespace: str = "default", **hard: Any) -> Tree:
        """Create a quota, such as quota("q", pods="3")."""
        return self.create(_document("v1", "ResourceQuota", name, namespace, spec={"hard": hard}))

    def event(self, involved: Tree, reason: str, message: str, type_: str = "Warning", count: int = 1) -> Tree:
        """Create an event about an object."""
        metadata, now = involved["metadata"], self.context.stamp()
        about = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in metadata}
        about |= {"apiVersion": involved["apiVersion"], "kind": involved["kind"]}
        home = metadata.get("namespace", "default")
        members = {"involvedObject": about, "reason": reason, "message": message, "type": type_, "count": count}
        times = {"firstTimestamp": now, "lastTimestamp": now, "source": {"component": "kubelet"}}
        return self.create(_document("v1", "Event", f"{metadata['name']}.{suffix()}", home, **members, **times))

    def set_log(self, pod: str, text: str, namespace: str = "default", previous: bool = False) -> None:
        """Give a pod a log, or its previous container one."""
        with self.store.lock:
            self.runtime.logs[namespace, pod, previous] = text

    def node_condition(self, name: str, type_: str, status: str = "True") -> Tree:
        """Set a condition of a node, such as DiskPressure; its taint follows."""
        with self.store.lock:
            live = self.get("nodes", name)
            new = {"type": type_, "status": status, "reason": f"KubeletHas{type_}", "message": ""}
            conditions = with_condition(live["status"].get("conditions", []), new, self.context.stamp())
            return self.registry.write_status(NODES, live, live["status"] | {"conditions": conditions})

    def node_down(self, name: str) -> None:
        """Stop a node's kubelet: it turns NotReady and confirms no deletion."""
        with self.store.lock:
            self.runtime.nodes_down.add(name)

    def node_up(self, name: str) -> None:
        with self.store.lock:
            self.runtime.nodes_down.discard(name)
            self.runtime.since.pop(("node-down", self.get("nodes", name)["metadata"]["uid"]), None)

    def pod_unready(self, name: str, namespace: str = "default") -> None:
        """Make a pod fail its readiness probe."""
        with self.store.lock:
            self.runtime.pods_unready.add((namespace, name))

    def pod_ready(self, name: str, namespace: str = "default") -> None:
        with self.store.lock:
            self.runtime.pods_unready.discard((namespace, name))

    def recommend(self, name: str, replicas: int | None, namespace: str = "default") -> None:
        """Give an autoscaler the count its metrics ask for; None breaks them again."""
        with self.store.lock:
            if replicas is None:
                self.runtime.recommendations.pop((namespace, name), None)
            else:
                self.runtime.recommendations[namespace, name] = replicas


def _document(api_version: str, kind: str, name: str, namespace: str, **members: Any) -> Tree:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}} | members
