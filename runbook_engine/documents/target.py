"""A target as authors write it: the kind is the key, as in `{namespace: apps, deployment: checkout}`.

A function or a queue lives in no cluster: `place` says which adapter of engine.yaml serves it, when there are several.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Text, refuse
from runbook_engine.model.target import TargetTemplate

NAMESPACED: Final = ("deployment", "statefulset", "daemonset", "pod")
FOUND: Final = {"workloadOf": "workload_of", "nodeOf": "node_of"}  # as it is written -> the field
PLACED: Final = ("function", "queue")
TOUCHED: Final = (*NAMESPACED, "node", "parameter", *PLACED)
KINDS: Final = (*TOUCHED, *FOUND)


class WorkloadOfDocument(Document):
    """A pod whose deployment, statefulset or daemonset is acted on."""

    namespace: Text
    """The namespace of the pod."""
    pod: Text
    """The name of the pod."""

    @property
    def name(self) -> str:
        """What is looked up."""
        return self.pod


class NodeOfDocument(Document):
    """A pod or a scraped instance whose node is acted on: {namespace, pod} or {instance}."""

    model_config = ConfigDict(json_schema_extra=exactly_one("instance", "pod"))

    instance: Text | None = None
    """The address of an exporter on the node, as in 10.0.1.7:9100."""
    namespace: Text | None = None
    """The namespace of the pod."""
    pod: Text | None = None
    """The name of the pod."""

    @property
    def name(self) -> str:
        """What is looked up."""
        return self.instance or self.pod or ""

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if (self.instance is None) == (self.pod is None):
            raise refuse("node-of", '"nodeOf" names a pod or an instance', "write {instance: ...} or {namespace, pod}")
        if (self.namespace is None) != (self.pod is None):
            raise refuse("node-of", '"namespace" and "pod" belong together', "write {namespace: ..., pod: ...}")
        return self


class TargetDocument(Document):
    """What is acted on; exactly one kind: a workload, a pod, a node, a parameter, a function, a queue, or a lookup."""

    model_config = ConfigDict(json_schema_extra=exactly_one(*KINDS))

    cluster: Text | None = None
    """The alias of a cluster of engine.yaml; needed when that names two."""
    namespace: Text | None = None
    """The namespace of a deployment, statefulset, daemonset or pod."""
    deployment: Text | None = None
    """The name of a deployment."""
    statefulset: Text | None = None
    """The name of a statefulset."""
    daemonset: Text | None = None
    """The name of a daemonset."""
    pod: Text | None = None
    """The name of a pod."""
    node: Text | None = None
    """The name of a node."""
    parameter: Text | None = None
    """The path of a parameter, as in /checkout/degraded_mode."""
    function: Text | None = None
    """The name of a function, as in orders-worker."""
    alias: Text | None = None
    """The alias of the function that its callers use, as in live; without it, the function as a whole."""
    queue: Text | None = None
    """The name of a queue, as in orders-dlq."""
    place: Text | None = None
    """The place of an adapter of engine.yaml that serves the function or the queue; needed when there are two."""
    workload_of: WorkloadOfDocument | None = None
    """A pod: its deployment, statefulset or daemonset is acted on."""
    node_of: NodeOfDocument | None = None
    """A pod or a scraped instance: its node is acted on."""

    @property
    def kind(self) -> str:
        """The one kind that is written."""
        return self._kinds[0]

    @property
    def template(self) -> TargetTemplate:
        """The target as the engine fills it in."""
        kind = self.kind
        written = getattr(self, FOUND.get(kind, kind))
        if kind in PLACED:
            name = f"{written}:{self.alias}" if self.alias else str(written)
            return TargetTemplate(kind, name, "", self.place or "")
        if isinstance(written, str):
            return TargetTemplate(kind, written, self.namespace or "", self.cluster or "")
        return TargetTemplate(kind, written.name, written.namespace or "", self.cluster or "")

    @property
    def _kinds(self) -> list[str]:
        return [kind for kind in KINDS if getattr(self, FOUND.get(kind, kind)) is not None]

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        kinds = self._kinds
        if len(kinds) != 1:
            found = " and ".join(f'"{kind}"' for kind in kinds) or "none"
            raise refuse(
                "target-kind", f"a target names one thing, this one {found}", f"write one of {', '.join(KINDS)}"
            )
        if kinds[0] in NAMESPACED and self.namespace is None:
            raise refuse("target-namespace", f'"namespace" is missing: a {kinds[0]} lives in one', "", kinds[0])
        if kinds[0] in FOUND and self.namespace is not None:
            raise refuse("target-namespace", f'"namespace" belongs inside "{kinds[0]}"', "move it there", "namespace")
        if kinds[0] not in NAMESPACED and self.namespace is not None:
            raise refuse("target-namespace", f"a {kinds[0]} has no namespace", "remove it", "namespace")
        self._check_place(kinds[0])
        return self

    def _check_place(self, kind: str) -> None:
        if kind in PLACED and self.cluster is not None:
            raise refuse("target-place", f"a {kind} is in no cluster", "write place, or remove it", "cluster")
        if kind not in PLACED and self.place is not None:
            raise refuse("target-place", f'"place" belongs to a {" or a ".join(PLACED)}', "write cluster", "place")
        if kind != "function" and self.alias is not None:
            raise refuse("target-alias", f'"alias" belongs to a function, this is a {kind}', "remove it", "alias")


def _form(value: Any) -> str:
    return "<word>" if isinstance(value, str) else "<map>"


def _none(value: str) -> str:
    if value == "none":
        return value
    hint = f"write {{namespace: NAMESPACE, deployment: {value}}}"
    raise refuse("target-form", f'a target is a map or the word none, not "{value}"', hint)


NoTarget = Annotated[Literal["none"], BeforeValidator(_none, json_schema_input_type=Literal["none"])]
TargetField = Annotated[
    Annotated[TargetDocument, Tag("<map>")] | Annotated[NoTarget, Tag("<word>")], Discriminator(_form)
]
