"""Simulated functions: published versions, aliases that point to them, and the environment of unpublished code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.observation import Revision, Setting
from runbook_engine.model.plan import Value
from runbook_engine.model.serverless import Function
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

Found = TypeVar("Found")
ACCOUNT_LIMIT = 1000  # concurrent calls of all functions together
LEAST_LEFT = 100  # of those, for functions without a bound of their own


@dataclass(slots=True)
class SimulatedAlias:
    """Where one alias points, and which share of its calls goes elsewhere."""

    version: int
    canary: str = ""


@dataclass(slots=True, kw_only=True)
class SimulatedFunction:
    """The state of one function."""

    target: Target
    versions: tuple[Revision, ...] = ()  # published, newest first
    aliases: dict[str, SimulatedAlias] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    concurrency: int | None = None
    service: str = ""
    bypassed: str = ""
    managed: str = ""
    failing: str = ""  # why it cannot run once its configuration has been updated
    update_time: timedelta = timedelta(seconds=5)
    updated_at: datetime | None = None

    def state(self, now: datetime) -> Literal["active", "updating", "failed"]:
        """Return what its newest update has come to."""
        if self.updated_at is not None and now - self.updated_at < self.update_time:
            return "updating"
        return "failed" if self.updated_at is not None and self.failing else "active"


class SimulatedFunctions:
    """Reader and writer of functions, and of what is in their environment."""

    def __init__(self, clock: Clock, faults: Faults, changed: Callable[[Target, str], None]) -> None:
        self._clock = clock
        self._faults = faults
        self._changed = changed
        self._functions: dict[str, SimulatedFunction] = {}
        self.account_limit = ACCOUNT_LIMIT

    def add(self, function: SimulatedFunction) -> None:
        """Put a function into the world."""
        self._functions[function.target.key] = function

    def remove(self, target: Target) -> None:
        """Take a function out of the world."""
        self._functions.pop(target.whole.key, None)

    def targets(self) -> tuple[Target, ...]:
        """Return every function's target."""
        return tuple(function.target for function in self._functions.values())

    def state_of(self, target: Target) -> SimulatedFunction:
        """Return the state of a function, for a test to change. Raises InvalidTarget."""
        found = self._functions.get(target.whole.key)
        if found is None:
            raise InvalidTarget(f"{target.whole} does not exist")
        return found

    def alias_of(self, target: Target) -> SimulatedAlias:
        """Return the alias that a target names, for a test to change. Raises InvalidTarget."""
        aliases = self.state_of(target).aliases
        if target.alias not in aliases:
            raise InvalidTarget(f"{target.whole} has no alias {target.alias!r} (it has {', '.join(aliases) or 'none'})")
        return aliases[target.alias]

    def seen(self, target: Target) -> Function:
        """Return a function, whether or not it can be read."""
        state = self.state_of(target)
        alias = self.alias_of(target) if target.alias else SimulatedAlias(0)
        now = self._clock.now()
        return Function(
            target=target,
            version=alias.version,
            canary=alias.canary,
            versions=state.versions,
            concurrency=state.concurrency,
            state=state.state(now),
            reason=state.failing if state.state(now) == "failed" else "",
            service=state.service,
            bypassed=state.bypassed,
            managed=state.managed,
        )

    def function(self, target: Target) -> Function:
        """Return the function as it is now."""
        self._faults.look("functions.function")
        return self.seen(target)

    def point(self, target: Target, version: int, *, expected: int) -> Mapping[str, Value]:
        """Make the alias point to a published version, if it points to the expected one."""
        return self._faults.touch(
            "functions.point", str(target), version, lambda: self._point(target, version, expected)
        )

    def shift(self, target: Target, canary: str, *, expected: str, version: int) -> Mapping[str, Value]:
        """Send a share of the alias' calls to a second version, if the canary is the expected one."""
        return self._faults.touch(
            "functions.shift", str(target), canary, lambda: self._shift(target, canary, expected, version)
        )

    def limit(self, target: Target, concurrency: int | None, *, expected: int | None) -> Mapping[str, Value]:
        """Bound how many calls run at once, if the bound is the expected one."""
        return self._faults.touch(
            "functions.limit", str(target), concurrency, lambda: self._limit(target, concurrency, expected)
        )

    def setting(self, target: Target, key: str) -> Setting:
        """Return one value of the environment of unpublished code."""
        state = self.state_of(target)
        return Setting(target=target, text=state.environment.get(_variable(target, key)), gitops=state.managed)

    def set_variable(self, target: Target, key: str, text: str | None, expected: str | None) -> Mapping[str, Value]:
        """Set or remove one value of the environment, if it is as expected; the others stay as they are."""
        state, name = _for_writing(lambda: self.state_of(target)), _variable(target, key)
        live = state.environment.get(name)
        if live == text:
            return {"unchanged": True}
        if live != expected:
            raise Conflict(f"{key} of {target} is another one by now: nothing was written")
        if text is None:
            state.environment.pop(name, None)
        else:
            state.environment[name] = text
        state.updated_at = self._clock.now()
        self._changed(target, f"{key} set")
        return {"written": key}

    def _point(self, target: Target, version: int, expected: int) -> Mapping[str, Value]:
        alias = _for_writing(lambda: self.alias_of(target))
        if alias.version == version and not alias.canary:
            return {"unchanged": True}
        if alias.version != expected:
            raise Conflict(f"{target} points to version {alias.version}, not {expected}: nothing was written")
        self._check_published(target, version)
        alias.version, alias.canary = version, ""
        self._changed(target, f"version {expected} -> {version}")
        return {"version": version}

    def _shift(self, target: Target, canary: str, expected: str, version: int) -> Mapping[str, Value]:
        alias = _for_writing(lambda: self.alias_of(target))
        if alias.version != version:
            raise Conflict(f"{target} points to version {alias.version}, not {version}: nothing was written")
        if alias.canary == canary:
            return {"unchanged": True}
        if alias.canary != expected:
            raise Conflict(f"canary of {target} is {alias.canary!r}, not {expected!r}: nothing was written")
        if canary:
            number = int(canary.partition("=")[0])
            self._check_published(target, number)
            if number == alias.version:
                raise Permanent(f"cannot shift calls of {target}: version {number} has the others already")
        alias.canary = canary
        self._changed(target, f"canary {expected!r} -> {canary!r}")
        return {"canary": canary}

    def _limit(self, target: Target, concurrency: int | None, expected: int | None) -> Mapping[str, Value]:
        state = _for_writing(lambda: self.state_of(target))
        if state.concurrency == concurrency:
            return {"unchanged": True}
        if state.concurrency != expected:
            raise Conflict(f"concurrency of {target} is {state.concurrency}, not {expected}: nothing was written")
        others = sum(each.concurrency or 0 for each in self._functions.values() if each is not state)
        left = self.account_limit - others - (concurrency or 0)
        if left < LEAST_LEFT:
            raise Permanent(f"cannot reserve {concurrency} for {target}: {left} would be left, {LEAST_LEFT} must be")
        state.concurrency = concurrency
        self._changed(target, f"concurrency {expected} -> {concurrency}")
        return {"concurrency": concurrency}

    def _check_published(self, target: Target, version: int) -> None:
        if version not in [revision.number for revision in self.state_of(target).versions]:
            raise Permanent(f"{target.whole} has no version {version}")


def _variable(target: Target, key: str) -> str:
    container, _, name = key.removeprefix("env:").partition("/")
    if not key.startswith("env:") or container or not name:
        raise InvalidTarget(f"{key!r} names nothing of {target} (write env:/NAME)")
    return name


def _for_writing(look: Callable[[], Found]) -> Found:
    """Return what a writer needs. What is gone is gone for good."""
    try:
        return look()
    except InvalidTarget as error:
        raise Permanent(str(error)) from error
