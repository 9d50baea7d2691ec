"""What the steps of a runbook set, as far as it is written out: which field of which target, and which way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from runbook_engine.actions.params import parse_amount
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.runbook import Input, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.templating import is_template

UP, DOWN = "up", "down"
_INPUT = re.compile(r"\{\{\s*inputs\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Thing(msgspec.Struct, frozen=True):
    """One thing that is written out: no part of it comes from an alert."""

    kind: str
    namespace: str
    name: str
    field: str

    def __str__(self) -> str:
        """Return it as people write it: `replicas of apps/deployment/checkout`."""
        if self.kind == "parameter":
            return self.name
        named = "/".join(part for part in (self.namespace, self.kind, self.name) if part)
        return f"{self.field} of {named}"


class Setting(msgspec.Struct, frozen=True):
    """What one step does to a thing: up, down, or `=` and the value; empty = that cannot be told."""

    thing: Thing
    way: str
    cluster: str
    index: int  # of the step
    window: timedelta  # how long the run then looks whether it helped

    @property
    def says(self) -> str:
        """What is done, as a sentence goes on: `scales it up`, `sets it to "5"`."""
        return f'sets it to "{self.way[1:]}"' if self.way.startswith("=") else f"scales it {self.way}"


def settings_of(subject: Subject) -> Iterator[Setting]:
    """Yield what the changing steps set, where target and field are written out."""
    for index, step in subject.changing:
        target = step.target or subject.runbook.target
        for thing, way in _READERS.get(step.action, _nothing)(step.arguments, target):
            if not any(is_template(part) for part in (thing.namespace, thing.name, thing.field)):
                window = step.settle + look_of(subject.runbook, step)
                yield Setting(thing, way, "" if thing.kind == "parameter" else target.cluster, index, window)


def look_of(runbook: Runbook, step: Step) -> timedelta:
    """Return how long a run looks, at most, whether a step helped."""
    return max((check.timeout for check in (*step.verify, *runbook.verify)), default=timedelta(0))


def input_of(text: str, inputs: Sequence[Input]) -> Input | None:
    """Return the input that a template consists of, and of nothing else."""
    found = _INPUT.fullmatch(text)
    return next((each for each in inputs if found and each.name == found[1]), None)


def oppose(one: Setting, other: Setting) -> bool:
    """Whether two settings surely undo each other."""
    if not one.way or not other.way:
        return False
    if one.way.startswith("=") and other.way.startswith("="):
        return one.way != other.way
    return {one.way, other.way} == {UP, DOWN}


def whole_target(target: TargetTemplate, inputs: tuple[Input, ...]) -> tuple[str, ...]:
    """Return a target with its inputs replaced by where they come from, so that two runbooks can be compared."""
    parts = (target.kind, target.namespace, target.name, target.cluster)
    return tuple(by_origin(part, inputs) for part in parts)


def by_origin(text: str, inputs: Sequence[Input]) -> str:
    """Return a text with its inputs replaced by where they come from: two runbooks may call different things alike."""
    origins = {each.name: f"{'.'.join(each.path)}|{each.default}" for each in inputs}
    return _INPUT.sub(lambda found: "{{" + origins.get(found[1], found[1]) + "}}", text)


Read = Callable[[Mapping[str, Any], TargetTemplate], Iterator[tuple[Thing, str]]]


def _nothing(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield from ()


def _scale(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    by, to = arguments.get("by"), arguments.get("to")
    way = f"={to}" if to is not None else ""
    if by is not None and not (isinstance(by, str) and is_template(by)):
        way = UP if not str(parse_amount(by)).startswith("-") else DOWN
    yield Thing(target.kind, target.namespace, target.name, "replicas"), _constant(way)


def _degrade(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    way = _constant(f"={arguments.get('value', '')}")
    if "parameter" in arguments:
        yield Thing("parameter", "", str(arguments["parameter"]), "value"), way
    elif "configMap" in arguments:
        yield Thing("configmap", target.namespace, str(arguments["configMap"]), f"{arguments.get('key')}"), way
    elif "env" in arguments:
        yield Thing(target.kind, target.namespace, target.name, f"{arguments['env']}"), way


def _rollback(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield Thing(target.kind, target.namespace, target.name, "release"), ""


def _cordon(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield Thing(target.kind, "", target.name, "scheduling"), "=off"


def _uncordon(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield Thing(target.kind, "", target.name, "scheduling"), "=on"


def _throttle(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield Thing(target.kind, "", target.name, "concurrency"), _constant(f"={arguments.get('concurrency')}")


def _canary(arguments: Mapping[str, Any], target: TargetTemplate) -> Iterator[tuple[Thing, str]]:
    yield Thing(target.kind, "", target.name, "canary"), _constant(f"={arguments.get('percent')}")


def _constant(way: str) -> str:
    return "" if is_template(way) else way


_READERS: Final[Mapping[str, Read]] = {
    "scale": _scale,
    "degrade": _degrade,
    "rollback": _rollback,
    "cordon": _cordon,
    "uncordon": _uncordon,
    "throttle": _throttle,
    "canary": _canary,
}
