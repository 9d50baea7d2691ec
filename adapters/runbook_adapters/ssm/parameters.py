"""Parameters as SSM keeps them: the live one, and its versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runbook_adapters.aws.problems import part

SECURE = "SecureString"
PAGE = 50  # the most that one answer holds; SSM keeps 100 versions
KEPT = ("Tier", "AllowedPattern", "Description", "DataType")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a parameter. `kept` is what a new version takes over, in the words of PutParameter."""

    value: str
    version: int
    kind: str
    labels: tuple[str, ...] = ()
    who: str = ""
    kept: Mapping[str, str] = {}

    @property
    def is_secure(self) -> bool:
        """Whether its value is a secret."""
        return self.kind == SECURE


def fetch(client: Any, name: str, *, decrypted: bool = False) -> Parameter | None:
    """Return the live version, None when there is no such parameter. Raises what the library raises."""
    try:
        answer = client.get_parameter(Name=name, WithDecryption=decrypted)
    except client.exceptions.ParameterNotFound:
        return None
    return _parsed(part(answer, "Parameter"))


def fetch_versions(client: Any, name: str) -> tuple[Parameter, ...]:
    """Return every version that is kept, oldest first; none when there is no such parameter."""
    pages = client.get_paginator("get_parameter_history").paginate(
        Name=name, WithDecryption=False, PaginationConfig={"PageSize": PAGE}
    )
    try:
        found = [_parsed(each) for page in pages for each in part(page, "Parameters")]
    except client.exceptions.ParameterNotFound:
        return ()
    return tuple(sorted(found, key=lambda each: each.version))


def _parsed(found: Mapping[str, Any]) -> Parameter:
    return Parameter(
        value=str(part(found, "Value")),
        version=int(part(found, "Version")),
        kind=str(part(found, "Type")),
        labels=tuple(found.get("Labels") or ()),
        who=str(found.get("LastModifiedUser") or ""),
        kept={name: found[name] for name in KEPT if found.get(name)},
    )
