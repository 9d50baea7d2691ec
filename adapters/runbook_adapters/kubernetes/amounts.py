"""Amounts: how much of a node there is and how much a pod asks for, exactly, as the scheduler counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Literal

from runbook_adapters.kubernetes.transport import Json
from runbook_engine.errors import Unreadable

COUNTED = ("cpu", "memory")  # besides pods, of which each is one
PODS = "pods"

Amounts = Mapping[str, Fraction]
Side = Literal["requests", "limits"]

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES: Mapping[str, Fraction] = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    **{letter: Fraction(1000 ** (power + 2)) for power, letter in enumerate("MGTPE")},
    **{f"{letter}i": Fraction(1024 ** (power + 1)) for power, letter in enumerate("KMGTPE")},
}


def parse_amount(text: object) -> Fraction:
    """Return `250m`, `1.5Gi` or `1e3` as an exact number. Raises Unreadable: what cannot be read is not zero."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise Unreadable(f"{str(text)[:60]!r} is no quantity of Kubernetes (such as 250m or 1Gi)")
    number, exponent, suffix = found.groups()
    return Fraction(number) * (Fraction(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


def allocatable(node: Json) -> dict[str, Fraction]:
    """Return what a node has to give."""
    given = (node.get("status") or {}).get("allocatable") or {}
    return {name: parse_amount(given.get(name, 0)) for name in (*COUNTED, PODS)}


def asked_by(pod: Json) -> dict[str, Fraction]:
    """Return what a pod takes: its containers together, or its largest start-up if that is more; and its overhead."""
    spec = pod.get("spec") or {}
    return {PODS: Fraction(1), **{name: needed_by(spec, name) for name in COUNTED}}


def needed_by(spec: Json, name: str, side: Side = "requests") -> Fraction:
    """Return what the pods of a spec ask for, or are limited to, of one resource."""
    whole, overhead = _resources(spec, side), parse_amount((spec.get("overhead") or {}).get(name, 0))
    asked = parse_amount(whole[name]) if name in whole else _at_most(spec, name, side)
    return asked + overhead if asked or side == "requests" else asked  # an overhead is no limit by itself


def total(amounts: Iterable[Amounts]) -> dict[str, Fraction]:
    """Return the sum of amounts."""
    found = dict.fromkeys((*COUNTED, PODS), Fraction(0))
    for each in amounts:
        for name in found:
            found[name] += each.get(name, Fraction(0))
    return found


def _at_most(spec: Json, name: str, side: Side) -> Fraction:
    """Return the most that the containers take at any time: sidecars start before and stay, the others come and go."""
    beside, peak = Fraction(0), Fraction(0)
    for container in spec.get("initContainers") or []:
        wanted = _wanted(container, name, side)
        if container.get("restartPolicy") == "Always":
            beside += wanted
            peak = max(peak, beside)
        else:
            peak = max(peak, beside + wanted)
    together = sum((_wanted(each, name, side) for each in spec.get("containers") or []), beside)
    return max(peak, together)


def _wanted(container: Json, name: str, side: Side) -> Fraction:
    """Return what one container asks for: as much as its limit when it only has that. A template does not say so."""
    limit = _resources(container, "limits").get(name, 0)
    return parse_amount(_resources(container, side).get(name, limit))


def _resources(part: Json, side: Side) -> Json:
    return (part.get("resources") or {}).get(side) or {}
