"""One JSON Schema for editors, from the models that the linter uses, with each action's own `with`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from runbook_engine.documents.document import API_VERSION
from runbook_engine.documents.runbook import GuardrailsDocument, RunbookDocument, StepDocument
from runbook_engine.loading.rules import Catalogue
from runbook_engine.loading.validate import KINDS
from runbook_engine.model.quantity import duration_text

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE: Final[JsonSchemaValue] = {"type": "string", "pattern": r"\{\{"}
_Definitions = dict[str, JsonSchemaValue]


class _Generator(GenerateJsonSchema):
    """What an author may write: no titles, no nulls (an empty key is an error), durations as text."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: Any) -> Any:
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or _says_something(value)}


def document_schema(catalogue: Catalogue) -> dict[str, Any]:
    """Return the JSON Schema of every kind of document, with the actions and collectors that are installed."""
    models: list[type[BaseModel]] = [
        *KINDS.values(),
        *(spec.params for spec in catalogue.actions.values()),
        *(spec.arguments for spec in catalogue.collectors.values()),
    ]
    unique = tuple((model, "validation") for model in dict.fromkeys(models))
    refs, schema = models_json_schema(unique, ref_template="#/$defs/{model}", schema_generator=_Generator)  # type: ignore[arg-type]  # a tuple of pairs is a sequence of pairs
    names = {model: refs[model, "validation"]["$ref"].rpartition("/")[2] for model, _ in unique}
    definitions: _Definitions = schema["$defs"]
    _complete_steps(definitions, catalogue, names)
    _complete_diagnostics(definitions[names[RunbookDocument]], catalogue, names)
    _complete_uses(definitions, names)
    for definition in definitions.values():
        definition.pop("title", None)
    return {
        "$schema": DIALECT,
        "title": f"{API_VERSION} documents",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of this format."},
            "kind": {"enum": list(KINDS), "description": "What this document is."},
        },
        "allOf": [_then("kind", kind, {"$ref": f"#/$defs/{names[model]}"}) for kind, model in KINDS.items()],
        "$defs": dict(sorted(definitions.items())),
    }


def _complete_uses(definitions: _Definitions, names: Mapping[type[BaseModel], str]) -> None:
    """Let what a runbook must have stand in the part that it uses."""
    runbook, guardrails = definitions[names[RunbookDocument]], definitions[GuardrailsDocument.__name__]
    shared = [name for name in ("guardrails", "steps") if name in runbook["required"]]
    runbook["required"] = [name for name in runbook["required"] if name not in shared]
    whole = {key: runbook.pop(key) for key in ("if", "then")}
    whole |= {"required": shared, "properties": {"guardrails": {"required": guardrails.pop("required")}}}
    runbook["allOf"] = [{"if": {"not": {"required": ["uses"]}}, "then": whole}]
    runbook["dependentRequired"] = {"with": ["uses"]}


def _says_something(default: Any) -> bool:
    return not isinstance(default, dict) and default not in (None, "", [], ())


def _then(key: str, value: str, schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"if": {"required": [key], "properties": {key: {"const": value}}}, "then": schema}


def _complete_steps(definitions: _Definitions, catalogue: Catalogue, names: Mapping[type[BaseModel], str]) -> None:
    """Give each action its own `with`, and say which steps must and which cannot be compensated."""
    step = definitions[StepDocument.__name__]
    step["properties"]["action"]["enum"] = list(catalogue.actions)
    branches = []
    for action, spec in catalogue.actions.items():
        params = definitions[names[spec.params]]
        _allow_templates(params)
        described = {"$ref": f"#/$defs/{names[spec.params]}", "description": spec.summary}
        compensate: JsonSchemaValue = {} if spec.reversible else {"compensate": _NEVER}
        required = [*(["with"] if params.get("required") else []), *(["compensate"] if spec.reversible else [])]
        branches.append(
            _then("action", action, {"properties": {"with": described, **compensate}, "required": required})
        )
    step["allOf"] = branches


_NEVER: Final[JsonSchemaValue] = {
    "anyOf": [{"const": "never"}, {"type": "object", "required": ["when"], "properties": {"when": {"const": "never"}}}]
}


def _allow_templates(params: JsonSchemaValue) -> None:
    """Let every parameter be a template: what it becomes is checked when it is known."""
    properties = params.get("properties", {})
    for name, schema in properties.items():
        described = {"description": schema["description"]} if "description" in schema else {}
        if "anyOf" not in schema or _TEMPLATE not in schema["anyOf"]:
            properties[name] = {**described, "anyOf": [schema, _TEMPLATE]}


def _complete_diagnostics(runbook: JsonSchemaValue, catalogue: Catalogue, names: Mapping[type[BaseModel], str]) -> None:
    """Give each collector its own arguments."""
    runbook["properties"]["diagnostics"]["items"] = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            name: {
                "description": spec.summary,
                "anyOf": [{"$ref": f"#/$defs/{names[spec.arguments]}"}, {"type": "null"}],
            }
            for name, spec in catalogue.collectors.items()
        },
    }
