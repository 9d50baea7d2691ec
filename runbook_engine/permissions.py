"""Permissions: what a set of runbooks needs of its clusters, from what their actions and checks declare.

Nothing is asked of a cluster. A name or a namespace that the runbook leaves to the alert is bounded by the target
allow-list of engine.yaml, since nothing outside of it is ever touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runbook_engine.actions.grants import RESOURCES, WORKLOADS, looking, together
from runbook_engine.model.check import (
    ChangedWithinCheck,
    Check,
    EvictablePodsCheck,
    GitopsCheck,
    NodeReadyCheck,
    ReadyCheck,
)
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.grant import EVERYWHERE, Grant, parse_permission
from runbook_engine.model.runbook import MODES, Mode, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.registry import Registry
from runbook_engine.templating import is_template

PLURALS: Mapping[str, str] = {**RESOURCES, "pod": "core/pods", "configmap": "core/configmaps", "node": "core/nodes"}
NODE_LOOKS = ("core/nodes:get", "core/nodes:list")
POD_LOOKS = ("core/pods:list", "apps/daemonsets:get", "policy/poddisruptionbudgets:list")
RESOLVING: Mapping[str, tuple[str, ...]] = {
    "workloadOf": ("core/pods:get", "apps/replicasets:get", *(f"{RESOURCES[kind]}:get" for kind in WORKLOADS)),
    "nodeOf": ("core/pods:get", "core/pods:list", *NODE_LOOKS),
}
CLUSTER_WIDE = frozenset(("nodes",))
NAMED = frozenset(("get", "patch", "delete", "update"))  # verbs that a rule can bind to names


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a target may lie: namespace -> names, no names = whatever its name."""

    kind: str
    places: Mapping[str, tuple[str, ...]]


def grants_of(
    runbooks: Iterable[Runbook], configuration: Configuration, registry: Registry, mode: Mode | None = None
) -> tuple[Grant, ...]:
    """Return every grant that these runbooks need; with a mode, as if none of them could go further than that."""
    found: dict[Grant, None] = {}
    for runbook in runbooks:
        highest = max((rule.mode for rule in runbook.mode), key=MODES.index, default="observe")
        writes = "observe" not in (highest, mode)
        for grant in _of_runbook(runbook, configuration, registry):
            if writes or grant.reads:
                found[grant] = None
    return tuple(sorted(found))


def _of_runbook(runbook: Runbook, configuration: Configuration, registry: Registry) -> Iterator[Grant]:
    scope = _scope_of(runbook.target, configuration)
    because = f"{runbook.name}: its target"
    yield from _granted(RESOLVING.get(runbook.target.kind, ()), _anywhere(scope), because)
    yield from _looks(scope, because)
    for check in (*runbook.require, *runbook.verify):
        yield from _of_check(check, scope, runbook.name)
    for collector in runbook.diagnostics:
        spec = registry.collector(collector.name)
        yield from _granted(spec.permissions, scope, f"{runbook.name}: diagnostics {collector.name}")
    for step in runbook.steps:
        yield from _of_step(step, runbook, scope, configuration, registry)


def _of_step(
    step: Step, runbook: Runbook, scope: _Scope, configuration: Configuration, registry: Registry
) -> Iterator[Grant]:
    because = f"{runbook.name}: step {step.name}"
    if step.target is not None:
        scope = _scope_of(step.target, configuration)
        yield from _looks(scope, because)
    for check in (*step.when, *step.verify):
        yield from _of_check(check, scope, runbook.name)
    spec = registry.action(step.action)
    kinds = WORKLOADS if scope.kind == "workloadOf" else (scope.kind,)
    for kind in kinds:
        wanted = spec.permissions if spec.needs is None else spec.needs(step.arguments, kind)
        yield from _granted(wanted, _job_scope(step, configuration) or scope, because)


def _of_check(check: Check, scope: _Scope, runbook: str) -> Iterator[Grant]:
    because = f"{runbook}: a check"
    match check:
        case ReadyCheck() | GitopsCheck() | ChangedWithinCheck():
            yield from _looks(scope, because)
        case NodeReadyCheck():
            yield from _granted(NODE_LOOKS, scope, because)
        case EvictablePodsCheck():
            yield from _granted((*NODE_LOOKS, *POD_LOOKS), scope, because)
        case _:
            return


