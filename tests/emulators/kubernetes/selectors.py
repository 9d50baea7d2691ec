"""Selectors: label selectors as text and as objects, and field selectors."""

import re
from collections.abc import Callable

from tests.emulators.kubernetes.errors import bad_request
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.trees import Tree, dig

Labels = dict[str, str]
Requirement = Callable[[Labels], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_COMMA = re.compile(r",(?![^(]*\))")
_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "replicasets": ("status.replicas",),
    "jobs": ("status.successful",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def parse_labels(text: str) -> Requirement:
    """Read a selector like `app=web,tier in (a,b),!legacy`."""
    parts = [_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda labels: all(part(labels) for part in parts)


def _requirement(text: str) -> Requirement:
    match = _SET.match(text)
    if match:
        key, operator, inside = match.groups()
        values = {value.strip() for value in inside.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    for sign, wanted in (("!=", False), ("==", True), ("=", True)):
        if sign in text:
            return _equality(*(side.strip() for side in text.split(sign, 1)), wanted=wanted)
    if not re.fullmatch(r"!?\s*[A-Za-z0-9][A-Za-z0-9._/-]*", text):
        raise bad_request(f'unable to parse requirement: found {text!r}, expected: identifier, "!" or operator')
    if text.startswith("!"):
        return lambda labels: text[1:].strip() not in labels
    return lambda labels: text in labels


def _equality(key: str, value: str, *, wanted: bool) -> Requirement:
    return lambda labels: (labels.get(key) == value) is wanted


def selects(selector: Tree | None, labels: Labels) -> bool:
    """Whether a LabelSelector object matches: an empty one matches all, an absent one nothing."""
    if selector is None:
        return False
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(expression: Tree, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def selector_text(selector: Tree | None) -> str:
    """Return a LabelSelector object as text, as a Scale shows it."""
    parts = [f"{key}={value}" for key, value in sorted(dig(selector, "matchLabels", default={}).items())]
    for each in dig(selector, "matchExpressions", default=[]):
        inside = ",".join(sorted(each.get("values") or []))
        match each["operator"]:
            case "In":
                parts.append(f"{each['key']} in ({inside})")
            case "NotIn":
                parts.append(f"{each['key']} notin ({inside})")
            case "Exists":
                parts.append(each["key"])
            case _:
                parts.append(f"!{each['key']}")
    return ",".join(parts)


def parse_fields(text: str, resource: Resource) -> Callable[[Tree], bool]:
    """Read a field selector; only the fields the real server indexes for this resource are supported."""
    parts: list[tuple[tuple[str, ...], bool, str]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        field, sign, value = re.split(r"(!=|==|=)", part, maxsplit=1) if "=" in part else (part, "", "")
        allowed = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource.plural, ()))
        if not sign or field not in allowed:
            raise bad_request(f"field label not supported: {field}")
        parts.append((tuple(field.split(".")), sign != "!=", value))
    return lambda item: all((_field(item, path) == value) is wanted for path, wanted, value in parts)


def _field(item: Tree, path: tuple[str, ...]) -> str:
    value = dig(item, *path, default="")
    if path == ("spec", "unschedulable"):
        return "true" if value else "false"
    if path == ("source",):
        return str(dig(item, "source", "component", default=""))
    return str(value)
