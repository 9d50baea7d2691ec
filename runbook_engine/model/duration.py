"""Durations as people write and read them: `15s`, `2m`, `1h30m`, `6d`."""

from __future__ import annotations

from datetime import timedelta

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def say_duration(period: timedelta) -> str:
    """Return a duration in at most two units, the second dropped when it is nothing: `6d`, `1h30m`, `45s`."""
    seconds = period.total_seconds()
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f}ms" if seconds else "0s"
    sign, left = ("-", int(-seconds)) if seconds < 0 else ("", int(seconds))
    parts: list[str] = []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return sign + "".join(parts)
