"""The known fields of each kind, as deep as remediation reaches: what is not here is an unknown field."""

from typing import Any

ANY = "any"
STRINGS: dict[str, Any] = {"*": "string"}


def _fields(text: str, kind: str) -> dict[str, Any]:
    return dict.fromkeys(text.split(), kind)


def _free(text: str) -> dict[str, Any]:
    return _fields(text, ANY)


METADATA: dict[str, Any] = {
    **_fields("name generateName namespace selfLink uid resourceVersion creationTimestamp deletionTimestamp", "string"),
    **_fields("generation deletionGracePeriodSeconds", "int"),
    "labels": STRINGS,
    "annotations": STRINGS,
    "finalizers": ["string"],
    "ownerReferences": [
        {**_fields("apiVersion kind name uid", "string"), **_fields("controller blockOwnerDeletion", "bool")}
    ],
    "managedFields": ANY,
}
ENV = {
    "name": "string",
    "value": "string",
    "valueFrom": _free("fieldRef resourceFieldRef configMapKeyRef secretKeyRef fileKeyRef"),
}
PORT = {**_fields("name protocol hostIP", "string"), **_fields("containerPort hostPort", "int")}
CONTAINER: dict[str, Any] = {
    **_fields("name image workingDir terminationMessagePath terminationMessagePolicy imagePullPolicy", "string"),
    **_fields("stdin stdinOnce tty", "bool"),
    "restartPolicy": "string",
    "command": ["string"],
    "args": ["string"],
    "ports": [PORT],
    "env": [ENV],
    "envFrom": [_free("prefix configMapRef secretRef")],
    "resources": {"limits": ANY, "requests": ANY, "claims": ANY},
    "volumeMounts": [_free("name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr")],
    "securityContext": ANY,
    **_free("livenessProbe readinessProbe startupProbe lifecycle volumeDevices resizePolicy restartPolicyRules"),
}
POD_SPEC: dict[str, Any] = {
    "containers": [CONTAINER],
    "initContainers": [CONTAINER],
    "ephemeralContainers": ANY,
    "volumes": ANY,
    **_fields("restartPolicy dnsPolicy serviceAccountName serviceAccount nodeName hostname subdomain", "string"),
    **_fields("schedulerName priorityClassName preemptionPolicy runtimeClassName hostnameOverride", "string"),
    **_fields("terminationGracePeriodSeconds activeDeadlineSeconds priority", "int"),
    **_fields("automountServiceAccountToken hostNetwork hostPID hostIPC shareProcessNamespace", "bool"),
    **_fields("enableServiceLinks setHostnameAsFQDN hostUsers", "bool"),
    "nodeSelector": STRINGS,
    **_free("securityContext imagePullSecrets affinity tolerations hostAliases dnsConfig readinessGates overhead"),
    **_free("topologySpreadConstraints os schedulingGates resourceClaims resources workloadRef"),
}
TEMPLATE = {"metadata": METADATA, "spec": POD_SPEC}
SELECTOR = {"matchLabels": STRINGS, "matchExpressions": [{"key": "string", "operator": "string", "values": ["string"]}]}
_ROLLING = {"type": "string", "rollingUpdate": _free("maxUnavailable maxSurge partition")}
_OBJECT: dict[str, Any] = {"apiVersion": "string", "kind": "string", "metadata": METADATA, "status": ANY}


def _kind(spec: Any) -> dict[str, Any]:
    return _OBJECT | {"spec": spec}


SCHEMAS: dict[str, dict[str, Any]] = {
    "Namespace": _kind(_free("finalizers")),
    "Node": _kind(
        {
            **_fields("podCIDR providerID externalID", "string"),
            "unschedulable": "bool",
            **_free("podCIDRs taints configSource"),
        }
    ),
    "Pod": _kind(POD_SPEC),
    "ConfigMap": _OBJECT | {"data": STRINGS, "binaryData": STRINGS, "immutable": "bool"},
    "ServiceAccount": _OBJECT | {"secrets": ANY, "imagePullSecrets": ANY, "automountServiceAccountToken": "bool"},
    "Deployment": _kind(
        {
            **_fields("replicas minReadySeconds revisionHistoryLimit progressDeadlineSeconds", "int"),
            "selector": SELECTOR,
            "template": TEMPLATE,
            "strategy": _ROLLING,
            "paused": "bool",
        }
    ),
    "ReplicaSet": _kind({**_fields("replicas minReadySeconds", "int"), "selector": SELECTOR, "template": TEMPLATE}),
    "StatefulSet": _kind(
        {
            **_fields("replicas minReadySeconds revisionHistoryLimit", "int"),
            **_fields("serviceName podManagementPolicy", "string"),
            "selector": SELECTOR,
            "template": TEMPLATE,
            "updateStrategy": _ROLLING,
            **_free("volumeClaimTemplates persistentVolumeClaimRetentionPolicy ordinals"),
        }
    ),
    "DaemonSet": _kind(
        {
            **_fields("minReadySeconds revisionHistoryLimit", "int"),
            "selector": SELECTOR,
            "template": TEMPLATE,
            "updateStrategy": _ROLLING,
        }
    ),
    "ControllerRevision": _OBJECT | {"data": ANY, "revision": "int"},
    "Job": _kind(
        {
            **_fields("parallelism completions activeDeadlineSeconds backoffLimit ttlSecondsAfterFinished", "int"),
            **_fields("backoffLimitPerIndex maxFailedIndexes", "int"),
            **_fields("manualSelector suspend", "bool"),
            **_fields("completionMode podReplacementPolicy managedBy", "string"),
            "selector": SELECTOR,
            "template": TEMPLATE,
            **_free("podFailurePolicy successPolicy"),
        }
    ),
    "PodDisruptionBudget": _kind(
        {
            "selector": SELECTOR,
            "unhealthyPodEvictionPolicy": "string",
            **_fields("minAvailable maxUnavailable", "intstr"),
        }
    ),
    "HorizontalPodAutoscaler": _kind(
        {
            "scaleTargetRef": _fields("apiVersion kind name", "string"),
            **_fields("minReplicas maxReplicas", "int"),
            **_free("metrics behavior"),
        }
    ),
    "ScaledObject": _kind(
        {
            "scaleTargetRef": _free("apiVersion kind name envSourceContainerName"),
            **_fields("pollingInterval initialCooldownPeriod cooldownPeriod idleReplicaCount", "int"),
            **_fields("minReplicaCount maxReplicaCount", "int"),
            **_free("advanced triggers fallback"),
        }
    ),
    "Scale": _kind({"replicas": "int"}),
    "Lease": _kind(
        {
            **_fields("holderIdentity acquireTime renewTime strategy preferredHolder", "string"),
            **_fields("leaseDurationSeconds leaseTransitions", "int"),
        }
    ),
    "ResourceQuota": _kind(_free("hard scopes scopeSelector")),
}
