"""A world in files, so that it outlives whoever is killed: flags with versions, one workload, a log of what happened.

The flags are the real `files` adapter. The workload is a service reduced to a compare-and-set over one JSON file; every
effective write appends a line, which is what the tests count.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_adapters.files.flag_store import FlagFileReader, FlagFileWriter, load_store
from runbook_adapters.files.pause_file import PauseFileReader
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.observation import ChangeEvent, LogExcerpt, Message, Revision, Sample, Series, Workload
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World
from tests.crash.cases import FLAG, RATIO, Case
from tests.crash.register import INITIAL, Register

START = {"replicas": 4, "revision": 2, "restarted_at": "", "generation": 1}


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)


class FileWorld:
    """Everything of one run in one folder; any number of processes may look and touch."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.flags = folder / "flags.json"
        self.register = Register(folder / "register")
        if not self.flags.exists():
            self.flags.write_text(json.dumps({"flags": {FLAG: {"value": "false", "version": 1}}}))
            (folder / "workload.json").write_text(json.dumps(START))
            for name in ("effects", "inbox", "fault"):
                (folder / name).touch()
        cluster = FileCluster(folder, case)
        self.world = World(
            clock=SystemClock(),
            cluster=cluster,
            flags=FlagFileReader(self.flags, create=False),
            metrics=FileMetrics(self),
            changes=Nothing(),
            logs=Nothing(),
            pauses=PauseFileReader(folder / "pause.json"),
        )
        self.effects = Effects(
            cluster=cluster, flags=FlagFileWriter(self.flags, create=False), notifier=FileInbox(folder / "inbox")
        )

    @property
    def workload(self) -> dict[str, Any]:
        """The workload's file."""
        found: dict[str, Any] = json.loads((self.folder / "workload.json").read_text())
        return found

    @property
    def flag_writes(self) -> int:
        """How often the flag was written: its version rises with each."""
        return load_store(self.flags, create=False).version(FLAG) - 1

    @property
    def workload_writes(self) -> tuple[str, ...]:
        """The writes of the workload that took effect, in order."""
        return tuple((self.folder / "effects").read_text().splitlines())

    @property
    def told(self) -> list[str]:
        """Who was told what kind of thing; a message that came twice counts once, as its receiver counts."""
        lines = dict.fromkeys((self.folder / "inbox").read_text().splitlines())
        return sorted(" ".join(line.split()[:2]) for line in lines)

    def heal(self) -> None:
        """End the fault itself, unless it stays."""
        if not self.case.fault_stays:
            (self.folder / "fault").unlink(missing_ok=True)

    def ratio(self) -> float:
        """Return the error ratio that follows from what is in place."""
        if not (self.folder / "fault").exists():
            return 0.001
        flag, workload = load_store(self.flags, create=False).flags[FLAG], self.workload
        so = {
            "degraded": flag.value == "true",
            "scaled": workload["replicas"] >= 6,
            "rolled back": workload["revision"] == 1,
            "register": self.register.value != INITIAL,
        }
        return 0.001 if any(so[word] for word in self.case.healed_by) else 0.12


class FileCluster:
    """Reader and writer of the one workload."""

    def __init__(self, folder: Path, case: Case) -> None:
        self._folder = folder
        self._case = case

    def glance(self, target: Target) -> Workload:
        """Return the workload."""
        return self.workload(target)

    def workload(self, target: Target) -> Workload:
        """Return the workload; what was written has taken effect at once."""
        found = json.loads((self._folder / "workload.json").read_text())
        return Workload(
            target=target,
            replicas=found["replicas"],
            ready=found["replicas"],
            updated=found["replicas"],
            generation=found["generation"],
            observed_generation=found["generation"],
            service="checkout",
            revision=found["revision"],
            revisions=(Revision(number=2), Revision(number=1)),
            restarted_at=found["restarted_at"],
        )

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the replicas."""
        if self._case.no_scaling:
            raise Permanent("quota exceeded")
        return self._set("replicas", replicas, lambda live: live == expected)

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Set the mark of the last restart."""
        return self._set("restarted_at", mark, lambda live: True)

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Set the revision."""
        return self._set("revision", revision, lambda live: live == expected)

    def _set(self, field: str, value: Value, expected: Callable[[Value], bool]) -> Mapping[str, Value]:
        path = self._folder / "workload.json"
        with locked(self._folder / "workload.lock"):
            found = json.loads(path.read_text())
            if found[field] == value:
                return {"generation": found["generation"], "unchanged": True}
            if not expected(found[field]):
                raise Conflict(f"{field} is {found[field]}")
            found |= {field: value, "generation": found["generation"] + 1}
            with (self._folder / "effects").open("a") as effects:
                effects.write(f"{field} {value}\n")
            beside = path.with_suffix(".new")
            beside.write_text(json.dumps(found))
            beside.replace(path)
        return {"generation": found["generation"]}


class FileMetrics:
    """The error ratio, computed when it is asked for."""

    def __init__(self, files: FileWorld) -> None:
        self._files = files

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the ratio now."""
        assert query == RATIO
        return (Sample(labels={}, value=self._files.ratio(), at=at),)

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return no history: nobody keeps one."""
        return ()


class FileInbox:
    """Every receiver, as lines `receiver event id`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, receiver: str, message: Message) -> None:
        """Add one line."""
        with self._path.open("a") as inbox:
            inbox.write(f"{receiver} {message.event} {message.id}\n")


class Nothing:
    """Nobody changed anything, and nothing was logged."""

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return no changes."""
        return ()

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return no logs."""
        return ()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel frees when its holder is killed."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