def _looks(scope: _Scope, because: str) -> Iterator[Grant]:
    """What is read of a target before anything of it is changed."""
    if scope.kind in WORKLOADS or scope.kind == "workloadOf":
        kinds = WORKLOADS if scope.kind == "workloadOf" else (scope.kind,)
        yield from _granted(together(*(looking(kind) for kind in kinds)), scope, because)
    elif scope.kind in ("node", "nodeOf"):
        yield from _granted(NODE_LOOKS, scope, because)
    elif scope.kind == "pod":
        yield from _granted(("core/pods:get", "core/namespaces:get", *POD_LOOKS), scope, because)


def _granted(permissions: Iterable[str], scope: _Scope, because: str) -> Iterator[Grant]:
    for text in permissions:
        permission = parse_permission(text)
        if not permission.of_cluster:
            continue
        group = "" if permission.group == "core" else permission.group
        places: Mapping[str, tuple[str, ...]] = scope.places
        if permission.resource in CLUSTER_WIDE:
            places = {"": scope.places.get("", ()) if permission.verb in NAMED else ()}
        for namespace, names in places.items():
            bound = names if _binds(permission.group, permission.resource, permission.verb, scope) else ()
            if permission.resource not in CLUSTER_WIDE and not namespace:
                namespace = EVERYWHERE  # the pods of a node may be of any namespace
            yield Grant(
                namespace=namespace,
                group=group,
                resource=permission.resource,
                verb=permission.verb,
                names=bound,
                because=because,
            )


def _binds(group: str, resource: str, verb: str, scope: _Scope) -> bool:
    """Whether the names of the target are the names of this resource, and the verb can be bound to them."""
    return verb in NAMED and f"{group}/{resource.partition('/')[0]}" == PLURALS.get(scope.kind)


def _anywhere(scope: _Scope) -> _Scope:
    return _Scope("", dict.fromkeys(scope.places, ()))


def _scope_of(template: TargetTemplate, configuration: Configuration) -> _Scope:
    """Return where the target may lie: as written, else as the allow-list bounds it."""
    kinds = (*WORKLOADS, "pod") if template.kind == "workloadOf" else (template.kind,)
    if template.kind in ("node", "nodeOf", "parameter", "none"):
        names = (template.name,) if template.name and not is_template(template.name) else ()
        patterns = [rest for kind, rest in _patterns(configuration) if kind in ("node", "*")]
        bounded = names or (tuple(patterns) if patterns and not any(_is_glob(rest) for rest in patterns) else ())
        return _Scope(template.kind, {"": bounded} if template.kind in ("node", "nodeOf") else {})
    places: dict[str, tuple[str, ...]] = {}
    for kind, rest in _patterns(configuration):
        if kind not in (*kinds, "*"):
            continue
        namespace, _, name = rest.partition("/")
        if template.namespace and not is_template(template.namespace):
            namespace = template.namespace
        if template.name and not is_template(template.name) and template.kind != "workloadOf":
            name = template.name
        key = EVERYWHERE if _is_glob(namespace) else namespace
        open_ended = _is_glob(name) or not name or (key in places and not places[key])
        places[key] = () if open_ended else tuple(sorted({*places.get(key, ()), name}))
    if not places and template.namespace and not is_template(template.namespace):
        literal = template.name if not is_template(template.name) and template.kind != "workloadOf" else ""
        places[template.namespace] = (literal,) if literal else ()
    return _Scope(template.kind, places)


def _job_scope(step: Step, configuration: Configuration) -> _Scope | None:
    """Return the namespace of the job that a step starts; None for every other step."""
    wanted = step.arguments.get("job")
    found = [job for job in configuration.jobs if job.name == wanted]
    return _Scope("job", {job.namespace: () for job in found}) if found else None


def _patterns(configuration: Configuration) -> list[tuple[str, str]]:
    return [(kind, rest) for kind, _, rest in (pattern.partition("=") for pattern in configuration.targets)]


def _is_glob(text: str) -> bool:
    return any(mark in text for mark in "*?[")
