"""Writers: what the core does to the world. Each is a compare-and-set, and may be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from runbook_engine.ports.absent import absent

if TYPE_CHECKING:
    from runbook_engine.model.eviction import EvictionBatch, EvictionRules
    from runbook_engine.model.observation import Message, Pause
    from runbook_engine.model.plan import Value
    from runbook_engine.model.target import Target


class ClusterWriter(Protocol):
    """Touches workloads. Each method is a compare-and-set: it raises Conflict when the world has moved.

    Each returns a receipt: what `observe` needs to find the effect again (`generation` after the write). What is
    already as wanted is left alone, whatever was expected, and the receipt says `unchanged: True`. An unknown
    workload or revision is Permanent.
    """

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the number of replicas, or with `minimum` the minimum of the autoscaler that sets it, if `expected`.

        Which of the two was judged, so an autoscaler that has come or gone since is a Conflict.
        """
        ...

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica, rolling; the same mark again does nothing."""
        ...

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision's settings, if the current revision still is `expected`.

        The receipt's `stuck` is how many replicas of the newer revision are still in the way; asked again, with the
        same arguments, the writer takes the next one away. Absent or 0 = nothing is in the way.
        """
        ...


class SettingWriter(Protocol):
    """Touches what a workload is configured with; keys and texts are those of SettingReader."""

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) one entry, if it still is `expected`; None = absent.

        Receipt: `generation` after the write, where there is one. What is already so is left alone, and the receipt
        says `unchanged: True`. Raises Conflict, Retryable, Permanent, EffectUnknown.
        """
        ...


class NodeWriter(Protocol):
    """Touches nodes and pods. A target with a uid is touched only while it is that very one: else Conflict."""

    def cordon(self, target: Target) -> Mapping[str, Value]:
        """Keep new pods off a node. One that is cordoned already is left alone: `unchanged: True`."""
        ...

    def uncordon(self, target: Target) -> Mapping[str, Value]:
        """Let pods onto a node again. Raises Conflict when somebody else has cordoned it since."""
        ...

    def evict(self, target: Target, rules: EvictionRules, *, limit: int) -> EvictionBatch:
        """Ask the next pods of a cordoned node to leave, at most `limit` on their way at once; look before each.

        Raises Permanent when the node is not cordoned: what leaves would come straight back.
        """
        ...

    def rehearse(self, target: Target, rules: EvictionRules) -> tuple[str, ...]:
        """Ask without effect whether the pods of a node would be let go, one of each namespace; return what forbids it.

        What passes by itself, such as a disruption budget that is used up, forbids nothing.
        """
        ...

    def remove(self, pod: Target, *, evict: bool, grace: timedelta | None = None) -> Mapping[str, Value]:
        """Evict one pod (so that disruption budgets hold), or delete it. One that is gone is left alone.

        Raises Retryable when a disruption budget says not now.
        """
        ...


class JobWriter(Protocol):
    """Starts jobs."""

    def start(self, target: Target, template: str, arguments: Mapping[str, str], *, digest: str) -> Mapping[str, Value]:
        """Start the job of that name from a pinned template; one that exists already is left alone.

        Raises Conflict when the template is not the one with that digest any more: nobody has approved what it is now.
        """
        ...


class FunctionWriter(Protocol):
    """Touches functions. Each method is a compare-and-set: Conflict when the world has moved.

    What is already as wanted is left alone, whatever was expected, and the receipt says `unchanged: True`.
    """

    def point(self, target: Target, version: int, *, expected: int) -> Mapping[str, Value]:
        """Make the alias point to a published version, if it points to `expected`; whatever canary there is ends."""
        ...

    def shift(self, target: Target, canary: str, *, expected: str, version: int) -> Mapping[str, Value]:
        """Send a share of the alias' calls to a second version, as in 8=10; empty = to none.

        Only while the alias points to `version`, which the other calls go to: else Conflict, as for `expected`.
        """
        ...

    def limit(self, target: Target, concurrency: int | None, *, expected: int | None) -> Mapping[str, Value]:
        """Reserve so many concurrent calls for the function, no more; None = nothing reserved, 0 = it is not called.

        It holds for every alias. Permanent when too little would be left for the account's other functions.
        """
        ...


class QueueWriter(Protocol):
    """Touches queues."""

    def redrive(self, target: Target, *, per_second: int | None = None) -> Mapping[str, Value]:
        """Begin to move a dead-letter queue's messages back to where they came from.

        Receipt: `move`, its id. Raises Conflict when messages are being moved already.
        """
        ...


class AutomationWriter(Protocol):
    """Starts pinned automations."""

    def start(self, template: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Start a run; the same token again starts no second one. Receipt: `run`, its id.

        Raises Conflict when the template is not the one with that digest any more.
        """
        ...


class RequestWriter(Protocol):
    """Sends pinned requests."""

    def send(self, name: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Send a request; to one whose `repeat` is token the token goes along, the same in every repeat.

        Receipt: `id`, when the answer holds one. Raises Conflict when the template is not the one with that digest any
        more, Retryable when surely nothing was done, EffectUnknown when it was sent and nobody knows what came of it.
        """
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

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the receiver's own reference to it, by which a later one may take its place.

        Empty = it has none. Raises Retryable or Permanent; a second delivery of one id is harmless.
        """
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything that can be touched."""

    cluster: ClusterWriter
    flags: FlagWriter
    notifier: Notifier
    settings: SettingWriter = field(default_factory=lambda: absent("settings"))
    nodes: NodeWriter = field(default_factory=lambda: absent("nodes"))
    jobs: JobWriter = field(default_factory=lambda: absent("jobs"))
    functions: FunctionWriter = field(default_factory=lambda: absent("functions"))
    queues: QueueWriter = field(default_factory=lambda: absent("queues"))
    automations: AutomationWriter = field(default_factory=lambda: absent("automations"))
    requests: RequestWriter = field(default_factory=lambda: absent("requests"))
