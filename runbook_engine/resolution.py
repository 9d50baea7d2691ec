"""Resolution: from an alert (or a person's wish) to typed inputs and one absolute target.

The only door by which label values enter. Each value must pass the validator of its type, and the target that
comes out must be on the allow-list, or the run is refused: `invalid_target`. A target that is described by a pod or
an instance is provisional until the cluster was asked what that leads to; the allow-list then judges the answer.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from runbook_engine.errors import InvalidTarget, TemplateError
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import SERVED_BY, Configuration
from runbook_engine.model.naming import ALIAS_NAME, FUNCTION_NAME, QUEUE_NAME
from runbook_engine.model.runbook import Input, InputType, Runbook
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import World
from runbook_engine.templating import Templates
from runbook_engine.templating.lookup import look_up

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]"
NAME = rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})*"
UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"  # or turns text around
VALIDATORS: Mapping[InputType, tuple[re.Pattern[str], str]] = {
    "cluster": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}"), "a cluster alias"),
    "namespace": (re.compile(LABEL), "a DNS-1123 label"),
    "workload": (re.compile(NAME), "a DNS-1123 name"),
    "pod": (re.compile(NAME), "a DNS-1123 name"),
    "node": (re.compile(NAME), "a DNS-1123 name"),
    "instance": (re.compile(rf"({HOST})(:[0-9]{{1,5}})?"), "a host or an address, with or without a port"),
    "parameter": (
        re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9_.-]+){1,15}"),
        "a parameter path such as /checkout/degraded_mode",
    ),
    "integer": (re.compile(r"-?[0-9]{1,18}"), "a whole number"),
    "arn": (re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{0,12}:[A-Za-z0-9_./:+=@-]{1,512}"), "an ARN"),
    "function": (FUNCTION_NAME, "a function's name (letters, digits, - and _, at most 64)"),
    "alias": (
        ALIAS_NAME,
        "a function's alias (letters, digits, - and _, and no number alone)",
    ),
    "queue": (
        QUEUE_NAME,
        "a queue's name (letters, digits, - and _, at most 80, with .fifo at the end of an ordered one)",
    ),
    "place": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}"), "the place of an adapter"),
    "string": (re.compile(rf"[^{UNSEEN}]{{0,253}}"), "at most 253 printable characters"),
}
KIND_TYPES: Mapping[str, InputType] = {
    "node": "node",
    "parameter": "parameter",
    "pod": "pod",
    "instance": "instance",
    "function": "function",
    "queue": "queue",
}
LONGEST_VALUE = 1011  # a parameter's name


def alert_variables(alert: Alert) -> Mapping[str, Any]:
    """Return what templates may see of an alert: data, never code."""
    return {
        "name": alert.name,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "severity": alert.severity,
        "status": alert.status,
        "scope": alert.scope,
        "source": alert.source,
    }


def resolve_inputs(inputs: tuple[Input, ...], alert: Alert, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return every declared input, validated. Values given by a person come before the alert's.

    Raises InvalidTarget when one is missing or malformed.
    """
    if given and (unknown := sorted(set(given) - {declared.name for declared in inputs})):
        raise InvalidTarget(f"unknown input {unknown[0]!r}: this runbook takes {_names(inputs)}")
    told = {"alert": alert_variables(alert)}
    return {declared.name: _resolve_input(declared, told, given or {}) for declared in inputs}


def resolve_target(
    template: TargetTemplate,
    inputs: Mapping[str, str],
    alert: Alert,
    configuration: Configuration,
    templates: Templates,
) -> Target:
    """Return the absolute target. Raises InvalidTarget when a part is malformed or the cluster is unknown."""
    variables = {"inputs": inputs, "alert": alert_variables(alert)}
    if template.kind == "none":
        return Target("none", _place_of_none(template, variables, configuration, templates), "", "")
    place = _place(template, variables, configuration, templates)
    name = templates.render(template.name, variables)
    namespace = templates.render(template.namespace, variables)
    target = Target(_written_kind(template), place, namespace, name)
    validate_target(target, namespaced=bool(template.namespace))
    return target


