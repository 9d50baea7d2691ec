"""Writers: what the core does to the world. Each is a compare-and-set, and may be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook_engine.model.observation import Message, Pause
    from runbook_engine.model.plan import Value
    from runbook_engine.model.target import Target


class ClusterWriter(Protocol):
    """Touches workloads. Each method is a compare-and-set: it raises Conflict when the world has moved.

    Each returns a receipt: what `observe` needs to find the effect again (`generation` after the write). What is
    already as wanted is left alone, whatever was expected, and the receipt says `unchanged: True`. An unknown
    workload or revision is Permanent.
    """

    def scale(self, target: Target, replicas: int, *, expected: int) -> Mapping[str, Value]:
        """Set the number of replicas (of an autoscaled workload: its autoscaler's minimum), if it is `expected`."""
        ...

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica, rolling; the same mark again does nothing."""
        ...

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision's settings, if the current revision still is `expected`."""
        ...


class FlagWriter(Protocol):
    """Touches parameters."""

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) the parameter, if its value still is `expected`; None = absent.

        Receipt: `version` after the write; a parameter that already is as wanted is left alone, whatever was
        expected, and the receipt says `unchanged: True`.
        """
        ...


class PauseWriter(Protocol):
    """Throws and lifts the kill switch."""

    def throw(self, pause: Pause) -> None:
        """Pause every change until then."""
        ...

    def lift(self) -> None:
        """End the pause; nothing happens when there is none."""
        ...


class Notifier(Protocol):
    """Tells receivers, by name."""

    def send(self, receiver: str, message: Message) -> None:
        """Deliver one message. Raises Retryable or Permanent; a second delivery of one id is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything that can be touched."""

    cluster: ClusterWriter
    flags: FlagWriter
    notifier: Notifier
