"""The reference of all that a runbook may name: actions, collectors, checks and guardrails, as one Markdown page.

Made of what each says of itself: the page cannot be wrong about them, and a test says when it is not the newest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runbook_engine.model.duration import say_duration
from runbook_engine.model.quantity import DURATION_PATTERN
from runbook_engine.ports import ActionSpec, CollectorSpec
from runbook_engine.ports.specs import Repeat

Schema = Mapping[str, Any]
Row = tuple[str, ...]

REPEATS: Mapping[Repeat, str] = {
    "declarative": "made again: setting it twice is setting it once",
    "token": "made again under the same key, which the other side heeds",
    "observable": "looked for first, and made again only when it is not there",
    "once": "never made again: a person is asked",
}
HEAD = """# Actions, diagnostics, checks and guardrails

What a runbook may name, with every parameter. This page is generated from the code (`make docs-generated`);
[authoring.md](authoring.md) says how it is put together.
"""
PLAIN = re.compile(r"(?!(true|false|null|yes|no|on|off)$)[A-Za-z][A-Za-z0-9_-]*|[0-9]+[smhd%]")
NUMBER = "^[+-]?[0-9]+$"  # as text
DASHES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def render_reference(
    actions: Iterable[ActionSpec],
    collectors: Iterable[CollectorSpec],
    definitions: Mapping[str, Schema],
    parts: Mapping[str, tuple[str, str]],
) -> str:
    """Return the page. `definitions` are JSON Schemas by model; `parts` are further headings: text and its model."""
    sections = [HEAD, "## Actions\n", *(_action(spec, definitions) for spec in actions)]
    sections += ["## Diagnostics\n", *(_collector(spec, definitions) for spec in collectors)]
    for heading, (text, model) in parts.items():
        sections.append(f"## {heading}\n\n{text}\n\n{_fields(definitions[model], definitions)}")
    return "\n".join(sections)


def _action(spec: ActionSpec, definitions: Mapping[str, Schema]) -> str:
    facts: Row = (
        f"- target: {_any_of(spec.target_kinds) or 'any'}",
        f"- undone: {_undone(spec)}",
        f"- after a crash in the middle: {REPEATS[spec.repeat]}",
        f"- takes at most {say_duration(spec.time_limit)}{', depending on its parameters' if spec.limit else ''}",
        f"- may need: {', '.join(f'`{permission}`' for permission in spec.permissions)}",
    )
    table = _fields(definitions[spec.params.__name__], definitions) or "It takes no parameters.\n"
    return "\n".join((f"### {spec.name}\n", f"{spec.summary}\n", *facts, "", table, _example(spec)))


def _undone(spec: ActionSpec) -> str:
    if spec.message_only:
        return "there is nothing to undo" + ("; a run that does not fix it is handed over" if spec.hands_over else "")
    return "yes, as the step's `compensate` says" if spec.reversible else "never (`compensate: never`)"


def _example(spec: ActionSpec) -> str:
    """Return a step as an author writes it."""
    lines = ["```yaml", f"- name: {DASHES.sub('-', spec.name).lower()}-it", f"  action: {spec.name}"]
    if spec.example:
        lines.append(f"  with: {_flow(spec.example)}")
    if not spec.message_only:
        lines.append(f"  compensate: {'whenResolved' if spec.reversible else 'never'}")
    return "\n".join([*lines, "```\n"])


def _flow(value: object) -> str:
    """Return a value in YAML's flow style; text that could be read as something else is quoted."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else json.dumps(value)


def _collector(spec: CollectorSpec, definitions: Mapping[str, Schema]) -> str:
    return f"### {spec.name}\n\n{spec.summary}\n\n{_fields(definitions[spec.arguments.__name__], definitions)}"


def _fields(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return the fields of a model as a table, those of a map in it behind a dot."""
    rows = list(_rows(schema, definitions, ""))
    if not rows:
        return ""
    head: Sequence[Row] = (("field", "value", "default", "meaning"), ("---", "---", "---", "---"))
    return "".join(f"| {' | '.join(_cell(cell) for cell in row)} |\n" for row in (*head, *rows))


def _rows(schema: Schema, definitions: Mapping[str, Schema], above: str) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        default = _default(field) or ("required" if name in required else "")
        yield f"`{above}{name}`", _value(field, definitions), default, _meaning(field)
        for inner in _maps(field, definitions):
            yield from _rows(inner, definitions, f"{above}{name}.")


def _default(field: Schema) -> str:
    """Return the default of a field, or of one of its choices."""
    if "default" in field:
        return f"`{_flow(field['default'])}`"
    return next(filter(None, map(_default, field.get("anyOf", ()))), "")


def _meaning(field: Schema) -> str:
    said = [field.get("description", ""), *(each.get("description", "") for each in _choices(field))]
    return next(filter(None, said), "")


def _maps(field: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    """Return the models that a field may hold."""
    found = [definitions[each["$ref"].rpartition("/")[2]] for each in _choices(field) if "$ref" in each]
    return [model for model in found if model.get("properties")]


def _choices(field: Schema) -> list[Schema]:
    """Return what a field may be; that any text may be a template goes without saying."""
    either = field.get("anyOf") or field.get("allOf") or [field]
    nested = [each for choice in either for each in (_choices(choice) if choice is not field else [choice])]
    return [each for each in nested if each.get("pattern") != r"\{\{"]


def _value(field: Schema, definitions: Mapping[str, Schema]) -> str:
    return " or ".join(dict.fromkeys(_kind(each, definitions) for each in _choices(field)))


def _kind(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return "a map" if target.get("properties") else _value(target, definitions)
    if "const" in schema:
        return f"`{_flow(schema['const'])}`"
    if "enum" in schema:
        return _any_of(schema["enum"])
    match schema.get("type"):
        case "integer" | "number" as kind:
            return _number("whole number" if kind == "integer" else "number", schema)
        case "boolean":
            return "`true` or `false`"
        case "array":
            return f"list of {_value(schema.get('items', {}), definitions)}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"map of {_value(inner, definitions)}" if isinstance(inner, dict) else "a map"
        case "string":
            return _text(str(schema.get("pattern", "")))
        case _:
            return "any"


def _text(pattern: str) -> str:
    if pattern == DURATION_PATTERN:
        return "duration, as in `10m`"
    if "%" in pattern:
        return "share, as in `50%`"
    return "whole number" if pattern == NUMBER else "text"


def _number(kind: str, schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{kind}, {least} to {most}"
    if most is not None:
        return f"{kind}, {most} at most"
    return f"{kind}, {least} or more" if least is not None else kind


def _any_of(words: Sequence[object]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    """Return text that stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|")
