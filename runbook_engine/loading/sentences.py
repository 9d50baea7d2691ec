"""Pydantic's errors in our own sentences: what was expected, what was written, what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from runbook_engine.documents.field_types import MAY_BE_ABSENT
from runbook_engine.documents.runbook import StepDocument
from runbook_engine.documents.target import TargetDocument
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.scalars import TRUE_WORDS, TRUTHS
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Path, Scalar, key_place, resolve

Errors = Sequence[Mapping[str, Any]]

# What the format describes and this release does not do yet, with what to write instead.
UNSUPPORTED: Final[Mapping[type[BaseModel], Mapping[str, str]]] = {
    StepDocument: {"uses": "write uses beside steps: the part's steps come before these"},
    TargetDocument: {
        **dict.fromkeys(("account", "region"), "write place: the place of an adapter of engine.yaml, which has both"),
    },
}

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "finite_number": "a finite number",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def report(
    error: ValidationError, findings: Findings, model: type[BaseModel], base: Path = (), *, where: str = ""
) -> None:
    """Report every error of a document, or of the part at `base`; `where` names that part."""
    report_errors(error.errors(include_url=False), findings, model, base, where=where)


def report_errors(
    errors: Errors, findings: Findings, model: type[BaseModel], base: Path = (), *, where: str = ""
) -> None:
    """Report these errors; several at one value are the branches of one choice and become one sentence."""
    grouped: dict[Path, list[Mapping[str, Any]]] = {}
    for error in errors:
        grouped.setdefault(_path(error, findings.root, base), []).append(error)
    for path, found in grouped.items():
        # Pydantic counts only the items that are right, so one wrong item seems to leave a list too short.
        together = [error for error in found if error["type"] != "too_short" or not _holds_anything(findings, path)]
        if together and path not in findings.explained:
            _Reporter(findings, model, base, where).report(path, together)


def fields_at(model: type[BaseModel], path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the names that an author may write at a path of a model."""
    return tuple(_described_fields(_models_at(model, path)))


def absent_at(model: type[BaseModel], path: Sequence[str | int]) -> frozenset[str]:
    """Return those names of `fields_at` whose null is a value: that nothing is there."""
    fields = [item for found in _models_at(model, path) for item in found.model_fields.items()]
    return frozenset(field.alias or name for name, field in fields if MAY_BE_ABSENT in field.metadata)


def _described_fields(models: Iterable[type[BaseModel]]) -> dict[str, str]:
    """Return the fields of models as authors write them, with their descriptions."""
    fields = [item for model in models for item in model.model_fields.items()]
    return {field.alias or name: field.description or "" for name, field in fields}


def _models_at(model: type[BaseModel], path: Sequence[str | int]) -> list[type[BaseModel]]:
    models = [model]
    for part in path:
        below = [
            found
            for candidate in models
            for name, field in candidate.model_fields.items()
            if (field.alias or name) == part
            for found in _models(field.annotation)
        ]
        models = below or models
    return models


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _path(error: Mapping[str, Any], root: Node, base: Path) -> Path:
    """Return where an error is, without the names of unions and validators that Pydantic adds."""
    loc = (*base, *error["loc"])
    if error["type"] in ("missing", "extra_forbidden"):
        return (*resolve(root, loc[:-1])[1], loc[-1])
    field = error.get("ctx", {}).get("field")
    return resolve(root, (*loc, field) if field else loc)[1]


