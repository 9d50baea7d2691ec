"""Decoding: a body into the known fields of its kind. Wrong types are refused, unknown fields dropped or refused."""

from dataclasses import dataclass, field
from typing import Any

from tests.emulators.kubernetes.schema import ANY, SCHEMAS
from tests.emulators.kubernetes.trees import Tree

_GO = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


@dataclass
class Decoded:
    """What a body became: the object without unknown fields, their paths, and the first type error."""

    item: Tree
    unknown: list[str] = field(default_factory=list)
    mismatch: str | None = None


def decode(body: Tree, kind: str) -> Decoded:
    """Read a body as an object of a kind."""
    decoded = Decoded({})
    schema = SCHEMAS.get(kind)
    decoded.item = _walk(body, schema, "", kind, decoded) if schema else body
    return decoded


def _walk(value: Any, schema: Any, path: str, kind: str, found: Decoded) -> Any:
    if value is None or schema == ANY:
        return value
    if isinstance(schema, dict):
        return _object(value, schema, path, kind, found)
    if isinstance(schema, list):
        if not isinstance(value, list):
            return _mismatch(value, f"[]{path}", path, kind, found)
        return [_walk(each, schema[0], f"{path}[{index}]", kind, found) for index, each in enumerate(value)]
    if not _fits(value, schema):
        return _mismatch(value, {"int": "int32", "intstr": "intstr.IntOrString"}.get(schema, schema), path, kind, found)
    return value


def _object(value: Any, schema: Tree, path: str, kind: str, found: Decoded) -> Any:
    if not isinstance(value, dict):
        return _mismatch(value, "object", path, kind, found)
    result = {}
    for name, child in value.items():
        below = f"{path}.{name}" if path else name
        if "*" in schema:
            result[name] = _walk(child, schema["*"], path, kind, found)
        elif name in schema:
            result[name] = _walk(child, schema[name], below, kind, found)
        else:
            found.unknown.append(below)
    return result


def _fits(value: Any, schema: str) -> bool:
    match schema:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, int | str) and not isinstance(value, bool)


def _mismatch(value: Any, wanted: str, path: str, kind: str, found: Decoded) -> Any:
    where = ".".join(part.partition("[")[0] for part in path.split("."))
    text = f"json: cannot unmarshal {_GO[type(value)]} into Go struct field {kind}.{where} of type {wanted}"
    found.mismatch = found.mismatch or text
    return value
