"""The smaller simulated ports: parameters, changes, logs, the kill switch, and every receiver's inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.observation import ChangeEvent, Flag, LogExcerpt, Message, Pause
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

ENGINE = "runbook-engine"


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message in a receiver's inbox."""

    receiver: str
    message: Message


class SimulatedFlags:
    """Parameters with values and versions; a version never comes twice, even after a removal."""

    def __init__(self, faults: Faults, changed: Callable[[Target, str], None]) -> None:
        self._faults = faults
        self._changed = changed
        self._flags: dict[str, Flag] = {}
        self._versions: dict[str, int] = {}

    def flag(self, target: Target) -> Flag | None:
        """Return the parameter's value and version."""
        self._faults.look("flags.flag")
        return self._flags.get(target.key)

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set or remove the parameter, if it is as expected."""
        return self._faults.touch("flags.write", str(target), value, lambda: self._write(target, value, expected))

    def put(self, target: Target, value: str | None) -> int:
        """Set or remove the parameter without asking; return its version."""
        self._versions[target.key] = version = self._versions.get(target.key, 0) + 1
        if value is None:
            self._flags.pop(target.key, None)
        else:
            self._flags[target.key] = Flag(value=value, version=version)
        return version

    def values(self) -> Mapping[str, str]:
        """Return every parameter's value, by the target's key."""
        return {key: flag.value for key, flag in self._flags.items()}

    def _write(self, target: Target, value: str | None, expected: str | None) -> Mapping[str, Value]:
        flag = self._flags.get(target.key)
        live = flag.value if flag is not None else None
        if live == value:
            unchanged: dict[str, Value] = {"version": self._versions.get(target.key, 0), "unchanged": True}
            return unchanged
        if live != expected:
            raise Conflict(f"{target} is {live!r}, not {expected!r}: nothing was written")
        version = self.put(target, value)
        self._changed(target, f"{live!r} -> {value!r}")
        return {"version": version}


class SimulatedChanges:
    """What was changed, by whom."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._events: list[tuple[str, ChangeEvent]] = []

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes of a target since then, newest first."""
        self._faults.look("changes.changes")
        now = self._clock.now()
        keys = (target.key, target.whole.key)
        found = [event for key, event in self._events if key in keys and since <= event.at <= now]
        return tuple(sorted(found, key=lambda event: event.at, reverse=True))

    def add(self, target: Target, event: ChangeEvent) -> None:
        """Remember a change."""
        self._events.append((target.key, event))

    def add_ours(self, target: Target, what: str) -> None:
        """Remember a change that the engine makes now."""
        self.add(target, ChangeEvent(at=self._clock.now(), who=ENGINE, what=what, ours=True))


class SimulatedLogs:
    """What workloads logged."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._excerpts: dict[str, tuple[LogExcerpt, ...]] = {}

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the last lines of every log of the target, of its containers before too when they are wanted."""
        self._faults.look("logs.logs")
        known = self._excerpts.get(target.key) or self._excerpts.get(target.whole.key, ())
        kept = [excerpt for excerpt in known if previous or not excerpt.previous]
        return tuple(msgspec.structs.replace(excerpt, lines=excerpt.lines[-lines:]) for excerpt in kept)

    def add(self, target: Target, name: str, lines: Iterable[str], *, previous: bool = False) -> None:
        """Add one log of a target."""
        excerpt = LogExcerpt(name=name, lines=tuple(lines), previous=previous)
        self._excerpts[target.key] = (*self._excerpts.get(target.key, ()), excerpt)


class SimulatedPause:
    """The kill switch: reader and writer."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._pause: Pause | None = None

    def pause(self, now: datetime) -> Pause | None:
        """Return the pause in force."""
        self._faults.look("pauses.pause")
        return self._pause if self._pause is not None and self._pause.until > now else None

    def throw(self, pause: Pause) -> None:
        """Pause every change until then."""
        self._pause = pause

    def lift(self) -> None:
        """End the pause."""
        self._pause = None


class SimulatedInbox:
    """Every receiver's inbox; a message that comes twice is kept once."""

    def __init__(self, faults: Faults, receivers: Iterable[str] | None = None) -> None:
        self._faults = faults
        self._receivers = None if receivers is None else frozenset(receivers)
        self.messages: list[Delivered] = []
        self._known: set[tuple[str, str]] = set()  # receiver, message

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; a receiver's reference is what it calls its messages about one execution."""
        self._faults.touch("notifier.send", receiver, message.id, lambda: self._send(receiver, message))
        return message.reference or f"{receiver}/{message.execution_id or message.id}"

    def _send(self, receiver: str, message: Message) -> Mapping[str, Value]:
        if self._receivers is not None and receiver not in self._receivers:
            raise Permanent(f"no receiver is named {receiver!r} (add it to receivers in engine.yaml)")
        if (receiver, message.id) in self._known:
            return {"unchanged": True}
        self._known.add((receiver, message.id))
        self.messages.append(Delivered(receiver, message))
        return {}
