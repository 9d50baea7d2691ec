"""What a plain YAML word means: the JSON subset, and text. No dates, octals, sexagesimals or yes and no."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMERIC: Final = frozenset("-+0123456789")  # what a number begins with
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")

# Words that YAML 1.1 readers take for booleans; here they are text.
TRUTHS: Final = frozenset({"y", "yes", "on", "n", "no", "off"})
TRUE_WORDS: Final = frozenset({"y", "yes", "on"})


def read_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted word."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text
