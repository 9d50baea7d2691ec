"""Strategic merge patch: lists of objects merge by key, with the directives and the ordering of the real server."""

from collections.abc import Callable
from typing import Any

from tests.emulators.kubernetes.errors import bad_request
from tests.emulators.kubernetes.trees import Tree, clone

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"

# The merge key of a list by its field name; `ports` depends on where it is found.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
    "taints": None,
    "addresses": "type",
    "podIPs": "ip",
    "secrets": "name",
}
_PRIMITIVE = ("finalizers", "podCIDRs")


def strategic_merge(target: Any, patch: Tree, path: tuple[str, ...] = ()) -> Any:
    """Apply a strategic merge patch to a tree."""
    if patch.get("$patch") == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = strategic_merge(result.get(key), value, (*path, key))
        elif isinstance(value, list):
            result[key] = _merge_list(result.get(key) or [], value, (*path, key), patch.get(_ORDER + key))
        else:
            result[key] = value
    _loose_directives(result, patch, path)
    return result


def _loose_directives(result: Tree, patch: Tree, path: tuple[str, ...]) -> None:
    """Apply directives about lists that the patch itself does not carry."""
    for key, value in patch.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            result[name] = [each for each in result.get(name) or [] if each not in value]
        elif key.startswith(_ORDER) and key.removeprefix(_ORDER) not in patch and key.removeprefix(_ORDER) in result:
            name = key.removeprefix(_ORDER)
            result[name] = _ordered(result[name], result[name], value, _identity((*path, name)))


def _merge_key(path: tuple[str, ...]) -> str | None:
    if path[-1] == "ports":
        return "containerPort" if "containers" in path or "initContainers" in path else "port"
    return _KEYS.get(path[-1])


def _identity(path: tuple[str, ...]) -> Callable[[Any], Any]:
    key = _merge_key(path)
    return (lambda item: item.get(key)) if key else (lambda item: item)


def _merge_list(live: list[Any], patch: list[Any], path: tuple[str, ...], order: list[Any] | None) -> list[Any]:
    key = _merge_key(path)
    if path[-1] in _PRIMITIVE:
        merged = live + [each for each in patch if each not in live]
        return _ordered(merged, live, order if order is not None else patch, lambda item: item)
    if key is None:
        return [clone(each) for each in patch if not (isinstance(each, dict) and each.get("$patch"))]
    if any(isinstance(each, dict) and each.get("$patch") == "replace" for each in patch):
        return [clone(each) for each in patch if each.get("$patch") != "replace"]
    merged = list(live)
    for each in patch:
        if not isinstance(each, dict) or key not in each:
            raise bad_request(f"map: {each} does not contain declared merge key: {key}")
        found = next((index for index, item in enumerate(merged) if item.get(key) == each[key]), None)
        if each.get("$patch") == "delete":
            merged = [item for item in merged if item.get(key) != each[key]]
        elif found is None:
            merged.append(strategic_merge({}, each, path))
        else:
            merged[found] = strategic_merge(merged[found], each, path)
    wanted = order if order is not None else [each for each in patch if each.get("$patch") != "delete"]
    return _ordered(merged, live, wanted, _identity(path))


def _ordered(merged: list[Any], live: list[Any], wanted: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """Put the named items in their wanted order, then insert each other one before the first named item that the
    live list has after it; with none, at the end. So a new item comes first: the observed surprise.
    """
    names = [identity(each) for each in wanted]
    live_names = [identity(each) for each in live]
    named = sorted((each for each in merged if identity(each) in names), key=lambda each: names.index(identity(each)))
    others = [each for each in merged if identity(each) not in names]
    position = 0
    for each in others:
        place = next((at for at in range(position, len(named)) if _after(named[at], each, live_names, identity)), None)
        place = len(named) if place is None else place
        named.insert(place, each)
        position = place + 1
    return named


def _after(item: Any, other: Any, live: list[Any], identity: Callable[[Any], Any]) -> bool:
    if identity(item) not in live or identity(other) not in live:
        return False
    return live.index(identity(item)) > live.index(identity(other))
