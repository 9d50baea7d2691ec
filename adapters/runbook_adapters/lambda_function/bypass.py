"""Bypass: who calls a function without the alias, so that what the alias says does not reach them."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_adapters.lambda_function.looks import Answer
from runbook_adapters.lambda_function.names import LATEST

CALLS = ("lambda:invokefunction", "lambda:invokefunctionurl", "lambda:invoke*", "lambda:*", "*")
ASLEEP = ("Disabled", "Disabling", "Deleting")
MOST_NAMED = 5


def bypassed(function: str, statements: Iterable[Answer], mappings: Iterable[Answer]) -> str:
    """Return who may call the function itself, as a sentence; empty = nobody but through an alias."""
    callers = list(dict.fromkeys([*_allowed(statements), *_mapped(function, mappings)]))
    if not callers:
        return ""
    more = f" and {len(callers) - MOST_NAMED} others" if len(callers) > MOST_NAMED else ""
    return f"{', '.join(callers[:MOST_NAMED])}{more} may call {function} without the alias"


def _allowed(statements: Iterable[Answer]) -> Iterable[str]:
    for statement in statements:
        actions = {str(action).lower() for action in _several(statement.get("Action"))}
        if statement.get("Effect") == "Allow" and actions & set(CALLS):
            yield from _principals(statement.get("Principal"))


def _principals(principal: object) -> Iterable[str]:
    if isinstance(principal, dict):
        return [_person(str(each)) for kind in sorted(principal) for each in _several(principal[kind])]
    return [_person(str(principal or "*"))]


def _person(principal: str) -> str:
    return "everybody" if principal == "*" else principal


def _mapped(function: str, mappings: Iterable[Answer]) -> Iterable[str]:
    for mapping in mappings:
        qualifier = str(mapping.get("FunctionArn", "")).partition(f":function:{function}")[2].lstrip(":")
        if qualifier in ("", LATEST) and mapping.get("State") not in ASLEEP:
            yield str(mapping.get("EventSourceArn") or "an event source").rpartition(":")[2]


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
