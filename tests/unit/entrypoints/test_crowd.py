"""Who is let go when threads run short: nobody without need, and first whoever is waited for longest."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from runbook_engine.entrypoints.crowd import PATIENCE, Crowd


@dataclass
class Place:
    """A crowd before four threads, its clock, and what of a connection its sender still has."""

    stack: ExitStack
    time: float = 100.0
    theirs: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nobody."""
        self.crowd = Crowd(4, lambda: self.time)

    def comes(self, *, says_all: bool = False) -> socket.socket:
        """Let a request be taken up by a thread, which waits for the rest of it unless that has come."""
        ours, theirs = (self.stack.enter_context(each) for each in socket.socketpair())
        self.theirs.append(theirs)
        self.crowd.joins()
        self.stack.enter_context(self.crowd.served(ours))
        if not says_all:
            self.stack.enter_context(self.crowd.awaited(ours))
        return ours

    def cut(self) -> list[int]:
        """Return the numbers of those whose connection has ended."""
        return [number for number, each in enumerate(self.theirs) if _has_ended(each)]


def _has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.fixture
def place() -> Iterator[Place]:
    """Four threads and nobody."""
    with ExitStack() as stack:
        yield Place(stack)


def test_who_is_waited_for_longest_is_let_go_when_others_stand_in_line(place: Place) -> None:
    """As many as stand there, and no more."""
    for _ in range(4):
        place.comes()
        place.time += 1
    place.crowd.joins()
    place.crowd.joins()

    assert (2, 2, [0, 1]) == (place.crowd.in_line, place.crowd.let_go(), place.cut())


@pytest.mark.parametrize(
    ("silent", "speaking", "in_line", "passes"),
    [
        pytest.param(4, 0, 0, 60.0, id="nobody stands in line"),
        pytest.param(1, 3, 5, 60.0, id="most threads work"),
        pytest.param(4, 0, 5, PATIENCE / 2, id="nobody was waited for long"),
    ],
)
def test_nobody_is_let_go_without_need(place: Place, silent: int, speaking: int, in_line: int, passes: float) -> None:
    """A slow network is no attack."""
    for number in range(silent + speaking):
        place.comes(says_all=number >= silent)
    for _ in range(in_line):
        place.crowd.joins()
    place.time += passes

    assert (0, []) == (place.crowd.let_go(), place.cut())


def test_who_has_said_all_is_never_let_go(place: Place) -> None:
    """However long the work takes that they asked for."""
    place.comes(says_all=True)
    place.comes()
    place.comes()
    place.time += 60
    for _ in range(9):
        place.crowd.joins()

    assert (2, [1, 2]) == (place.crowd.let_go(), place.cut())


def test_one_that_has_ended_by_itself_is_no_trouble(place: Place) -> None:
    """It may end between the look and the cut."""
    place.comes().close()
    place.comes()
    place.time += 1
    place.crowd.joins()

    assert 1 == place.crowd.let_go()
