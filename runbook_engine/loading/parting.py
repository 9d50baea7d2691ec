"""Parting: what the changes of a runbook read besides its target, so that alerts which differ in it are not one run.

A run acts on what the alert that opened it said. One that joins it and says another pool, for which a request would
be sent, would be called handled and never be acted on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runbook_engine.loading.rules import Catalogue
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import FOUND_KINDS
from runbook_engine.templating import variables_of

READ = ("inputs", "alert")


def parted_by(runbook: Runbook, catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    """Return the paths that changes read. What is only told to people parts nobody."""
    found = runbook.target.kind in FOUND_KINDS  # what an alert leads to is one thing, whichever part of it was named
    paths = (
        path
        for step in runbook.steps
        if not catalogue.actions[step.action].message_only
        for text in _texts(step, found=found)
        for path in variables_of(text)
        if path[0] in READ
    )
    return tuple(sorted(dict.fromkeys(paths)))


def _texts(step: Step, *, found: bool) -> Iterator[str]:
    yield from _strings(step.arguments)
    if step.target is not None and not found:
        target = step.target
        yield from (target.name, target.namespace, target.cluster)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