class _Reporter:
    """Says what is wrong at one path."""

    def __init__(self, findings: Findings, model: type[BaseModel], base: Path, where: str) -> None:
        self.findings = findings
        self.model = model
        self.base = base
        self.where = where

    def report(self, path: Path, errors: Errors) -> None:
        first = errors[0]
        match first["type"]:
            case "missing":
                self._missing(path)
            case "extra_forbidden":
                self._unknown(path)
            case _:
                self._wrong(path, errors)

    def _within(self, path: Path) -> str:
        return self.where if self.where and len(path) == len(self.base) else self.findings.where(path)

    def _missing(self, path: Path) -> None:
        name, within = str(path[-1]), path[:-1]
        models = _models_at(self.model, within[len(self.base) :])
        node = self.findings.node(within)
        unsupported = {key for model in models for key in UNSUPPORTED.get(model, {})}
        if within in self.findings.explained or (isinstance(node, Entries) and unsupported & set(node.keys)):
            return
        message = f'"{name}" is missing in {self._within(within)}'
        meaning = _described_fields(models).get(name, "").rstrip(".")
        hint = f"{name}: {meaning[:1].lower()}{meaning[1:]}" if meaning else ""
        self.findings.error(within, "missing", message, hint)

    def _unknown(self, path: Path) -> None:
        name = str(path[-1])
        models = _models_at(self.model, path[len(self.base) : -1])
        remedies = [UNSUPPORTED[model][name] for model in models if name in UNSUPPORTED.get(model, {})]
        if remedies:
            message = f'"{name}" is not supported by this release'
            self.findings.error_at_key(path, "unsupported", message, remedies[0])
            return
        if name.lower() in TRUTHS and key_place(self.findings.root, path).width == len(name):
            return  # an unquoted on or yes was reported when it was read
        hint = did_you_mean(name, _described_fields(models))
        parent, value = self.findings.node(path[:-1]), self.findings.node(path)
        in_flow = isinstance(parent, Entries) and parent.style == "flow"
        if in_flow and isinstance(value, Scalar) and value.value is None and not hint.startswith("did"):
            hint = "a comma inside { } begins a new entry: quote the value that holds it"
        message = f'unknown field "{name}" in {self._within(path[:-1])}'
        self.findings.error_at_key(path, "unknown-field", message, hint)

    def _wrong(self, path: Path, errors: Errors) -> None:
        first = errors[0]
        node, _ = resolve(self.findings.root, path)
        own = first.get("ctx", {})
        if first["loc"] and first["loc"][-1] == "[key]":
            self.findings.error_at_key(path, first["type"], str(own.get("sentence", "")), str(own.get("hint", "")))
            return
        if "sentence" in own:
            self.findings.error(path, first["type"], own["sentence"], own["hint"])
            return
        if first["type"] == "value_error":
            self.findings.error(path, "value", f"{own['error']}")
            return
        message, hint = _sentence(self._name(path), errors, node)
        self.findings.error(path, "wrong-value", message, hint)

    def _name(self, path: Path) -> str:
        last = next((part for part in reversed(path) if isinstance(part, str)), "")
        if path and isinstance(path[-1], int):
            return f'an item of "{last}"' if last else "an item"
        return f'"{last}"' if last else "a document"


def _sentence(name: str, errors: Errors, node: Node) -> tuple[str, str]:
    first = errors[0]
    context = first.get("ctx", {})
    if first["type"] in ("too_short", "string_too_short"):
        return f"{name} must not be empty", ""
    if first["type"] in ("too_long", "string_too_long"):
        return f"{name} is longer than {context['max_length']}", ""
    if first["type"] in _BOUNDS:
        words, key = _BOUNDS[first["type"]]
        return f"{name} must be {words} {context[key]}, not {written(node)}", ""
    wanted = [expected for error in errors if (expected := _expected(error))]
    if not wanted:
        return f"{name} cannot be {written(node)}: {first['msg'][:1].lower()}{first['msg'][1:]}", ""
    return f"{name} must be {' or '.join(dict.fromkeys(wanted))}, not {written(node)}", _remedy(errors, node)


def _expected(error: Mapping[str, Any]) -> str:
    if error["type"] in ("literal_error", "enum"):
        choices = _choices([error])
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return _EXPECTED.get(error["type"], "")


def _choices(errors: Iterable[Mapping[str, Any]]) -> list[str]:
    texts = [str(error.get("ctx", {}).get("expected", "")) for error in errors if error["type"] == "literal_error"]
    return [word.strip().strip("'") for text in texts for word in text.replace(" or ", ", ").split(", ") if word]


def _remedy(errors: Errors, node: Node) -> str:
    kinds = {error["type"] for error in errors}
    if isinstance(node, Scalar) and node.text:
        if kinds & {"bool_type", "bool_parsing"} and node.text.lower() in TRUTHS | {"true", "false"}:
            return f"write {'true' if node.text.lower() in TRUE_WORDS | {'true'} else 'false'}"
        if "string_type" in kinds and node.style == "plain":
            return f'quote this: "{node.text}"'
        if kinds & {"int_type", "float_type"} and node.style == "quoted":
            return f"write {node.text} without quotes"
        if kinds & {"tuple_type", "list_type"}:
            return f"write [{node.text}]"
        if "literal_error" in kinds:
            near = did_you_mean(node.text, _choices(errors))
            return near if near.startswith("did") else ""
    return ""


def _holds_anything(findings: Findings, path: Path) -> bool:
    node = findings.node(path)
    return isinstance(node, Items) and len(node.items) > 0


def written(node: Node) -> str:
    """Return what an author wrote, as a sentence mentions it."""
    match node:
        case Scalar():
            if node.value is None:
                return "nothing"
            return f'"{node.text}"' if isinstance(node.value, str) else node.text
        case Items():
            return "a list"
        case Entries():
            return "a map"
