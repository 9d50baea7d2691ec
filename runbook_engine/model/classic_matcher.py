"""Read matchers the way Alertmanager's older grammar did, only to suggest how they are written now.

It forgives what people write by habit from other languages (single quotes, `==`); nothing ever runs on this reading.
"""

from __future__ import annotations

import re

_MATCHER = re.compile(r"\s*([^\s=!~\"{}][^\s=!~\"]*?)\s*(=~|!=|!~|=)\s*(.*?)\s*", re.DOTALL)
_SEPARATOR = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')  # a comma outside double quotes
_BARE_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
LONGEST = 1024  # longer text gets no suggestion


def read_classic(text: str) -> tuple[tuple[str, str, str], ...] | None:
    """Return (name, operator, value) for each matcher, or None where even the older grammar would not read it."""
    if len(text) > LONGEST:
        return None
    parts = _SEPARATOR.split(_without_braces(text.strip()))
    matches = [_MATCHER.fullmatch(part) for part in parts if part.strip()]
    if not matches:
        return None
    read = [(found[1], found[2], _value(found[3])) for found in matches if found is not None]
    if len(read) != len(matches) or any(value is None for _, _, value in read):
        return None
    return tuple((name, operator, value) for name, operator, value in read if value is not None)


def _without_braces(text: str) -> str:
    """Drop the outer braces; a closing one stays where it closes one inside, as in `a=~x.{2}`."""
    inner = text.removeprefix("{")
    if inner.endswith("}") and inner.count("{") < inner.count("}"):
        return inner[:-1]
    return inner


def _value(written: str) -> str | None:
    """Return the literal value: the quotes are optional, and only three escapes were ever known."""
    if written[:1] in ("'", "`") and len(written) > 1 and written.endswith(written[0]):
        written = written[1:-1]
    elif written.startswith('"'):
        if len(written) < 2 or not written.endswith('"'):
            return None
        written = written[1:-1]
    elif written.startswith("="):
        written = written[1:].lstrip()
    if _BARE_QUOTE.search(written):
        return None
    parts = written.split("\\\\")
    return "\\".join(part.replace('\\"', '"').replace("\\n", "\n") for part in parts)
