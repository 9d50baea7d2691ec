"""The past as a world: nothing in it can be read any more, and whoever tries is noticed.

A guardrail that tried cannot be judged now. That it tried is all that is kept of its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import Setting
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock, Effects, World
from runbook_engine.ports.absent import absent


class Watch:
    """Notices who looks at the past."""

    def __init__(self) -> None:
        self.looked = False

    def ask(self) -> None:
        """Note that somebody looked."""
        self.looked = True


class _Gone:
    """A reader of what is over: each of its methods raises Unreadable."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("_"):
            raise AttributeError(name)

        def look(*asked: object, **options: object) -> NoReturn:
            self._watch.ask()
            raise Unreadable("nobody wrote down what it was")

        return look


class _UnsetFlags:
    """Parameters of which only the name is known: whatever they held, a change of one is a change."""

    def flag(self, target: Target) -> None:
        """Return that it holds nothing."""


class _UnsetSettings:
    """Entries of which only the place is known."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def setting(self, target: Target, key: str) -> Setting:
        """Return that it holds nothing."""
        self._watch.ask()
        return Setting(target=target, text=None)


def past_world(clock: Clock, watch: Watch) -> World:
    """Return a world in which nothing can be read, save what a change needs to say what it would be a change of."""
    gone: Any = _Gone(watch)
    flags: Any = _UnsetFlags()
    return World(
        clock=clock,
        cluster=gone,
        flags=flags,
        metrics=gone,
        changes=gone,
        logs=gone,
        pauses=gone,
        settings=_UnsetSettings(watch),
        nodes=gone,
        jobs=gone,
        events=gone,
        functions=gone,
        queues=gone,
        automations=gone,
    )


def no_effects() -> Effects:
    """Return no hands at all."""
    return Effects(cluster=absent("cluster"), flags=absent("flags"), notifier=absent("receiver"))
