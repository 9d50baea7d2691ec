"""A target that every process writes to without asking: one line a call, so that a doubled step is a doubled line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from runbook_engine.actions.params import ActionParams
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World
from runbook_engine.registry import Registry


class Tally:
    """The lines that were written, by any process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lines(self) -> list[str]:
        """Every effect at the target, by the target's name."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    def add(self, name: str) -> None:
        """Add one line; the kernel appends short writes whole."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{name}\n".encode())
        finally:
            os.close(descriptor)


class TallyRegistry(Registry):
    """What is installed, and the action `tally`, which must never be repeated."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action by name."""
        return {**super().actions, "tally": _spec(self._tally)}


class NoParams(ActionParams):
    """Nothing to say."""


def _spec(tally: Tally) -> ActionSpec:
    def prepare(params: NoParams, target: Target, world: World) -> Change | None:
        return Change(target=target, field="lines", before=None, after=1)

    def apply(change: Change, key: str, effects: Effects) -> Outcome:
        tally.add(change.target.name)
        return Outcome.done(written=True)

    def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
        return Progress.done("written")

    return ActionSpec(
        name="tally",
        summary="Add a line.",
        params=NoParams,
        prepare=prepare,
        apply=apply,
        observe=observe,
        repeat="once",
        reversible=False,
        permissions=(),
    )
