"""Rigging: actions whose calls go wrong as a scenario orders, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import msgspec

from runbook_engine.documents.runbook_test import FailureDocument
from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World
from runbook_engine.registry import Registry

ERRORS: Mapping[str, Callable[[str], RunbookError]] = {
    "retryable": Retryable,
    "permanent": Permanent,
    "unknown": EffectUnknown,
    "conflict": Conflict,
    "unreadable": Unreadable,
}
LOOKS: Mapping[str, Callable[[str], Progress]] = {"permanent": Progress.failed, "conflict": Progress.superseded}


class RiggedRegistry(Registry):
    """A registry with some actions more: those whose calls go wrong."""

    def __init__(self, registry: Registry, rigged: Mapping[str, ActionSpec]) -> None:
        self._registry = registry
        self._rigged = rigged

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action by name, the rigged ones among them."""
        return {**self._registry.actions, **self._rigged}


def rig(
    runbooks: Iterable[Runbook], failures: Iterable[FailureDocument], registry: Registry
) -> tuple[tuple[Runbook, ...], Registry]:
    """Return the runbooks with the steps that shall fail on actions of their own. Raises ValueError."""
    runbooks = tuple(runbooks)
    by_step: dict[str, list[FailureDocument]] = {}
    for failure in failures:
        by_step.setdefault(failure.step, []).append(failure)
    known = {step.name for runbook in runbooks for step in runbook.steps}
    if unknown := sorted(set(by_step) - known):
        raise ValueError(f"failures: no step is named {unknown[0]!r} (choose from {', '.join(sorted(known))})")
    rigged: dict[str, ActionSpec] = {}

    def changed(runbook: Runbook) -> Runbook:
        steps = list(runbook.steps)
        for index, step in enumerate(steps):
            if step.name in by_step:
                name = f"{step.action}, told to fail in {step.name}"
                rigged[name] = _RiggedAction(registry.action(step.action), by_step[step.name]).spec()
                steps[index] = msgspec.structs.replace(step, action=name)
        return msgspec.structs.replace(runbook, steps=tuple(steps))

    return tuple(changed(runbook) for runbook in runbooks), RiggedRegistry(registry, rigged)


class _RiggedAction:
    """One action with calls that go wrong so many times, and then well."""

    def __init__(self, action: ActionSpec, failures: Iterable[FailureDocument]) -> None:
        self._action = action
        self._failures = tuple(failures)
        self._done: Counter[int] = Counter()
        self._prepared: list[Change] = []

    def spec(self) -> ActionSpec:
        """Return the action under its own name, with rigged calls."""
        return replace(self._action, prepare=self._prepare, apply=self._apply, observe=self._observe)

    def _prepare(self, params: Any, target: Target, world: World) -> Change | None:
        failure = self._take("prepare")
        if failure is not None:
            raise ERRORS[failure.fails](failure.says)
        change = self._action.prepare(params, target, world)
        if change is not None:
            self._prepared.append(change)
        return change

    def _apply(self, change: Change, key: str, effects: Effects) -> Outcome:
        failure = self._take("undo" if self._undoes(change) else "apply")
        if failure is None:
            return self._action.apply(change, key, effects)
        if failure.fails == "unknown":  # only the answer is lost
            self._action.apply(change, key, effects)
        raise ERRORS[failure.fails](failure.says)

    def _observe(self, change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
        failure = self._take("observe")
        if failure is None:
            return self._action.observe(change, receipt, world)
        if failure.fails in LOOKS:
            return LOOKS[failure.fails](failure.says)
        raise Unreadable(failure.says)

    def _undoes(self, change: Change) -> bool:
        backwards = (change.target, change.field, change.after, change.before)
        return any(backwards == (made.target, made.field, made.before, made.after) for made in self._prepared)

    def _take(self, call: str) -> FailureDocument | None:
        for index, failure in enumerate(self._failures):
            if failure.call == call and self._done[index] < failure.times:
                self._done[index] += 1
                return failure
        return None
