"""A provider's schema as one compressed file: every resource type and data source with its attributes and blocks.

The files of `schemas/` hold only the types that `terraform/` uses, which keeps them small enough to commit and quick to
serve; NOTICE.md says where they come from. `trim` makes them from a full one (see extraction.py).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Schema = dict[str, Any]  # {"provider_version", "source", "resource": {type: block}, "data": {type: block}}

SCHEMAS = Path(__file__).with_name("schemas")
DECLARED = re.compile(r'^\s*(?:resource|data|mock_resource|mock_data|override_\w+)\s+"([a-z]\w*)"', re.MULTILINE)


def load_schema(path: Path) -> Schema:
    """Return the schema of one file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        schema: Schema = json.load(file)
    return schema


def save_schema(schema: Schema, path: Path) -> None:
    """Write a schema so that the same content is always the same bytes."""
    content = json.dumps(schema, separators=(",", ":"), sort_keys=True).encode()
    path.write_bytes(gzip.compress(content, mtime=0))


def load_schemas(folder: Path = SCHEMAS) -> dict[str, Schema]:
    """Return the schemas of a folder by the name of their provider: `aws-6.69.1.json.gz` is that of `aws`."""
    return {path.name.split("-")[0]: load_schema(path) for path in sorted(folder.glob("*.json.gz"))}


def merge_schemas(schemas: Iterable[Schema]) -> Schema:
    """Return the types of several providers as one schema, for who only asks what a type looks like."""
    merged: Schema = {"resource": {}, "data": {}}
    for schema in schemas:
        merged["resource"] |= schema["resource"]
        merged["data"] |= schema["data"]
    return merged


def used_types(folder: Path) -> set[str]:
    """Return the types that the Terraform files below a folder name."""
    files = [path for pattern in ("*.tf", "*.hcl") for path in folder.rglob(pattern) if ".terraform" not in path.parts]
    return {name for path in files for name in DECLARED.findall(path.read_text(encoding="utf-8"))}


def trim(schema: Schema, used: set[str]) -> Schema:
    """Return the schema with only the types that are used."""
    kept = {
        kind: {name: block for name, block in schema[kind].items() if name in used} for kind in ("resource", "data")
    }
    return schema | kept
