"""Writing beats: why one cannot be written is said once, with the name of the file."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints import worker as module
from runbook_engine.entrypoints.heartbeat import Heartbeat, read_heartbeat, write_heartbeat
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.worker import Worker
from tests.scenario.rig import Rig

NO_ROOM = OSError(28, "No space left on device")


def unwritable(monkeypatch: pytest.MonkeyPatch, error: OSError = NO_ROOM) -> None:
    """Let a file be made, but nothing be written into it, as on a full disk."""

    def touch(self: Path, content: bytes) -> int:
        self.touch()
        raise error

    monkeypatch.setattr(Path, "write_bytes", touch)


def a_beat() -> Heartbeat:
    """Return one."""
    return Heartbeat(at=Rig().now, pid=1, owner="w1")


def test_a_beat_that_cannot_be_written_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one stays, and grows old."""
    file = tmp_path / "worker.json"
    write_heartbeat(file, a_beat())
    unwritable(monkeypatch)

    with pytest.raises(OSError, match="cannot be written") as raised:
        write_heartbeat(file, a_beat())

    says = f"{file} cannot be written: No space left on device (until it can be, the worker looks dead)"
    assert says == str(raised.value)
    assert [file] == list(tmp_path.iterdir())
    assert a_beat() == read_heartbeat(file)


def test_a_beat_that_may_not_be_written_stays_the_error_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names its class."""
    unwritable(monkeypatch, PermissionError(13, "Permission denied"))

    with pytest.raises(PermissionError, match="Permission denied"):
        write_heartbeat(tmp_path / "worker.json", a_beat())


class Rounds:
    """A worker that goes round so often, with a look at what happens before each."""

    def __init__(self, file: Path, before: Callable[[int], object]) -> None:
        self.stream = io.StringIO()
        rig, log = Rig(), EventLog(self.stream)
        self.worker = Worker(
            engine=rig.engine, clock=rig.simulated.clock, log=log, owner="w1", beat_file=file, stop=threading.Event()
        )
        self._before, self._round = before, 0

    def go(self, most: int) -> list[dict[str, Any]]:
        """Go round, and return what was said of the worker's work."""
        self.worker.run(lambda: self._is_next(most))
        events = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [event for event in events if event["event"] == "worker.cannot_see_its_work"]

    def _is_next(self, most: int) -> bool:
        self._before(self._round)
        self._round += 1
        return self._round <= most


@pytest.fixture(autouse=True)
def _beats_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.0)
    monkeypatch.setattr(module, "POLL", 0.001)


def test_a_beat_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    """Each second would fill the log as well."""
    rounds = Rounds(tmp_path / "gone" / "worker.json", lambda number: None)

    (said,) = rounds.go(10)

    assert ("error", "FileNotFoundError") == (said["level"], said["error"])
    why = "No such file or directory (until it can be, the worker looks dead)"
    assert f"{tmp_path}/gone/worker.json cannot be written: {why}" == said["says"]


def test_a_beat_that_could_be_written_meanwhile_is_said_anew(tmp_path: Path) -> None:
    """It works again in the middle."""
    folder = tmp_path / "gone"
    rounds = Rounds(folder / "worker.json", lambda number: _there(folder, number in (3, 4)))

    said = rounds.go(10)

    assert 2 == len(said)


def test_another_reason_is_said_too(tmp_path: Path) -> None:
    """What is wrong has changed."""
    folder = tmp_path / "gone"
    rounds = Rounds(folder / "worker.json", lambda number: number == 5 and folder.touch())

    said = rounds.go(10)

    assert ["FileNotFoundError", "NotADirectoryError"] == [event["error"] for event in said]


def _there(folder: Path, there: bool) -> None:
    if there:
        folder.mkdir(exist_ok=True)
    elif folder.exists():
        (folder / "worker.json").unlink(missing_ok=True)
        folder.rmdir()


def test_a_full_disk_is_said_once_of_the_beat_and_once_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two do not take turns."""
    rounds = Rounds(tmp_path / "gone" / "worker.json", lambda number: None)
    rounds.worker.first_backoff = 0.001
    monkeypatch.setattr(type(rounds.worker.engine), "due", _broken)

    said = rounds.go(10)

    assert ["FileNotFoundError", "OSError"] == [event["error"] for event in said]


def _broken(*asked: object, **rest: object) -> object:
    raise OSError(28, "database or disk is full")
