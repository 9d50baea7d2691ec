"""Failures on order: calls of a port that fail, ports that cannot be read, and the log of everything touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.ports import Clock

READS = (
    *("cluster.workload", "jobs.job", "flags.flag", "metrics.query", "metrics.history"),
    *("nodes.node", "nodes.nodes", "nodes.pods", "nodes.pod", "nodes.headroom", "nodes.workload_of", "nodes.node_of"),
    "nodes.rehearse",
    *("changes.changes", "logs.logs", "pauses.pause", "settings.setting", "events.events"),
    *("functions.function", "queues.queue", "automations.run", "requests.state"),
)
WRITES = (
    "cluster.scale",
    "cluster.restart",
    "cluster.rollback",
    "jobs.start",
    *("nodes.cordon", "nodes.uncordon", "nodes.evict", "nodes.remove"),
    "flags.write",
    "settings.write",
    *("functions.point", "functions.shift", "functions.limit", "queues.redrive", "automations.start"),
    "requests.send",
    "notifier.send",
)
PORTS = tuple(dict.fromkeys(method.partition(".")[0] for method in READS))


@dataclass(frozen=True, slots=True)
class Touch:
    """One call of a writer: what was asked, whether the world changed, and what the caller was told."""

    at: str  # seconds since the start, as 90s
    method: str
    target: str
    value: Value
    changed: bool
    error: str = ""


@dataclass(slots=True)
class _Ordered:
    error: RunbookError
    times: int
    after_effect: bool


class Faults:
    """What goes wrong, and when; shared by all ports of one simulated world."""

    def __init__(self, clock: Clock) -> None:
        self.touches: list[Touch] = []
        self._clock = clock
        self._start = clock.now()
        self._ordered: dict[str, list[_Ordered]] = {}
        self._unreadable: dict[str, str] = {}

    def fail_next(self, method: str, error: RunbookError, *, times: int = 1, after_effect: bool = False) -> None:
        """Let the next calls of a method fail; `after_effect`: the world changes, and only the answer is lost."""
        if method not in READS + WRITES:
            raise ValueError(f"no port has a method {method!r} (choose from {', '.join(READS + WRITES)})")
        if after_effect and method not in WRITES:
            raise ValueError(f"{method} reads, so it has no effect after which it could fail")
        self._ordered.setdefault(method, []).append(_Ordered(error, times, after_effect))

    def make_unreadable(self, port: str, reason: str = "made unreadable by the test") -> None:
        """Let every read of a port fail until it is made readable."""
        if port not in PORTS:
            raise ValueError(f"no port {port!r} can be read (choose from {', '.join(PORTS)})")
        self._unreadable[port] = reason

    def make_readable(self, port: str) -> None:
        """End what `make_unreadable` began."""
        self._unreadable.pop(port, None)

    def look(self, method: str) -> None:
        """Raise what was ordered for a read."""
        ordered = self._take(method)
        if ordered is not None:
            raise ordered.error
        port = method.partition(".")[0]
        if port in self._unreadable:
            raise Unreadable(f"{port} cannot be read: {self._unreadable[port]}")

    def touch(
        self, method: str, target: str, value: Value, effect: Callable[[], Mapping[str, Value]]
    ) -> Mapping[str, Value]:
        """Make a write happen, or fail as ordered, and log it either way."""
        ordered = self._take(method)
        if ordered is not None and not ordered.after_effect:
            self._log(method, target, value, changed=False, error=ordered.error)
            raise ordered.error
        try:
            receipt = effect()
        except RunbookError as error:
            self._log(method, target, value, changed=False, error=error)
            raise
        self._log(
            method,
            target,
            value,
            changed=not receipt.get("unchanged"),
            error=ordered.error if ordered is not None else None,
        )
        if ordered is not None:
            raise ordered.error
        return receipt

    def _take(self, method: str) -> _Ordered | None:
        waiting = self._ordered.get(method)
        if not waiting:
            return None
        first = waiting[0]
        first.times -= 1
        if first.times <= 0:
            waiting.pop(0)
        return first

    def _log(self, method: str, target: str, value: Value, *, changed: bool, error: RunbookError | None) -> None:
        at = f"{(self._clock.now() - self._start).total_seconds():g}s"
        said = f"{type(error).__name__}: {error}" if error is not None else ""
        self.touches.append(Touch(at, method, target, value, changed, said))
