"""The shield: what an adapter raises by surprise becomes a sentence of ours, so that no run hangs on a bug.

Adapters translate their vendors' errors themselves; this is the edge for what they forgot. A reader that surprises
cannot be read, and a receiver that surprises is told again later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from runbook_engine.errors import Retryable, RunbookError, Unreadable
from runbook_engine.ports import Effects, World


class Shielded:
    """An adapter whose every call raises errors of ours only."""

    def __init__(self, inner: Any, surprise: type[RunbookError]) -> None:
        self._inner = inner
        self._surprise = surprise

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._guarded(found) if callable(found) else found

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def guarded(*arguments: Any, **named: Any) -> Any:
            try:
                return call(*arguments, **named)
            except RunbookError:
                raise
            except Exception as error:
                name = type(self._inner).__name__
                raise self._surprise(f"{name} failed by surprise: {type(error).__name__}: {error}") from error

        return guarded


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
        metric_sources={name: Shielded(reader, Unreadable) for name, reader in world.metric_sources.items()},
    )


def shielded_effects(effects: Effects) -> Effects:
    """Return the same hands; only telling is shielded, since a change in doubt is the executor's own business."""
    return replace(effects, notifier=Shielded(effects.notifier, Retryable))
