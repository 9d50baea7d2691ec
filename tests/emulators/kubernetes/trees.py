"""Trees of JSON: copying and reading them. Stored objects are never changed in place, so that readers need no copy."""

from typing import Any

Tree = dict[str, Any]


def clone(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: clone(child) for key, child in value.items()}
    if isinstance(value, list):
        return [clone(child) for child in value]
    return value


def dig(tree: Any, *keys: str, default: Any = None) -> Any:
    """Return the value at a path of keys, or the default where any of them is absent or null."""
    for key in keys:
        if not isinstance(tree, dict) or tree.get(key) is None:
            return default
        tree = tree[key]
    return tree


def without_nulls(value: Any) -> Any:
    """Return the value with null members of objects dropped, as a decoder into typed fields does."""
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [without_nulls(child) for child in value]
    return value


def annotations(item: Tree) -> Tree:
    """Return the annotations of an object."""
    found: Tree = item["metadata"].get("annotations") or {}
    return found


def labels(item: Tree) -> Tree:
    """Return the labels of an object."""
    found: Tree = item["metadata"].get("labels") or {}
    return found


def controller_of(item: Tree) -> Tree | None:
    """Return the owner reference that controls an object."""
    references = item["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def owned_by(item: Tree, owner: Tree) -> bool:
    """Whether the owner controls the object."""
    reference = controller_of(item)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def owner_reference(owner: Tree) -> Tree:
    """Return the controlling reference to an owner."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
