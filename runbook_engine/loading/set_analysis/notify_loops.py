"""Receivers that post back to this engine: what is told becomes an alert, which is told again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.configuration import Configuration


def report_notify_loops(subject: Subject, configuration: Configuration | None) -> None:
    """Report every use of a receiver whose address is one of the engine's own doors."""
    loops = looping(configuration) if configuration is not None else {}
    for path, receiver in _told(subject) if loops else ():
        if receiver in loops:
            message = f'"{receiver}" posts to /hooks/{loops[receiver]}, where this engine takes alerts: it tells itself'
            hint = "give the receiver of engine.yaml the address of whoever is to hear it"
            subject.warn(path, "notify-loop", message, hint)


def looping(configuration: Configuration) -> Mapping[str, str]:
    """Return the receivers whose address ends in a scope's path, with that scope."""
    scopes = {f"/hooks/{scope.name}": scope.name for scope in configuration.scopes}
    return {
        receiver.name: scopes[path]
        for receiver in configuration.receivers
        for value in receiver.settings.values()
        for path in (_path_of(value),)
        if path in scopes
    }


def _path_of(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return ""
    try:
        return urlsplit(value).path.rstrip("/")
    except ValueError:
        return ""


def _told(subject: Subject) -> Iterator[tuple[Path, str]]:
    for index, rule in enumerate(subject.runbook.notify):
        yield ("notify", index, "receiver"), rule.receiver
    for index, step in enumerate(subject.runbook.steps):
        if not subject.changes(step) and "receiver" in step.arguments:
            yield ("steps", index, "with", "receiver"), str(step.arguments["receiver"])
