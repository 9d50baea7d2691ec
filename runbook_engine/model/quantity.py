"""Quantities as people write them: `1h30m`, `25%`, `6MiB`. Every one has a unit, so none can be misread."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SIZES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

DURATION_PATTERN: Final = r"^(?=[0-9])([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?([0-9]{1,9}ms)?$"
PERCENT_PATTERN: Final = r"^[0-9]{1,6}(\.[0-9]{1,6})?%$"
SIZE_PATTERN: Final = r"^[0-9]{1,9}(B|KiB|MiB|GiB)$"

_DURATION = re.compile(DURATION_PATTERN)
_PART = re.compile(r"([0-9]+)(ms|[dhms])")
_PERCENT = re.compile(PERCENT_PATTERN)
_SIZE = re.compile(SIZE_PATTERN)


class InvalidQuantity(ValueError):
    """A text is no such quantity; the sentence says what one looks like."""


def parse_duration(text: object) -> timedelta:
    """Return `90s`, `2m` or `1h30m` as a time span."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise InvalidQuantity(f"a duration is written like 15s, 2m or 1h30m, not {_shown(text)}")
    return timedelta(milliseconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def parse_percent(text: object) -> float:
    """Return `25%` as the share 0.25."""
    if not isinstance(text, str) or not _PERCENT.fullmatch(text):
        raise InvalidQuantity(f"a percentage is written like 25%, not {_shown(text)}")
    return float(text[:-1]) / 100


def parse_size(text: object) -> int:
    """Return `6MiB` as bytes."""
    if not isinstance(text, str) or not _SIZE.fullmatch(text):
        raise InvalidQuantity(f"a size is written like 512KiB or 6MiB, not {_shown(text)}")
    unit = text.lstrip("0123456789")
    return int(text[: -len(unit)]) * _SIZES[unit]


def duration_text(span: timedelta) -> str:
    """Return a time span as people write it; the inverse of `parse_duration`."""
    left = round(span / timedelta(milliseconds=1))
    sign, left = ("-", -left) if left < 0 else ("", left)
    parts = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts) if parts else "0s"


def percent_text(share: float) -> str:
    """Return a share as a percentage; the inverse of `parse_percent`."""
    return f"{share * 100:.6g}%"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return f'"{value}"' if isinstance(value, str) else str(value)
    return "a list or a map"
