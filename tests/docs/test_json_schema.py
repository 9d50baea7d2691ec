"""Editors judge by the linter's own models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runbook_engine.loading.json_schema import document_schema
from runbook_engine.registry import Registry

pytestmark = pytest.mark.slow  # the schema is checked against the schema of schemas

DATA = Path(__file__).parents[1] / "data"
EXPRESSIBLE = [
    "checks",
    "compensation-missing",
    "diagnostics",
    "comma-in-flow-map",
    "empty-block",
    "engine-with-bad-names",
    "escalate-without-verify",
    "matcher-read-as-map",
    "missing-fields",
    "no-matchers",
    "test-with-mistakes",
    "unknown-action",
    "unknown-field",
    "unknown-kind",
    "unknown-parameter",
    "unsupported",
    "wrong-types",
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Return the registry of what ships with the engine."""
    return Registry()


@pytest.fixture(scope="module")
def schema(registry: Registry) -> dict[str, Any]:
    """Return the schema with the actions and collectors that ship."""
    return document_schema(registry)


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Return what editors do with the schema."""
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("file", sorted((DATA / "good").glob("*.yaml")), ids=lambda file: file.name)
def test_schema_accepts_when_a_document_is_good(file: Path, validator: jsonschema.Draft202012Validator) -> None:
    """No editor underlines what the linter likes."""
    documents = list(yaml.safe_load_all(file.read_text()))

    assert [] == [error.message for document in documents for error in validator.iter_errors(document)]


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_schema_refuses_when_a_mistake_can_be_expressed(name: str, validator: jsonschema.Draft202012Validator) -> None:
    """Whatever a schema can say, it says."""
    documents = list(yaml.safe_load_all((DATA / "bad" / f"{name}.yaml").read_text()))

    assert any(not validator.is_valid(document) for document in documents)


@pytest.mark.parametrize(
    ("runbook", "right"),
    [
        pytest.param({"uses": "lib/part.yaml", "guardrails": {"deadline": "30m"}}, True, id="with a part"),
        pytest.param({"uses": "lib/part.yaml", "strategy": "escalate"}, True, id="with a part that verifies"),
        pytest.param(
            {"guardrails": {"deadline": "30m"}, "steps": [{"name": "a", "action": "restart"}]}, False, id="alone"
        ),
        pytest.param({"with": {"upTo": 3}}, False, id="with values for no part"),
    ],
)
def test_schema_lets_a_part_hold_what_must_be_there(
    runbook: dict[str, Any], right: bool, validator: jsonschema.Draft202012Validator
) -> None:
    """What a runbook must have may stand in the part that it uses, and nowhere else."""
    head = {"apiVersion": "runbook-engine/v1", "kind": "Runbook", "metadata": {"name": "a", "owner": "b"}}
    document = {**head, "matchers": ["alertname = A"], "target": "none", **runbook}

    assert right == validator.is_valid(document)


def test_schema_points_at_the_parameter_when_an_action_does_not_have_it(
    validator: jsonschema.Draft202012Validator,
) -> None:
    """Each action brings its own `with`."""
    document = yaml.safe_load((DATA / "bad" / "unknown-parameter.yaml").read_text())

    found = [(error.json_path, error.message) for error in validator.iter_errors(document)]

    message = "Additional properties are not allowed ('upto' was unexpected)"
    assert [("$.steps[0].with", message)] == found


def test_schema_describes_every_field_when_an_editor_asks(schema: dict[str, Any]) -> None:
    """A field has its own description, or that of the part that it holds."""
    definitions = schema["$defs"]

    bare = [
        (name, field)
        for name, definition in definitions.items()
        for field, described in definition.get("properties", {}).items()
        if not any(part.get("description") for part in _parts(described, definitions))
    ]

    assert [] == bare


def test_schema_allows_a_template_when_a_parameter_is_a_number(validator: jsonschema.Draft202012Validator) -> None:
    """What a template becomes is checked at run."""
    document = yaml.safe_load((DATA / "good" / "high-error-rate.yaml").read_text())
    document["steps"][1]["with"]["upTo"] = "{{ inputs.cluster }}"

    assert validator.is_valid(document)


def _parts(field: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield field
    if "$ref" in field:
        yield definitions[field["$ref"].rpartition("/")[2]]
