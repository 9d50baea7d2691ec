"""Managed fields: which manager wrote which field, kept as the real server keeps it for updates."""

import json
from collections.abc import Iterator
from typing import Any

from tests.emulators.kubernetes.trees import Tree, clone

Path = tuple[str, ...]

_SERVER_OWNED = {
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "generateName",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "selfLink",
        )
    ),
}
_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "protocol"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "imagePullSecrets": ("name",),
}


def record(
    item: Tree, previous: Tree | None, *, manager: str, operation: str, subresource: str, when: str
) -> list[Tree]:
    """Return the managedFields of an object after a write."""
    version = item["apiVersion"]
    written = [path for path, added in _differences(previous or {}, item, ()) if added]
    gone = [path for path, added in _differences(previous or {}, item, ()) if not added]
    entries: list[Tree] = clone((previous or {}).get("metadata", {}).get("managedFields") or [])
    mine = (manager, operation, subresource)
    for entry in entries:
        same = (entry["manager"], entry["operation"], entry.get("subresource", "")) == mine
        for path in gone if same else gone + written:
            _discard(entry["fieldsV1"], path)
    own = next((each for each in entries if _identity(each) == mine), None)
    if own is None and written:
        own = {"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1"}
        own |= {"fieldsV1": {}} | ({"subresource": subresource} if subresource else {})
        entries.append(own)
    if own is not None and (written or gone):
        own["time"] = when
        for path in written:
            _insert(own["fieldsV1"], path)
    return [entry for entry in entries if entry["fieldsV1"]]


def _identity(entry: Tree) -> tuple[str, str, str]:
    return (entry["manager"], entry["operation"], entry.get("subresource", ""))


def owners(item: Tree, *path: str) -> list[tuple[str, str, str]]:
    """Return (manager, operation, subresource) of every entry that holds a path such as ("spec", "replicas")."""
    found = []
    for entry in item["metadata"].get("managedFields") or []:
        tree = entry["fieldsV1"]
        for part in path:
            tree = tree.get(part if part[:2] in ("k:", "v:") else f"f:{part}") if tree is not None else None
        if tree is not None:
            found.append(_identity(entry))
    return found


def _differences(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each leaf path that was written (True) or removed (False)."""
    if path in _SERVER_OWNED or old == new:
        return
    old_children, new_children = _children(old, path), _children(new, path)
    if new_children is None:
        yield from ((leaf, False) for leaf in _leaves(old_children, path))
        yield path, True
        return
    old_children = old_children or {}
    if not old and path and path not in ((), ("f:metadata",), ("f:spec",), ("f:status",)):
        yield ((*path, ".") if new_children else path), True
    for name in old_children.keys() | new_children.keys():
        child = (*path, name)
        if name not in new_children:
            if child not in _SERVER_OWNED:
                yield from ((leaf, False) for leaf in (child, *_leaves(_children(old_children[name], child), child)))
        else:
            yield from _differences(old_children.get(name), new_children[name], child)


def _leaves(children: dict[str, Any] | None, path: Path) -> Iterator[Path]:
    for name, value in (children or {}).items():
        yield (*path, name)
        yield from _leaves(_children(value, (*path, name)), (*path, name))


def _children(value: Any, path: Path) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return {f"f:{name}": child for name, child in value.items()}
    keys = _LIST_KEYS.get(path[-1].removeprefix("f:")) if path else None
    if isinstance(value, list) and keys and all(isinstance(each, dict) for each in value):
        return {_key(each, keys): each for each in value}
    if isinstance(value, list) and path and path[-1] == "f:finalizers":
        return {f"v:{json.dumps(each)}": {} for each in value}
    return None


def _key(item: Tree, keys: tuple[str, ...]) -> str:
    chosen = {key: item[key] for key in keys if key in item}
    return "k:" + json.dumps(chosen, separators=(",", ":"), sort_keys=True)


def _insert(tree: Tree, path: Path) -> None:
    for part in path:
        tree = tree.setdefault(part, {})


def _discard(tree: Tree, path: Path) -> None:
    if not path or path[0] not in tree:
        return
    if len(path) == 1:
        if path[0] == "." or not tree[path[0]]:
            del tree[path[0]]
        return
    _discard(tree[path[0]], path[1:])
    if not tree[path[0]]:
        del tree[path[0]]
