"""A target as authors write it: the kind is the key, as in `{namespace: apps, deployment: checkout}`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Text, refuse

NAMESPACED: Final = ("deployment", "statefulset", "daemonset", "pod")
KINDS: Final = (*NAMESPACED, "node", "parameter")


class TargetDocument(Document):
    """What is acted on; exactly one of deployment, statefulset, daemonset, pod, node, parameter."""

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

    @property
    def kind(self) -> str:
        """The one kind that is written."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(f'"{kind}"' for kind in kinds) or "none"
            raise refuse(
                "target-kind", f"a target names one thing, this one {found}", f"write one of {', '.join(KINDS)}"
            )
        if kinds[0] in NAMESPACED and self.namespace is None:
            raise refuse("target-namespace", f'"namespace" is missing: a {kinds[0]} lives in one', "", kinds[0])
        if kinds[0] not in NAMESPACED and self.namespace is not None:
            raise refuse("target-namespace", f"a {kinds[0]} has no namespace", "remove it", "namespace")
        return self


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
