"""Pointing: the innermost place at which two values differ, and what stands there; of a secret only that it differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

LONGEST_SHOWN = 200
NOT_SHOWN = "(value not shown)"
SECRETS = ("before", "after", "arguments")  # of a change that says that it is sensitive


def point(was: object, now: object) -> tuple[str, str, str]:
    """Return the first place at which two values differ, as `effects[0].status`, and what stands there in each."""
    place, one, other = next(_places("", msgspec.to_builtins(was), msgspec.to_builtins(now)), ("", was, now))
    return place, show(one), show(other)


def show(value: object) -> str:
    """Return a value cut to what a person reads."""
    plain = _without_secrets(msgspec.to_builtins(value))
    text = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
    return text[:LONGEST_SHOWN] + "..." if len(text) > LONGEST_SHOWN else text or "empty"


def _places(place: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the innermost places at which plain values differ."""
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        secret = bool(was.get("sensitive") or now.get("sensitive"))
        for name in was:
            within = f"{place}.{name}" if place else name
            if not (secret and name in SECRETS):
                yield from _places(within, was[name], now[name])
            elif was[name] != now[name]:
                yield within, NOT_SHOWN, NOT_SHOWN
    elif isinstance(was, list | tuple) and isinstance(now, list | tuple) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _places(f"{place}[{number}]", one, other)
    elif was != now:
        yield place, was, now


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        secret = value.get("sensitive") is True
        return {
            name: NOT_SHOWN if secret and name in SECRETS else _without_secrets(each) for name, each in value.items()
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list | tuple) else value
