"""Autoscalers: what sets a workload's replicas besides us, a HorizontalPodAutoscaler or the ScaledObject above it.

Of a KEDA ScaledObject the operator writes the HorizontalPodAutoscaler, and would write it back: the ScaledObject is
the one to change. While KEDA is paused there is no HorizontalPodAutoscaler at all.
"""

from __future__ import annotations

import msgspec

from runbook_adapters.kubernetes.gitops import gitops_owner
from runbook_adapters.kubernetes.objects import KINDS, annotations_of, controller_of, count_of, name_of, path_to, uid_of
from runbook_adapters.kubernetes.problems import NotFound, RbacForbidden
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wording import SHORT, one_line
from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import Autoscaler
from runbook_engine.model.target import Target

KEDA_PAUSED = "autoscaling.keda.sh/paused"
KEDA_PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
KEDA_MAXIMUM = 100  # what KEDA takes when none is written
SCALED = ("deployment", "statefulset")


class SeveralAutoscalers(Unreadable):
    """Two autoscalers set one workload's replicas, and no one can tell which of them would win."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An autoscaler as the API holds it: where its minimum is written, and how."""

    kind: str  # of KINDS
    scaler: Json
    hpa: Json | None

    @property
    def field(self) -> str:
        """The field of its spec that holds the minimum."""
        return "minReplicas" if self.kind == "autoscaler" else "minReplicaCount"

    @property
    def written(self) -> int | None:
        """The minimum as it is written, None when it is not."""
        found = (self.scaler.get("spec") or {}).get(self.field)
        return found if isinstance(found, int) else None

    @property
    def minimum(self) -> int:
        """The minimum that holds: absent means 1, with KEDA 0."""
        return self.written if self.written is not None else (1 if self.kind == "autoscaler" else 0)

    @property
    def maximum(self) -> int:
        """The maximum that holds."""
        spec = self.scaler.get("spec") or {}
        if self.kind == "autoscaler":
            return count_of(spec, "maxReplicas")
        return count_of(spec, "maxReplicaCount") or KEDA_MAXIMUM

    def __str__(self) -> str:
        return f"{KINDS[self.kind].kind} {name_of(self.scaler)}"


def find_autoscaler(transport: Transport, target: Target) -> Found | None:
    """Return the one autoscaler of a workload, None when there is none.

    Raises Unreadable when it cannot be read, SeveralAutoscalers when there are two.
    """
    if target.kind not in SCALED:
        return None
    hpas, _ = transport.list(path_to("autoscaler", target.namespace))
    ours = [hpa for hpa in hpas if _scales(hpa, target)]
    scaled = [item for item in _scaled_objects(transport, target.namespace) if _scales(item, target)]
    above = {uid_of(item) for item in scaled}
    own = [hpa for hpa in ours if (owner := controller_of(hpa)) is None or owner.uid not in above]
    found = [Found(kind="autoscaler", scaler=hpa, hpa=hpa) for hpa in own]
    found += [Found(kind="scaledobject", scaler=item, hpa=_below(item, ours)) for item in scaled]
    if len(found) > 1:
        raise SeveralAutoscalers(
            f"{target} has {len(found)} autoscalers: {' and '.join(sorted(str(each) for each in found))} "
            "(keep one of them; they overrule each other)"
        )
    return found[0] if found else None


def describe(found: Found, replicas: int) -> Autoscaler:
    """Return an autoscaler as the model knows it; `replicas` is what the workload wants now."""
    status = (found.hpa or {}).get("status") or {}
    return Autoscaler(
        kind=KINDS[found.kind].kind,
        name=name_of(found.scaler),
        minimum=found.minimum,
        maximum=found.maximum,
        current=count_of(status, "currentReplicas") if found.hpa is not None else replicas,
        paused=paused_because(found, replicas),
        gitops=gitops_owner(found.scaler),
    )


def paused_because(found: Found, replicas: int) -> str:
    """Return why an autoscaler does not act now, empty when it acts."""
    if found.kind == "scaledobject":
        annotations = annotations_of(found.scaler)
        if KEDA_PAUSED_REPLICAS in annotations:
            at = one_line(annotations[KEDA_PAUSED_REPLICAS], SHORT)
            return f"{found} is paused at {at} replicas ({KEDA_PAUSED_REPLICAS})"
        if annotations.get(KEDA_PAUSED, "false") != "false":
            return f"{found} is paused ({KEDA_PAUSED})"
        return ""
    return f"{found} does nothing while 0 replicas are wanted" if replicas == 0 else ""


def _scaled_objects(transport: Transport, namespace: str) -> Items:
    try:
        return transport.list(path_to("scaledobject", namespace))[0]
    except NotFound:
        return []
    except RbacForbidden:
        # Authorization comes before the question whether there is such a thing; everybody may ask that one.
        if _has_keda(transport):
            raise
        return []


def _has_keda(transport: Transport) -> bool:
    try:
        transport.get(f"/{KINDS['scaledobject'].group_version}")
    except NotFound:
        return False
    return True


def _scales(scaler: Json, target: Target) -> bool:
    wanted = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    group = str(wanted.get("apiVersion") or "apps/v1").partition("/")[0]
    kind = str(wanted.get("kind") or "Deployment")
    return (group, kind, wanted.get("name")) == ("apps", KINDS[target.kind].kind, target.name)


def _below(scaled: Json, hpas: Items) -> Json | None:
    return next(
        (hpa for hpa in hpas if (owner := controller_of(hpa)) is not None and owner.uid == uid_of(scaled)), None
    )
