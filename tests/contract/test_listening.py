"""The address of a runner: one that somebody is about to leave is waited for, one that is kept is told of."""

from __future__ import annotations

import socket
import time
from threading import Timer

import pytest

from runbook_engine.entrypoints import serve
from runbook_engine.entrypoints.settings import InvalidSettings

HOST = "127.0.0.1"


def taken() -> tuple[socket.socket, int]:
    """Return a socket that listens, and its port."""
    other = socket.create_server((HOST, 0))
    return other, other.getsockname()[1]


def test_a_start_waits_for_the_address_when_the_processes_of_a_killed_runner_still_end() -> None:
    """Their supervisor is gone, its lock with it; the web process holds the socket for a moment longer."""
    other, port = taken()
    leaving = Timer(0.3, other.close)
    leaving.start()

    try:
        with serve._listening(HOST, port, 1.0) as listening:
            assert port == listening.getsockname()[1]
    finally:
        leaving.join()


def test_a_start_is_refused_when_the_address_stays_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program keeps it: the remedy is another address."""
    monkeypatch.setattr(serve, "ADDRESS_LIMIT", 0.2)
    other, port = taken()

    with other, pytest.raises(InvalidSettings) as raised, serve._listening(HOST, port, 1.0):
        pass

    says = f"cannot listen on {HOST}:{port}: Address already in use (choose another with --host and --port)"
    assert says == str(raised.value)


def test_a_start_is_refused_at_once_when_the_address_is_not_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting mends that."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits for what will not come"))

    with pytest.raises(InvalidSettings) as raised, serve._listening("192.0.2.1", 8930, 1.0):
        pass

    says = "cannot listen on 192.0.2.1:8930: Cannot assign requested address (choose another with --host and --port)"
    assert says == str(raised.value)