def told_apart(runbook: Runbook, inputs: Mapping[str, str], alert: Alert) -> tuple[str, ...]:
    """Return what tells the alerts apart that this runbook acts on otherwise though their target is the same."""
    if not runbook.apart:
        return ()
    variables = {"inputs": inputs, "alert": alert_variables(alert)}
    return tuple(_found_text(path, variables) for path in runbook.apart)


def _found_text(path: tuple[str, ...], variables: Mapping[str, Any]) -> str:
    try:
        return str(look_up(path, variables))
    except TemplateError:
        return ""


def validate_target(target: Target, *, namespaced: bool | None = None) -> None:
    """Raise InvalidTarget unless a target's name, and its namespace if it has one, are what its kind demands."""
    validate(KIND_TYPES.get(target.kind, "workload"), target.whole.name, target.kind)
    if target.alias or target.whole.name != target.name:
        validate("alias", target.alias, "alias")
    if target.namespace if namespaced is None else namespaced:
        validate("namespace", target.namespace, "namespace")


def find_target(template: TargetTemplate, provisional: Target, world: World) -> Target:
    """Return what a pod or an instance leads to, as the cluster says now.

    Raises InvalidTarget when it leads nowhere or to what no runbook acts on, or Unreadable.
    """
    look = world.nodes.workload_of if template.kind == "workloadOf" else world.nodes.node_of
    found = replace(look(provisional), uid="")
    if found.kind not in template.finds or found.place != provisional.place or not found.name:
        kinds = " or ".join(sorted(template.finds))
        raise InvalidTarget(f"invalid_target: {provisional} leads to {found}, wanted a {kinds} in the same cluster")
    return found


def placed(
    template: TargetTemplate,
    inputs: Mapping[str, str],
    alert: Alert,
    configuration: Configuration,
    templates: Templates,
    world: World,
) -> Target:
    """Return the absolute target, the cluster asked if need be. Raises InvalidTarget, Unreadable."""
    target = resolve_target(template, inputs, alert, configuration, templates)
    return find_target(template, target, world) if template.provisional(target) else target


def target_refusal(configuration: Configuration, scope: str, target: Target) -> str:
    """Return why neither an installation nor a sender lets runbooks act on a target; empty = they do."""
    if target.kind == "none":
        return ""
    if not allowed(target, configuration.targets):
        return f"invalid_target: {target.pattern_form} is not in the targets of engine.yaml"
    return scope_refusal(configuration, scope, target=target)


def validate(kind: InputType, value: str, what: str) -> None:
    """Raise InvalidTarget unless the value is of its type; the value is shown escaped and cut."""
    if not is_valid(kind, value):
        meaning = VALIDATORS[kind][1]
        raise InvalidTarget(f"invalid_target: {what} {value[:80]!r} is not {meaning}")


def is_valid(kind: InputType, value: str) -> bool:
    """Whether the value is of its type."""
    return len(value) <= LONGEST_VALUE and VALIDATORS[kind][0].fullmatch(value) is not None


def allowed(target: Target, patterns: tuple[str, ...]) -> bool:
    """Whether an allow-list of patterns such as `deployment=apps/*` covers the target. An empty list covers nothing.

    `*` does not reach over a `/`.
    """
    for pattern in patterns:  # noqa: SIM110  # a generator costs more than most patterns
        if _covers(pattern, target):
            return True
    return False


def scope_refusal(configuration: Configuration, name: str, *, runbook: str = "", target: Target | None = None) -> str:
    """Return why a sender may not ask for this runbook or target; empty = it may. By hand there is no sender."""
    if not name or not configuration.scopes:
        return ""
    scope = next((scope for scope in configuration.scopes if scope.name == name), None)
    if scope is None:
        return f"engine.yaml names no scope {name}"
    if runbook and "*" not in scope.runbooks and not _covered(runbook, scope.runbooks):
        return f"scope {name} may not ask for runbook {runbook}"
    if target is not None and not allowed(target, scope.targets):
        return f"scope {name} may not touch {target.pattern_form}"
    return ""


def _covered(runbook: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(runbook, pattern) for pattern in patterns)


