"""The values of a chart as its three documents know them: the schema, the defaults, the README."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.helm.chart import Chart

FREE = {"config", "affinity"}  # objects whose keys are somebody else's

Schema = Mapping[str, Any]


def named_values(chart: Chart) -> set[str]:
    """Return the path of every value that the schema names."""
    schema = _schema(chart)
    return set(_named(schema, schema, ""))


def given_values(chart: Chart) -> set[str]:
    """Return the path of every value that has a default, as deep as the schema names them."""
    schema = _schema(chart)
    return set(_given(yaml.safe_load((chart.folder / "values.yaml").read_text()), schema, schema, ""))


def unexplained_values(chart: Chart) -> set[str]:
    """Return the values whose name the README does not say."""
    words = set(re.findall(r"[A-Za-z]+", (chart.folder / "README.md").read_text()))
    return {path for path in named_values(chart) if path != "global" and path.rpartition(".")[2] not in words}


def _schema(chart: Chart) -> Schema:
    found: Schema = json.loads((chart.folder / "values.schema.json").read_text())
    return found


def _named(schema: Schema, whole: Schema, path: str) -> Iterator[str]:
    for name, inner in _properties(schema, whole).items():
        yield f"{path}{name}"
        if name not in FREE:
            yield from _named(inner, whole, f"{path}{name}.")


def _given(values: Mapping[str, Any], schema: Schema, whole: Schema, path: str) -> Iterator[str]:
    for name, value in values.items():
        yield f"{path}{name}"
        inner = _properties(schema, whole).get(name, {})
        if isinstance(value, dict) and _properties(inner, whole) and name not in FREE:
            yield from _given(value, inner, whole, f"{path}{name}.")


def _properties(schema: Schema, whole: Schema) -> Schema:
    """Return what an object may hold; what is defined elsewhere in the schema is looked up there."""
    definition = whole["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    found: Schema = definition.get("properties", {})
    return found
