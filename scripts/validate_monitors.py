"""Validate the ServiceMonitors and PrometheusRules of renderings against the operator's types; run by scripts/scan.

Usage: validate_monitors.py RENDERED...   Prints what is wrong with each; the exit code is 1 when anything is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from pydantic import BaseModel, ValidationError

TYPES: Mapping[str, type[BaseModel]] = {"PrometheusRule": PrometheusRule, "ServiceMonitor": ServiceMonitor}


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong in the renderings; return the exit code."""
    manifests = [(path, manifest) for path in arguments for manifest in manifests_of(Path(path))]
    wrong = [
        f"{path}: {manifest['kind']} {manifest['metadata']['name']}: {problem}"
        for path, manifest in manifests
        for problem in problems_of(manifest)
    ]
    print("\n".join([*wrong, f"{len(manifests)} manifests, {len(wrong)} problems"]))
    return 1 if wrong or not manifests else 0


def manifests_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the manifests of the kinds that are known here."""
    documents = yaml.safe_load_all(path.read_text())
    return (document for document in documents if document and document["kind"] in TYPES)


def problems_of(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the type refuses, and every key that it does not know: the API server would drop those in silence."""
    try:
        known = TYPES[manifest["kind"]].model_validate(manifest)
    except ValidationError as error:
        for problem in error.errors():
            yield f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        return
    yield from (f"{path}: no such field" for path in unknown_keys(manifest, known, ""))


def unknown_keys(given: Any, known: Any, path: str) -> Iterator[str]:
    """Yield the paths of the keys that the type does not name; the keys of a plain mapping are free."""
    if isinstance(given, Mapping) and isinstance(known, BaseModel):
        names = {field.alias or name: name for name, field in type(known).model_fields.items()}
        for key, value in given.items():
            if key not in names:
                yield f"{path}{key}"
            else:
                yield from unknown_keys(value, getattr(known, names[key]), f"{path}{key}.")
    elif isinstance(given, list) and isinstance(known, list):
        for index, (value, item) in enumerate(zip(given, known, strict=True)):
            yield from unknown_keys(value, item, f"{path}{index}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