def _covers(pattern: str, target: Target) -> bool:
    if pattern == "*":
        return True
    kind, globs = _read_pattern(pattern)
    if kind not in (target.kind, "*"):
        return False
    actual = target.pattern_form.partition("=")[2].split("/")
    if len(globs) != len(actual):
        return False
    return all(glob(part) is not None for part, glob in zip(actual, globs, strict=True))


@lru_cache(maxsize=1024)
def _read_pattern(pattern: str) -> tuple[str, tuple[Callable[[str], object], ...]]:
    """Return the kind that a pattern of an allow-list is about, and the test for each part of a target's name."""
    kind, _, rest = pattern.partition("=")
    return kind, tuple(re.compile(fnmatch.translate(glob)).match for glob in rest.split("/"))


def _resolve_input(declared: Input, told: Mapping[str, Any], given: Mapping[str, str]) -> str:
    value = given.get(declared.name) or _told_value(declared, told) or declared.default
    if value is None:
        where = f" (from {'.'.join(declared.path)})" if declared.path else ""
        raise InvalidTarget(f"invalid_target: input {declared.name!r}{where} has no value and no default")
    if not is_valid(declared.type, value):
        validate(declared.type, value, f"input {declared.name!r}")
    return value


def _told_value(declared: Input, told: Mapping[str, Any]) -> str | None:
    value: Any = told
    for part in declared.path:
        value = value.get(part) if type(value) is dict or isinstance(value, Mapping) else None
    return value if isinstance(value, str) and declared.path else None


def _place(
    template: TargetTemplate, variables: Mapping[str, Any], configuration: Configuration, templates: Templates
) -> str:
    """Return where a target is. Raises InvalidTarget when that cannot be told."""
    if template.kind not in SERVED_BY:
        return _cluster(template, variables, configuration, templates)
    known = configuration.places(template.kind)
    if not template.cluster:
        if len(known) == 1:
            return known[0]
        if "" in known:
            return ""
        raise InvalidTarget(f"invalid_target: the target names no place, and there are several: {', '.join(known)}")
    place = templates.render(template.cluster, variables)
    if place not in known or not place:
        named = ", ".join(filter(None, known)) or "none"
        port = SERVED_BY[template.kind]
        raise InvalidTarget(f"invalid_target: unknown place {place[:80]!r}; adapters.{port} has {named}")
    return place


def _cluster(
    template: TargetTemplate, variables: Mapping[str, Any], configuration: Configuration, templates: Templates
) -> str:
    if not template.cluster:
        if len(configuration.clusters) > 1:
            known = ", ".join(configuration.clusters)
            raise InvalidTarget(f"invalid_target: the target names no cluster, and there are several: {known}")
        return _the_only_cluster(variables, configuration)
    cluster = templates.render(template.cluster, variables)
    if cluster not in (configuration.clusters or ("local",)):
        known = ", ".join(configuration.clusters or ("local",))
        raise InvalidTarget(f"invalid_target: unknown cluster {cluster[:80]!r}; engine.yaml names {known}")
    return cluster


def _the_only_cluster(variables: Mapping[str, Any], configuration: Configuration) -> str:
    """Return the one cluster there is; an alert of another one is none of its business. Raises InvalidTarget."""
    if not configuration.clusters:
        return "local"
    only, told = configuration.clusters[0], variables["alert"]["labels"].get("cluster", "")
    if told and told != only:
        raise InvalidTarget(
            f"invalid_target: the alert is about cluster {told[:80]!r}, and engine.yaml names {only} alone "
            "(name the cluster under clusters as its alerts do)"
        )
    return only


def _place_of_none(
    template: TargetTemplate, variables: Mapping[str, Any], configuration: Configuration, templates: Templates
) -> str:
    """Return the place whose parameters a runbook without a target sets: named, or the only one there is."""
    if template.cluster or len(configuration.clusters) < 2:
        return _cluster(template, variables, configuration, templates)
    return ""


def _written_kind(template: TargetTemplate) -> str:
    """Return the kind of what a template names: of `workloadOf` and `nodeOf` a pod, or an instance."""
    if not template.finds:
        return template.kind
    return "pod" if template.namespace else "instance"


def _names(inputs: tuple[Input, ...]) -> str:
    return ", ".join(declared.name for declared in inputs) or "none"
