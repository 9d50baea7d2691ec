"""Parameters of a part: declared with a type, filled in where the part says, as values and never as code.

A text that is nothing but `{{ parameters.x }}` becomes the value itself, a number stays a number; within a longer text
it becomes what was written. Nothing that is filled in is read a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_map
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Path, Scalar
from runbook_engine.model.quantity import InvalidQuantity, parse_duration, parse_percent
from runbook_engine.templating import is_template

_HOLE: Final = re.compile(r"\{\{\s*parameters\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_MENTION: Final = re.compile(r"\{[{%][^}%]*\bparameters\b")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MEANINGS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "duration": "a duration such as 15s, 2m or 1h30m",
    "percent": "a percentage such as 25%",
}


def check_parameters(findings: Findings) -> None:
    """Report parameters of a part that nothing uses, that are not declared, or whose default is of another type."""
    declared = as_map(as_map(findings.content).get("parameters"))
    used: set[str] = set()
    for path, node in findings.scalars:
        if path[:1] != ("parameters",) and isinstance(node.value, str):
            used |= _check_text(findings, path, node.value, declared)
    for name, written in declared.items():
        path = ("parameters", name)
        if not _NAME.fullmatch(name):
            message = f'the parameter "{name}" cannot be written in a template: only letters, digits and _'
            findings.error_at_key(path, "parameter-name", message, "rename it")
        elif name not in used and not findings.failed:
            message = f'the parameter "{name}" is never used'
            findings.warning(path, "unused-parameter", message, f"remove it, or use it: {{{{ parameters.{name} }}}}")
        default = findings.node((*path, "default"))
        kind = str(as_map(written).get("type", "string"))
        if isinstance(default, Scalar) and default.value is not None and not _is(default, kind):
            message = f'the default of "{name}" must be {_MEANINGS.get(kind, kind)}'
            findings.error((*path, "default"), "parameter-type", message)


def values_for(findings: Findings, part: Entries, name: str) -> Mapping[str, Scalar] | None:
    """Return what a runbook gives a part's parameters; None when something is wrong, which is reported."""
    declared = part.entries.get("parameters")
    known = declared.entries if isinstance(declared, Entries) else {}
    given = findings.node(("with",))
    if given is not None and not isinstance(given, Entries):
        findings.error(
            ("with",), "part-values", '"with" is a map from parameters to values', "write with: {NAME: VALUE}"
        )
        return None
    written = given.entries if given is not None else {}
    right = True
    for key in written:
        if key not in known:
            message = f'the part {name} takes no parameter "{key}"'
            findings.error_at_key(("with", key), "unknown-parameter", message, did_you_mean(key, known))
            right = False
    values: dict[str, Scalar] = {}
    for key, declaration in known.items():
        value = _value(findings, name, key, declaration, written.get(key))
        if value is None:
            right = False
        else:
            values[key] = value
    return values if right else None


def fill(node: Node, values: Mapping[str, Scalar]) -> Node:
    """Return a tree with its parameters filled in. A value that is whole stands where the runbook wrote it."""
    match node:
        case Entries():
            entries = {key: fill(value, values) for key, value in node.entries.items()}
            return Entries(entries, node.keys, node.place, node.style)
        case Items():
            return Items(tuple(fill(item, values) for item in node.items), node.place, node.style)
        case Scalar():
            return _filled(node, values)


def _filled(node: Scalar, values: Mapping[str, Scalar]) -> Scalar:
    if not isinstance(node.value, str):
        return node
    whole = _HOLE.fullmatch(node.value)
    if whole:
        return values[whole[1]]
    text = _HOLE.sub(lambda hole: values[hole[1]].text, node.value)
    return node if text == node.value else Scalar(text, text, node.place, "quoted")


def _check_text(findings: Findings, path: Path, text: str, declared: Mapping[str, object]) -> set[str]:
    """Report what is wrong with the parameters in one text, and return their names."""
    named = set(_HOLE.findall(text))
    for name in sorted(named - set(declared)):
        hint = did_you_mean(name, declared) or f"declare it: parameters: {{{name}: {{type: string}}}}"
        findings.error(path, "unknown-parameter", f'unknown parameter "{name}"', hint)
    if _MENTION.search(_HOLE.sub("", text)):
        message = "a parameter is filled in as it is, and never computed with"
        findings.error(
            path, "parameter-template", message, "write {{ parameters.NAME }}, and nothing else in the braces"
        )
    return named


def _value(findings: Findings, part: str, name: str, declaration: Node, given: Node | None) -> Scalar | None:
    """Return the value of one parameter, or None when it has none of its type."""
    fields = declaration.entries if isinstance(declaration, Entries) else {}
    kind = _text(fields.get("type"), "string")
    if given is not None:
        if isinstance(given, Scalar) and _is(given, kind):
            return given
        message = f'"{name}" of the part {part} must be {_MEANINGS[kind]}'
        quoted = isinstance(given, Scalar) and given.text and not isinstance(given.value, str)
        hint = f'quote this: "{given.text}"' if isinstance(given, Scalar) and quoted and kind == "string" else ""
        findings.error(("with", name), "parameter-type", message, hint)
        return None
    default = fields.get("default")
    if isinstance(default, Scalar):
        return default
    meaning = _text(fields.get("description"), "").rstrip(".") or _MEANINGS[kind]
    message = f'the part {part} needs "{name}": {meaning[:1].lower()}{meaning[1:]}'
    findings.error(("with",), "parameter-missing", message, f"write it under with: {{{name}: ...}}")
    return None


def _text(node: Node | None, otherwise: str) -> str:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else otherwise


def _is(node: Scalar, kind: str) -> bool:
    """Whether a value is of a parameter's type; only a text may be a template, which the run fills in."""
    value = node.value
    match kind:
        case "string":
            return isinstance(value, str) and not _MENTION.search(value)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "duration":
            return _parses(parse_duration, value)
        case "percent":
            return _parses(parse_percent, value)
        case _:
            return False


def _parses(parse: Callable[[object], object], value: object) -> bool:
    try:
        parse(value)
    except InvalidQuantity:
        return False
    return not is_template(str(value))
