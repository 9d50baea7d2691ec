"""The fault knobs: what share of the checkouts fails, how slow they are, how often a worker dies.

They come from the environment and, if there is one, from KNOBS_FILE: a fault begins and ends without a restart.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cached import Unreadable

NAMES = ("ERROR_RATE", "LATENCY_MS", "CRASH_RATE")


class InvalidKnob(ValueError):
    """A knob holds a value outside its range."""


@dataclass(frozen=True)
class Knobs:
    """The faults to inject now.

    `error_rate` and `latency` strike the call of an optional dependency, so degraded mode really ends them.
    `crash_rate` strikes the core path: the share of checkouts in which the worker dies, whatever the mode.
    """

    error_rate: float = 0.0
    latency: float = 0.0
    crash_rate: float = 0.0


def parse_knobs(values: Mapping[str, str]) -> Knobs:
    """Read the knobs from text; an absent one is 0."""
    return Knobs(
        error_rate=parse_number("ERROR_RATE", values.get("ERROR_RATE", "0"), most=1),
        latency=parse_number("LATENCY_MS", values.get("LATENCY_MS", "0"), most=60_000, unit="milliseconds") / 1000,
        crash_rate=parse_number("CRASH_RATE", values.get("CRASH_RATE", "0"), most=1),
    )


def parse_number(name: str, text: str, *, least: float = 0, most: float, unit: str = "") -> float:
    """Read one number within its range, or raise InvalidKnob with the sentence to show."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        kind = f"a number of {unit}" if unit else "a number"
        raise InvalidKnob(f'{name}="{text}" is not {kind} from {least:g} to {most:g}: correct it or leave it out')
    return number


def load_knobs(path: Path, environ: Mapping[str, str]) -> Knobs:
    """Read the knobs from a JSON file, each absent one from the environment; no file means no fault from it."""
    try:
        overrides = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return parse_knobs(environ)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path.name} is not readable JSON: {error}") from error
    if not isinstance(overrides, dict):
        raise Unreadable(f"{path.name} must hold one JSON object of knobs")
    unknown = sorted(set(overrides) - set(NAMES))
    if unknown:
        raise Unreadable(f'{path.name} names the unknown knob "{unknown[0]}": known are {", ".join(NAMES)}')
    try:
        return parse_knobs({**environ, **{name: str(value) for name, value in overrides.items()}})
    except InvalidKnob as error:
        raise Unreadable(f"{path.name}: {error}") from error
