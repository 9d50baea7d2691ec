"""The bell between the processes of one runner: it wakes who waits, and never holds who rings."""

from __future__ import annotations

import os
import threading
import time

import pytest

from runbook_engine.entrypoints.bell import Bell, hung_bell

LONG = 10.0  # seconds: nobody waits for so long


def test_who_waits_is_woken_when_it_is_rung() -> None:
    """Long before its patience ends."""
    with hung_bell() as bell:
        started = time.monotonic()
        ringer = threading.Timer(0.02, bell.ring)
        ringer.start()

        woken = bell.wait(LONG)

        ringer.join()
        assert (True, True) == (woken, time.monotonic() - started < LONG / 2)


def test_a_ring_before_the_wait_is_not_lost() -> None:
    """What was stored between the last look and the sleep is seen at once."""
    with hung_bell() as bell:
        bell.ring()

        assert [True, False] == [bell.wait(LONG), bell.wait(0)]


def test_many_rings_are_heard_as_one() -> None:
    """A storm of deliveries is one look, since that sees all of them."""
    with hung_bell() as bell:
        for _ in range(100):
            bell.ring()

        assert [True, False] == [bell.wait(LONG), bell.wait(0)]


def test_who_waits_sleeps_when_nobody_can_ring_any_more() -> None:
    """The pipe says at once, and for ever, that its other end is closed: that is no ring, and no reason to spin."""
    hears, rings = os.pipe()
    os.close(rings)
    started = time.monotonic()

    woken = Bell(hears=hears).wait(0.05)

    os.close(hears)
    assert (False, True) == (woken, time.monotonic() - started >= 0.05)


def test_ringing_never_waits_when_nobody_listens() -> None:
    """The worker may be away for long: a full pipe has been rung often enough."""
    with hung_bell() as bell:
        for _ in range(100_000):
            bell.ring()

        assert bell.wait(0)


@pytest.mark.parametrize(
    "bell", [pytest.param(Bell(), id="no bell was hung"), pytest.param(Bell(rings=9_999), id="nobody has it open")]
)
def test_ringing_what_is_not_there_harms_nobody(bell: Bell) -> None:
    """The worker looks by itself."""
    bell.ring()


def test_both_ends_are_closed_with_the_block() -> None:
    """Nothing of it is left behind."""
    with hung_bell() as bell:
        pass

    for end in (bell.hears, bell.rings):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
