"""Guess what an alert is about: only from labels that every rule of its name gives, and only of known kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.model.runbook import InputType

TYPES: Final[Mapping[str, InputType]] = {
    "cluster": "cluster",
    "namespace": "namespace",
    "deployment": "workload",
    "statefulset": "workload",
    "daemonset": "workload",
    "pod": "pod",
    "node": "node",
}
# What is written, and the labels that it takes; the first whose labels are all given.
_TARGETS: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("deployment", ("namespace", "deployment")),
    ("statefulset", ("namespace", "statefulset")),
    ("daemonset", ("namespace", "daemonset")),
    ("workloadOf", ("namespace", "pod")),
    ("node", ("node",)),
)
_SAFE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
NO_TARGET: Final = "none"


class Guess(msgspec.Struct, frozen=True):
    """A target, and the labels from which it is filled in."""

    kind: str
    labels: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The target as YAML."""
        fields = {label: f'"{{{{ inputs.{label} }}}}"' for label in self.labels}
        cluster = f"cluster: {fields.pop('cluster')}, " if "cluster" in fields else ""
        inner = ", ".join(f"{label}: {field}" for label, field in fields.items())
        if self.kind == NO_TARGET:
            return NO_TARGET
        return f"{{{cluster}workloadOf: {{{inner}}}}}" if self.kind == "workloadOf" else f"{{{cluster}{inner}}}"


def guess_target(rules: Sequence[AlertRule], clusters: Sequence[str]) -> Guess:
    """Return the target that all these rules give, or none. With several clusters, the cluster must be given too."""
    in_cluster = ("cluster",) if _given("cluster", rules, clusters) else ()
    if len(clusters) > 1 and not in_cluster:
        return Guess(NO_TARGET)
    for kind, labels in _TARGETS:
        if all(_given(label, rules) for label in labels):
            return Guess(kind, (*in_cluster, *labels))
    return Guess(NO_TARGET)


def _given(label: str, rules: Sequence[AlertRule], known: Sequence[str] = ()) -> bool:
    """Whether every rule gives a label, and what is written out for it can be the name of something."""
    written = [rule.labels[label] for rule in rules if label in rule.labels]
    possible = all(_SAFE.fullmatch(value) and (not known or value in known) for value in written)
    return possible and all(rule.gives(label) for rule in rules)
