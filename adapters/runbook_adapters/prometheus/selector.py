"""Adding label matchers to a query, where that is sound: on one plain selector and nothing else.

In an expression, which selectors are meant is a guess, and a wrong guess reads another cluster's figures as ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runbook_engine.errors import Unreadable

_STRING = r'"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'" + r"|`[^`]*`"
_MATCHER = rf"[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!=|!~|=)\s*(?:{_STRING})"
_SELECTOR = re.compile(
    rf"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*"
    rf"(?P<braces>\{{\s*(?P<matchers>(?:{_MATCHER}\s*(?:,\s*{_MATCHER}\s*)*)?),?\s*\}})?\s*"
)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def select(query: str, where: Mapping[str, str]) -> str:
    """Return the query narrowed to series with these labels. Raises Unreadable when it is not a plain selector."""
    if not where:
        return query
    found = _SELECTOR.fullmatch(query)
    if found is None or not (found["name"] or found["matchers"]):
        raise Unreadable(
            f'"where" cannot be added to the expression {query}: it is not one plain series '
            "(record the expression as a rule and query the rule's name)"
        )
    for label in where:
        if not _LABEL.fullmatch(label):
            raise Unreadable(f'"where" names the label "{label}", which no series can have (letters, digits and _)')
    written = [(found["matchers"] or "").strip()] + [f"{label}={_quoted(value)}" for label, value in where.items()]
    return f"{found['name'] or ''}{{{','.join(part for part in written if part)}}}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
