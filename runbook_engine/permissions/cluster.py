"""What runbooks need of their clusters: one grant for each verb on each resource, as narrow as rules can say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.grant import EVERYWHERE, Grant, parse_permission
from runbook_engine.model.looking import FOLLOWING, RESOURCES, WORKLOADS
from runbook_engine.model.runbook import Mode, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.permissions.needs import kinds_of, may_write, needs_of
from runbook_engine.registry import Registry
from runbook_engine.templating import is_template

PLURALS: Mapping[str, str] = {**RESOURCES, "pod": "core/pods", "configmap": "core/configmaps", "node": "core/nodes"}
OF_A_NAMESPACE = frozenset((*WORKLOADS, "pod", "configmap"))
CLUSTER_WIDE = frozenset(("nodes",))
NAMED = frozenset(("get", "patch", "delete", "update"))  # verbs that a rule can bind to names


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a target of a kind may lie: namespace -> names, no names = whatever its name."""

    kind: str
    places: Mapping[str, tuple[str, ...]]


def grants_of(
    runbooks: Iterable[Runbook], configuration: Configuration, registry: Registry, mode: Mode | None = None
) -> tuple[Grant, ...]:
    """Return every grant that these runbooks need; with a mode, as if none of them could go further than that."""
    found: dict[Grant, None] = {}
    for runbook in runbooks:
        writes = may_write(runbook, mode)
        for grant in _of_runbook(runbook, configuration, registry):
            if writes or grant.reads:
                found[grant] = None
    return tuple(sorted(found))


def _of_runbook(runbook: Runbook, configuration: Configuration, registry: Registry) -> Iterator[Grant]:
    yield from _of_lookup(runbook.target, f"{runbook.name}: its target", configuration)
    for step in runbook.steps:
        if step.target is not None:
            yield from _of_lookup(step.target, f"{runbook.name}: step {step.name}", configuration)
    for need in needs_of(runbook, registry):
        scope = _Scope(need.kind, _places(need.kind, need.target, configuration))
        if scope.places or scope.kind not in (*OF_A_NAMESPACE, "node"):
            own = _pinned_scope(need.step, scope, configuration) if need.step is not None else None
            yield from _granted(need.permissions, own or scope, need.because)


def _of_lookup(template: TargetTemplate, because: str, configuration: Configuration) -> Iterator[Grant]:
    """What finding the target reads: whichever kind it turns out to be, it is told what it is."""
    scopes = tuple(_places(kind, template, configuration) for kind in kinds_of(template))
    if template.kind == "workloadOf":
        places = {namespace: () for scope in scopes for namespace in scope}
        yield from _granted(FOLLOWING, _Scope("", places), because)
    elif template.kind == "nodeOf" and any(scopes):
        namespace = _literal(template.namespace) or EVERYWHERE
        by_pod = ("core/pods:get", "core/nodes:get")
        by_address = ("core/nodes:list", "core/pods:list")
        yield from _granted(by_pod if template.namespace else by_address, _Scope("", {namespace: ()}), because)


def _granted(permissions: Iterable[str], scope: _Scope, because: str) -> Iterator[Grant]:
    for text in permissions:
        permission = parse_permission(text)
        if not permission.of_cluster:
            continue
        what = f"{permission.group}/{permission.resource.partition('/')[0]}"
        binds = permission.verb in NAMED and what == PLURALS.get(scope.kind)  # the target's names are the resource's
        places = {"": scope.places.get("", ())} if permission.resource in CLUSTER_WIDE else scope.places
        for namespace, names in places.items():
            of_cluster = permission.resource in CLUSTER_WIDE
            yield Grant(
                namespace="" if of_cluster else namespace or EVERYWHERE,  # pods of a node may be of any namespace
                group="" if permission.group == "core" else permission.group,
                resource=permission.resource,
                verb=permission.verb,
                names=names if binds else (),
                because=because,
            )


def _places(kind: str, template: TargetTemplate, configuration: Configuration) -> Mapping[str, tuple[str, ...]]:
    written = "" if template.finds else _literal(template.name)
    namespace = _literal(template.namespace) if kind in OF_A_NAMESPACE else ""
    return _bounded(kind, namespace, written, configuration) if kind in (*OF_A_NAMESPACE, "node") else {}


def _bounded(kind: str, namespace: str, name: str, configuration: Configuration) -> Mapping[str, tuple[str, ...]]:
    """Return what the allow-list has of a kind: namespace -> names. What is written is one of it, or nothing is."""
    places: dict[str, set[str]] = {}
    unbounded: set[str] = set()
    for where, what in _patterns(kind, configuration):
        if not _within(namespace, where) or not _within(name, what):
            continue
        place = namespace or (EVERYWHERE if _is_glob(where) else where)
        places.setdefault(place, set()).add(name or what)
        if not name and _is_glob(what):
            unbounded.add(place)
    return {place: () if place in unbounded else tuple(sorted(names)) for place, names in places.items()}


def _patterns(kind: str, configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Return namespace and name of each pattern of the allow-list that may mean this kind; a node has no namespace."""
    for pattern in configuration.targets:
        of_kind, _, rest = pattern.partition("=")
        if pattern == "*":
            rest = "*/*" if kind in OF_A_NAMESPACE else "*"
        where, _, what = rest.rpartition("/")
        if of_kind in (kind, "*") and bool(where) == (kind in OF_A_NAMESPACE):
            yield where, what


def _pinned_scope(step: Step, scope: _Scope, configuration: Configuration) -> _Scope | None:
    """Return where that lies which a step names besides its target: a job of engine.yaml, a ConfigMap."""
    job = step.arguments.get("job")
    if job is not None:
        return _Scope("job", {found.namespace: () for found in configuration.jobs if found.name == job})
    config_map = step.arguments.get("configMap")
    if config_map is None:
        return None
    places: dict[str, tuple[str, ...]] = {}
    for namespace in scope.places:
        within = "" if namespace == EVERYWHERE else namespace
        places |= _bounded("configmap", within, _literal(str(config_map)), configuration)
    return _Scope("configmap", places)


def _literal(text: str) -> str:
    return "" if is_template(text) else text


def _within(written: str, pattern: str) -> bool:
    return not written or fnmatchcase(written, pattern)


def _is_glob(text: str) -> bool:
    return any(mark in text for mark in "*?[")
