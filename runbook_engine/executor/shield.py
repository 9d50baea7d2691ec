"""The shield: what an adapter or an action raises by surprise becomes a sentence of ours: no run hangs on a bug.

Adapters translate their vendors' errors themselves; this is the edge for what they forgot. A reader that surprises
cannot be read, a receiver that surprises is told again later, and an action that cannot even look has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any

from runbook_engine.errors import Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.model.runbook import Step
from runbook_engine.ports import ActionSpec, CollectorSpec, Effects, World
from runbook_engine.registry import Registry


class Shielded:
    """An adapter whose every call raises errors of ours only."""

    def __init__(self, inner: Any, surprise: type[RunbookError]) -> None:
        self._inner = inner
        self._surprise = surprise

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return guarded(found, type(self._inner).__name__, self._surprise) if callable(found) else found


class ShieldedRegistry(Registry):
    """A registry whose actions and collectors raise errors of ours only. `apply` is the executor's own business."""

    def __init__(self, inner: Registry) -> None:
        self._inner = inner
        self._shielded: dict[str, ActionSpec] = {}  # every turn asks for its action several times

    def action(self, name: str) -> ActionSpec:
        """Return one action. Raises UnknownAction."""
        if name not in self._shielded:
            spec, who = self._inner.action(name), f"action {name}"
            prepare, observe = guarded(spec.prepare, who, Permanent), guarded(spec.observe, who, Unreadable)
            rehearse = guarded(spec.rehearse, who, Permanent) if spec.rehearse is not None else None
            self._shielded[name] = replace(spec, prepare=prepare, observe=observe, rehearse=rehearse)
        return self._shielded[name]

    def collector(self, name: str) -> CollectorSpec:
        """Return one collector. Raises UnknownAction."""
        spec = self._inner.collector(name)
        return replace(spec, collect=guarded(spec.collect, f"collector {name}", Unreadable))

    def time_limit(self, step: Step) -> timedelta:
        """Return how long the action of a step may take to take effect."""
        return self._inner.time_limit(step)


def guarded(call: Callable[..., Any], name: str, surprise: type[RunbookError]) -> Callable[..., Any]:
    """Return the same call, which raises errors of ours only: its own, or `surprise` with what it raised."""

    @wraps(call)
    def answered(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except RunbookError:
            raise
        except Exception as error:
            raise surprise(f"{name} failed by surprise: {type(error).__name__}: {error}") from error

    return answered


def shielded_world(world: World) -> World:
    """Return the same eyes, unable to surprise."""
    return replace(
        world,
        cluster=Shielded(world.cluster, Unreadable),
        flags=Shielded(world.flags, Unreadable),
        metrics=Shielded(world.metrics, Unreadable),
        changes=Shielded(world.changes, Unreadable),
        logs=Shielded(world.logs, Unreadable),
        pauses=Shielded(world.pauses, Unreadable),
        settings=Shielded(world.settings, Unreadable),
        nodes=Shielded(world.nodes, Unreadable),
        jobs=Shielded(world.jobs, Unreadable),
        events=Shielded(world.events, Unreadable),
        functions=Shielded(world.functions, Unreadable),
        queues=Shielded(world.queues, Unreadable),
        automations=Shielded(world.automations, Unreadable),
        requests=Shielded(world.requests, Unreadable),
        metric_sources={name: Shielded(reader, Unreadable) for name, reader in world.metric_sources.items()},
    )


def shielded_effects(effects: Effects) -> Effects:
    """Return the same hands; only telling is shielded, since a change in doubt is the executor's own business."""
    return replace(effects, notifier=Shielded(effects.notifier, Retryable))
