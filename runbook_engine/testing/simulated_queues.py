"""Simulated queues: messages that wait, and moves of dead letters that take simulated time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.plan import Value
from runbook_engine.model.serverless import Move, Queue
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults


@dataclass(slots=True, kw_only=True)
class SimulatedQueue:
    """The state of one queue. `poisoned` messages are dead again as soon as a move has ended."""

    target: Target
    messages: int = 0
    sources: tuple[str, ...] = ()
    service: str = ""
    poisoned: int = 0
    failing: str = ""  # why the next move does not get beyond its middle
    move_time: timedelta = timedelta(seconds=10)  # unless a rate is asked for
    moves: tuple[Move, ...] = ()  # newest first
    ends: datetime | None = None  # of the newest move
    held: int = field(default=0)  # messages when it began

    def settle(self, now: datetime) -> int:
        """Let the move under way come as far as it has by now; return how many have arrived since the last look."""
        if not self.moves or self.moves[0].status != "running" or self.ends is None:
            return 0
        newest = self.moves[0]
        whole = self.ends - newest.started_at
        share = min(1.0, (now - newest.started_at) / whole) if whole else 1.0
        if self.failing:
            share = min(0.5, share)
        moved = int(self.held * share)
        arrived = moved - newest.moved
        self.messages -= arrived
        status = newest.status
        if now >= self.ends:
            status = "failed" if self.failing else "completed"
            self.messages += min(self.poisoned, moved)
        ended = replace(newest, moved=moved, status=status, reason=self.failing if status == "failed" else "")
        self.moves = (ended, *self.moves[1:])
        return arrived


class SimulatedQueues:
    """Reader and writer of queues."""

    def __init__(self, clock: Clock, faults: Faults, changed: Callable[[Target, str], None]) -> None:
        self._clock = clock
        self._faults = faults
        self._changed = changed
        self._queues: dict[str, SimulatedQueue] = {}

    def add(self, queue: SimulatedQueue) -> None:
        """Put a queue into the world."""
        self._queues[queue.target.key] = queue

    def remove(self, target: Target) -> None:
        """Take a queue out of the world."""
        self._queues.pop(target.key, None)

    def targets(self) -> tuple[Target, ...]:
        """Return every queue's target."""
        return tuple(queue.target for queue in self._queues.values())

    def state_of(self, target: Target) -> SimulatedQueue:
        """Return the state of a queue, for a test to change. Raises InvalidTarget."""
        if target.key not in self._queues:
            raise InvalidTarget(f"{target} does not exist")
        queue = self._queues[target.key]
        self._arrive(queue, queue.settle(self._clock.now()))
        return queue

    def seen(self, target: Target) -> Queue:
        """Return a queue, whether or not it can be read."""
        queue = self.state_of(target)
        return Queue(
            target=target,
            messages=queue.messages,
            sources=queue.sources,
            moves=queue.moves,
            service=queue.service,
        )

    def queue(self, target: Target) -> Queue:
        """Return the queue as it is now."""
        self._faults.look("queues.queue")
        return self.seen(target)

    def redrive(self, target: Target, *, per_second: int | None = None) -> Mapping[str, Value]:
        """Begin to move the messages back to where they came from."""
        return self._faults.touch("queues.redrive", str(target), per_second, lambda: self._redrive(target, per_second))

    def _redrive(self, target: Target, per_second: int | None) -> Mapping[str, Value]:
        try:
            queue = self.state_of(target)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if not queue.sources:
            raise Permanent(f"cannot redrive {target}: it is no dead-letter queue")
        if queue.moves and queue.moves[0].status == "running":
            raise Conflict(f"the messages of {target} are being moved already: nothing was begun")
        now = self._clock.now()
        took = queue.move_time if per_second is None else timedelta(seconds=queue.messages / per_second)
        move = Move(id=f"move-{len(queue.moves) + 1}", status="running", started_at=now, wanted=queue.messages)
        queue.moves, queue.ends, queue.held = (move, *queue.moves), now + took, queue.messages
        self._changed(target, f"{queue.messages} messages moved back")
        return {"move": move.id}

    def _arrive(self, queue: SimulatedQueue, count: int) -> None:
        """Let moved messages arrive where they came from, as far as that is in this world."""
        if not count or len(queue.sources) != 1:
            return
        source = self._queues.get(Target("queue", queue.target.place, "", queue.sources[0]).key)
        if source is not None:
            source.messages += count
