"""A given policy: what a file with a policy of IAM allows, as allowances to compare with.

What it denies, or says by what it leaves out, cannot be compared piece by piece, so it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.model.iam import Allowance

KNOWN = ("Sid", "Effect", "Action", "Resource", "Condition")
UNTOLD = "what is not named cannot be compared with what is needed"
REMEDY = "name actions and resources, each with Effect: Allow"


def read_policy(path: str) -> tuple[Allowance, ...] | None:
    """Return what a policy allows, None when the file holds no policy of IAM. Raises UsageError."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror} (correct --check)") from error
    except ValueError:
        return None  # no JSON: it may be manifests
    if not isinstance(document, Mapping) or "Statement" not in document:
        return None
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return tuple(allowance for number, each in enumerate(listed, start=1) for allowance in _of(path, number, each))


def _of(path: str, number: int, statement: Any) -> Iterator[Allowance]:
    where = f"{path}: statement {number}"
    if not isinstance(statement, Mapping):
        raise UsageError(f"{where} is no map (give it a policy of IAM)")
    if statement.get("Effect") != "Allow":
        raise UsageError(f"{where} does not allow but {statement.get('Effect')!r}: {UNTOLD} ({REMEDY})")
    for key in statement:
        if key not in KNOWN:
            raise UsageError(f"{where} says {key}: {UNTOLD} ({REMEDY})")
    conditions = tuple(_conditions(where, statement.get("Condition") or {}))
    for action in _texts(where, "Action", statement):
        for resource in _texts(where, "Resource", statement):
            yield Allowance(
                action=action, resource=resource, conditions=conditions, because=str(statement.get("Sid", ""))
            )


def _texts(where: str, key: str, statement: Mapping[str, Any]) -> tuple[str, ...]:
    written = statement.get(key)
    found = written if isinstance(written, list) else [written]
    if not found or not all(isinstance(each, str) and each for each in found):
        raise UsageError(f"{where}: {key} is no text and no list of texts (give it a policy of IAM)")
    return tuple(found)


def _conditions(where: str, written: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(written, Mapping):
        raise UsageError(f"{where}: Condition is no map (give it a policy of IAM)")
    for operator, keys in sorted(written.items()):
        if not isinstance(keys, Mapping):
            raise UsageError(f"{where}: Condition.{operator} is no map (give it a policy of IAM)")
        for key, value in sorted(keys.items()):
            values = value if isinstance(value, list) else [value]
            yield str(operator), str(key), ",".join(str(each) for each in values)
