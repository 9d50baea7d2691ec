"""Guardrails of a runbook over those of its part: the tighter value holds, and a looser one is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Path, Place, Scalar, value_place
from runbook_engine.model.quantity import InvalidQuantity, parse_duration, parse_percent

Parse = Callable[[Any], Any]
_GITOPS: Final = ("allowDrift", "refuse")


def _rank(value: Any) -> int:
    if value not in _GITOPS:
        raise InvalidQuantity("one of refuse, allowDrift")
    return _GITOPS.index(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidQuantity("a whole number")
    return value


# What a value is compared by, and whether more of it is tighter.
_SCALES: Final[Mapping[Path, tuple[Parse, bool]]] = {
    ("cooldown",): (parse_duration, True),
    ("deadline",): (parse_duration, False),
    ("minimumFaultAge",): (parse_duration, True),
    ("stepCap", "up"): (parse_percent, False),
    ("stepCap", "down"): (parse_percent, False),
    ("budget", "changes"): (_whole, False),
    ("budget", "window"): (parse_duration, True),
    ("blastRadius", "nodesUnavailable", "max"): (_whole, False),
    ("blastRadius", "nodesUnavailable", "maxPercent"): (_whole, False),
    ("blastRadius", "podsEvicted", "max"): (_whole, False),
    ("blastRadius", "podsEvicted", "maxPercent"): (_whole, False),
    ("gitops",): (_rank, True),
}
_LIMITS: Final = ("nodesUnavailable", "podsEvicted")  # the larger of a limit's two numbers holds: one more loosens it


def tighten(findings: Findings, own: Entries, part: Entries, path: Path = ()) -> Entries:
    """Return the guardrails of a runbook and its part together; report what the runbook would loosen."""
    limit = bool(path) and path[-1] in _LIMITS
    entries, keys = (dict(own.entries), dict(own.keys)) if limit else (dict(part.entries), dict(part.keys))
    for key, value in own.entries.items():
        theirs = part.entries.get(key)
        if theirs is None:
            if limit:
                message = (
                    f'"{key}" is a second limit beside that of {_where(part.place)}, and the larger of the two holds'
                )
                findings.at(own.keys[key], "loosened", message, "remove it")
            entries[key], keys[key] = value, own.keys[key]
            continue
        entries[key] = _tighter(findings, value, theirs, (*path, key), _place_in(part, key))
        keys[key] = own.keys[key]
    return Entries(entries, keys, own.place, own.style)


def _tighter(findings: Findings, own: Node, theirs: Node, path: Path, place: str) -> Node:
    """Return the tighter of two values; report an own one that is looser, or that cannot be compared."""
    if isinstance(own, Entries) and isinstance(theirs, Entries):
        return tighten(findings, own, theirs, path)
    if isinstance(own, Items) and isinstance(theirs, Items):  # what is protected
        return Items((*theirs.items, *own.items), own.place, own.style)
    if isinstance(own, Scalar) and isinstance(theirs, Scalar):
        _compare(findings, own, theirs, path, place)
    return own


def _compare(findings: Findings, own: Scalar, theirs: Scalar, path: Path, place: str) -> None:
    name = ".".join(map(str, path))
    if path == ("budget", "per") and own.value != theirs.value:
        message = f'"{name}" cannot be compared with that of {place}, which is {theirs.text}'
        findings.at(own.place, "loosened", message, f"write {theirs.text}, or leave it out")
        return
    if path not in _SCALES:
        return
    parse, more = _SCALES[path]
    try:
        mine, parts = parse(own.value), parse(theirs.value)
    except InvalidQuantity:
        return  # the field's own type says so
    if mine != parts and (mine > parts) != more:
        message = f'"{name}" of {own.text} loosens that of {place}, which is {theirs.text}'
        hint = f"write {theirs.text}" if path == ("gitops",) else f"write {theirs.text} or {_word(path, more)}"
        findings.at(own.place, "loosened", message, f"{hint}, or leave it out")


def _word(path: Path, more: bool) -> str:
    timed = _SCALES[path][0] is parse_duration
    if timed:
        return "longer" if more else "shorter"
    return "more" if more else "less"


def _place_in(part: Entries, key: str) -> str:
    return _where(value_place(part, (key,)))


def _where(place: Place) -> str:
    return f"{place.file}:{place.line}"
