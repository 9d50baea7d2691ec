"""The contract of QueueReader and QueueWriter: import the class into a test module that has a `rig` fixture.

A rig is a dead-letter queue with three messages that came from the queue `jobs`, and a queue that is none. `settle()`
lets time pass until what was begun has ended.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.target import Target
from runbook_engine.ports import QueueReader, QueueWriter


class QueuesRig(Protocol):
    """What an adapter brings to be judged."""

    reader: QueueReader
    writer: QueueWriter
    target: Target
    plain: Target

    def settle(self) -> None:
        """Let time pass until what was begun has ended."""


class QueuesContract:
    """What every adapter for queues, simulated or real, does alike."""

    def test_queue_is_counted_when_messages_wait(self, rig: QueuesRig) -> None:
        """How many wait, and whose dead letters they are."""
        queue = rig.reader.queue(rig.target)

        assert queue.target.key == rig.target.key
        assert queue.messages == 3
        assert queue.sources == ("jobs",)
        assert queue.moves == ()

    def test_queue_has_no_sources_when_it_takes_no_dead_letters(self, rig: QueuesRig) -> None:
        """A queue like any other."""
        queue = rig.reader.queue(rig.plain)

        assert (queue.sources, queue.moves) == ((), ())

    def test_queue_is_refused_when_it_is_unknown(self, rig: QueuesRig) -> None:
        """What does not exist is an invalid target, never an empty queue."""
        with pytest.raises(InvalidTarget):
            rig.reader.queue(_unknown(rig.target))

    def test_move_is_under_way_when_begun(self, rig: QueuesRig) -> None:
        """The receipt names it, and the queue tells of it."""
        receipt = rig.writer.redrive(rig.target)

        move = rig.reader.queue(rig.target).moves[0]
        assert (receipt["move"], "running") == (move.id, move.status)

    def test_move_keeps_its_name_when_it_has_ended(self, rig: QueuesRig) -> None:
        """Who began it can find out what became of it."""
        receipt = rig.writer.redrive(rig.target, per_second=100)
        rig.settle()

        move = rig.reader.queue(rig.target).moves[0]
        assert (receipt["move"], "completed", 3) == (move.id, move.status, move.moved)

    def test_move_is_refused_when_one_is_under_way(self, rig: QueuesRig) -> None:
        """One at a time."""
        rig.writer.redrive(rig.target)

        with pytest.raises(Conflict):
            rig.writer.redrive(rig.target)

        assert len(rig.reader.queue(rig.target).moves) == 1

    def test_newest_move_is_first_when_there_are_several(self, rig: QueuesRig) -> None:
        """The second redrive is another one."""
        first = rig.writer.redrive(rig.target)
        rig.settle()

        second = rig.writer.redrive(rig.target)

        moves = [move.id for move in rig.reader.queue(rig.target).moves]
        assert [second["move"], first["move"]] == moves

    def test_move_is_refused_when_it_takes_no_dead_letters(self, rig: QueuesRig) -> None:
        """Nobody knows where its messages would go."""
        with pytest.raises(Permanent):
            rig.writer.redrive(rig.plain)

    def test_move_is_refused_when_the_queue_is_unknown(self, rig: QueuesRig) -> None:
        """A write creates nothing."""
        with pytest.raises(Permanent):
            rig.writer.redrive(_unknown(rig.target))


def _unknown(target: Target) -> Target:
    return msgspec.structs.replace(target, name="no-such-queue")
