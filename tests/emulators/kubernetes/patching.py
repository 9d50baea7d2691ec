"""Patches: RFC 6902 JSON patch and RFC 7386 merge patch, with the refusals the API server gives."""

from typing import Any

from tests.emulators.kubernetes.errors import bad_request, rejected_patch
from tests.emulators.kubernetes.trees import Tree, clone


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch: null deletes, lists are replaced."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(target: Tree, operations: Any) -> Tree:
    """Apply a JSON patch; an operation that does not apply is 422 without causes."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) and "op" in each for each in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result = clone(target)
    for operation in operations:
        result = _apply(result, operation)
    return result  # type: ignore[no-any-return]


def _apply(document: Any, operation: Tree) -> Any:
    path = _pointer(operation.get("path"))
    match operation["op"]:
        case "test":
            if not _same(_read(document, path, absent=None), operation.get("value")):
                raise rejected_patch()
            return document
        case "add":
            return _add(document, path, clone(operation.get("value")))
        case "replace":
            _read(document, path)
            return _put(document, path, clone(operation.get("value")))
        case "remove":
            return _remove(document, path)
        case "copy":
            return _add(document, path, clone(_read(document, _pointer(operation.get("from")))))
        case "move":
            origin = _pointer(operation.get("from"))
            value = _read(document, origin)
            return _add(_remove(document, origin), path, value)
        case _:
            raise rejected_patch()


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise rejected_patch()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


_MISSING = object()


def _read(document: Any, path: list[str], absent: Any = _MISSING) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        elif absent is _MISSING:
            raise rejected_patch()
        else:
            return absent
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        index = len(parent) if last == "-" else _index(last, len(parent) + 1)
        parent.insert(index, value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise rejected_patch()
    return document


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    parent[int(last) if isinstance(parent, list) else last] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise rejected_patch()
    _read(document, path)
    parent, last = _read(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _index(text: str, length: int) -> int:
    if not text.isdigit() or int(text) >= length:
        raise rejected_patch()
    return int(text)


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
