"""The files adapter: flags and the kill switch survive two writers, a crash and a corrupt file."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters import disk
from runbook_adapters.files import ADAPTER, FilesSettings
from runbook_adapters.files.flag_store import Store
from runbook_engine.errors import Conflict, InvalidTarget, NoAdapter, Permanent, Retryable, Unreadable
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.observation import Flag, Pause
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext
from tests.chaos.machine.faults import full, small_disk
from tests.contract.flags_contract import FlagsContract
from tests.contract.pause_contract import PauseContract

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
DEGRADED = Target("parameter", "local", "", "/checkout/degraded_mode")


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def serve(port, folder: Path, **settings):
    """Build the adapter for one port over `store.json` in a folder."""
    context = AdapterContext(
        clock=FixedClock(), configuration=Configuration(), base=folder, state=folder, secret=lambda _: ""
    )
    return ADAPTER.build(port, FilesSettings(path="store.json", **settings), context)


@pytest.fixture
def flags(tmp_path: Path):
    """A store with one flag at version 3."""
    (tmp_path / "store.json").write_text('{"flags": {"/checkout/degraded_mode": {"value": "false", "version": 3}}}')
    return serve("flags", tmp_path)


def test_flag_is_read_back_when_it_was_written(flags, tmp_path):
    """Value and version, in the very file that applications poll."""
    receipt = flags.writer.write(DEGRADED, "true", expected="false")

    assert receipt == {"version": 4}
    assert flags.reader.flag(DEGRADED) == Flag(value="true", version=4)
    assert json.loads((tmp_path / "store.json").read_text()) == {
        "flags": {"/checkout/degraded_mode": {"value": "true", "version": 4}}
    }


def test_file_is_left_alone_when_the_value_is_so_already(flags, tmp_path):
    """Writing what is live is no write, whatever was expected."""
    before = (tmp_path / "store.json").stat().st_ino

    receipt = flags.writer.write(DEGRADED, "false", expected="something else")

    assert receipt == {"version": 3, "unchanged": True}
    assert (tmp_path / "store.json").stat().st_ino == before


def test_version_goes_on_rising_when_a_flag_was_removed(flags):
    """A flag that comes back is told from the one that went."""
    removed = flags.writer.write(DEGRADED, None, expected="false")
    gone = flags.reader.flag(DEGRADED)
    again = flags.writer.write(DEGRADED, None, expected="false")
    back = flags.writer.write(DEGRADED, "false", expected=None)

    assert (removed, gone, back) == ({"version": 4}, None, {"version": 5})
    assert again == {"version": 4, "unchanged": True}


def test_exactly_one_wins_when_many_write_at_once(tmp_path):
    """Eight writers leave from the same value: seven conflicts, one version more."""
    (tmp_path / "store.json").write_text('{"flags": {"/checkout/degraded_mode": {"value": "false", "version": 3}}}')

    def attempt(number: int) -> bool:
        try:
            serve("flags", tmp_path).writer.write(DEGRADED, f"writer-{number}", expected="false")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))

    assert sum(won) == 1
    assert serve("flags", tmp_path).reader.flag(DEGRADED) == Flag(value=f"writer-{won.index(True)}", version=4)


def increment(folder: str, who: str, times: int) -> None:
    """Count a flag up by compare-and-set, in a process of its own.

    The value says who wrote it: writing what is live already is no write, so two equal values would be one.
    """
    served = serve("flags", Path(folder))
    for _ in range(times):
        while True:
            live = served.reader.flag(DEGRADED)
            try:
                served.writer.write(DEGRADED, f"{int(live.value.split()[0]) + 1} {who}", expected=live.value)
            except Conflict:
                continue
            break


def test_no_write_is_lost_when_two_processes_count(tmp_path):
    """Compare-and-set across processes: every increment arrives once."""
    (tmp_path / "store.json").write_text('{"flags": {"/checkout/degraded_mode": {"value": "0 nobody", "version": 1}}}')
    fork = get_context("fork")
    processes = [fork.Process(target=increment, args=(str(tmp_path), who, 15)) for who in ("alice", "bob")]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    flag = serve("flags", tmp_path).reader.flag(DEGRADED)
    assert (flag.value.split()[0], flag.version) == ("30", 31)


def test_sentence_says_what_is_live_when_somebody_else_wrote(flags):
    """A conflict overwrites nothing."""
    with pytest.raises(Conflict) as refusal:
        flags.writer.write(DEGRADED, "true", expected=None)

    assert str(refusal.value) == '/checkout/degraded_mode is "false", expected was not set; nothing was changed'
    assert flags.reader.flag(DEGRADED) == Flag(value="false", version=3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            '{"flags": {"/a": {"value": "tr',
            "is corrupt: Input data was truncated (restore it from a good copy)",
            id="cut off",
        ),
        pytest.param(
            '{"flags": {"/a": {"value": true, "version": 1}}}',
            "is corrupt: Expected `str`, got `bool` - at `$.flags[...].value` (restore it from a good copy)",
            id="a value that is no text",
        ),
        pytest.param(
            '{"flag": {}}',
            "is corrupt: Object contains unknown field `flag` (restore it from a good copy)",
            id="another key",
        ),
        pytest.param(
            None,
            'does not exist (create it holding {"flags": {}}, or set create: true)',
            id="no file",
        ),
    ],
)
def test_store_is_unreadable_when_it_is(tmp_path, content, says):
    """Neither read as empty nor overwritten."""
    path = tmp_path / "store.json"
    if content is not None:
        path.write_text(content)
    served = serve("flags", tmp_path)

    with pytest.raises(Unreadable) as looked:
        served.reader.flag(DEGRADED)
    with pytest.raises(Permanent) as touched:
        served.writer.write(DEGRADED, "true", expected=None)

    assert str(looked.value) == f"the flag store {path} {says}"
    assert str(touched.value) == f"/checkout/degraded_mode was not written: the flag store {path} {says}"
    assert (path.read_text() if path.exists() else None) == content


def test_first_write_creates_the_store_when_settings_allow_it(tmp_path):
    """With create: true a missing file has no flags, and its folder is made."""
    served = serve("flags", tmp_path / "new" / "folder", create=True)
    before = served.reader.flag(DEGRADED)

    receipt = served.writer.write(DEGRADED, "true", expected=None)

    assert (before, receipt) == (None, {"version": 1})


def test_only_parameters_are_flags_when_asked(flags):
    """A target of another kind is refused by reader and writer."""
    node = Target("node", "local", "", "ip-10-0-0-1")

    with pytest.raises(InvalidTarget) as looked:
        flags.reader.flag(node)
    with pytest.raises(Permanent) as touched:
        flags.writer.write(node, "true", expected=None)

    said = "node/ip-10-0-0-1 is a node; a flag store holds parameters only"
    assert (str(looked.value), str(touched.value)) == (said, said)


@given(
    st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.one_of(st.none(), st.text(max_size=5))), max_size=20),
)
def test_version_rises_with_every_write_when_any_are_made(writes):
    """Whatever is set and removed, in any order, and however it is encoded in between."""
    store = Store({})
    for name, value in writes:
        before = store.version(name)
        store = msgspec.json.decode(msgspec.json.encode(store.written(name, value)), type=Store)
        assert store.version(name) == before + 1
        assert (name in store.flags) == (value is not None)


def test_lock_gives_up_when_it_stays_taken(tmp_path):
    """A hung writer does not hang the engine; nothing was done, so it may try again."""
    path = tmp_path / "store.json"

    with (
        disk.locked(path),
        pytest.raises(Retryable) as refusal,
        disk.locked(path, timedelta(seconds=0.1)),
    ):
        pytest.fail("the lock was given twice")

    assert str(refusal.value) == (
        "store.json was being written by somebody else for 0.1s; nothing was changed "
        "(see who holds it: fuser on its .lock file)"
    )


def test_write_is_refused_when_the_folder_cannot_be_there(tmp_path):
    """A path that cannot be written says so."""
    (tmp_path / "nowhere").write_text("a file")
    served = serve("flags", tmp_path / "nowhere", create=True)

    with pytest.raises(Permanent) as refusal:
        served.writer.write(DEGRADED, "true", expected=None)

    path = tmp_path / "nowhere" / "store.json"
    assert str(refusal.value) == f"{path} cannot be written: File exists (the engine must own its folder)"


def test_nothing_is_created_when_settings_do_not_say_so(tmp_path):
    """A mistyped path makes no second store."""
    served = serve("flags", tmp_path / "nowhere")

    with pytest.raises(Permanent) as refusal:
        served.writer.write(DEGRADED, "true", expected=None)

    path = tmp_path / "nowhere" / "store.json"
    assert str(refusal.value) == (
        f"{path} cannot be written: No such file or directory (the engine must own its folder)"
    )
    assert list(tmp_path.iterdir()) == []


def test_permissions_stay_when_a_file_is_replaced(flags, tmp_path):
    """The application that polls the store may be another user."""
    (tmp_path / "store.json").chmod(0o644)

    flags.writer.write(DEGRADED, "true", expected="false")

    assert stat.S_IMODE((tmp_path / "store.json").stat().st_mode) == 0o644


def test_pause_is_in_force_until_it_expires(tmp_path):
    """A lease: it ends by itself, and lifting it twice is harmless."""
    pauses = serve("pause", tmp_path)
    pause = Pause(until=NOW + timedelta(minutes=30), by="alice", reason="deploy in progress")

    before = pauses.reader.pause(NOW)
    pauses.writer.throw(pause)
    during = pauses.reader.pause(NOW)
    after = pauses.reader.pause(NOW + timedelta(minutes=30))
    pauses.writer.lift()
    pauses.writer.lift()

    assert (before, during, after, pauses.reader.pause(NOW)) == (None, pause, None, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "Input data was truncated", id="empty file"),
        pytest.param('{"by": "alice"}', "Object missing required field `until`", id="no end"),
        pytest.param(
            '{"until": "2026-03-01T04:00:00", "by": "alice"}', "until has no offset from UTC", id="naive time"
        ),
        pytest.param(
            '{"until": "2026-03-01T04:00:00Z", "by": "alice", "untl": 1}',
            "Object contains unknown field `untl`",
            id="another key",
        ),
    ],
)
def test_pause_counts_as_unreadable_when_the_file_is_corrupt(tmp_path, content, says):
    """What cannot be read stops everything; throwing and lifting still work."""
    path = tmp_path / "store.json"
    path.write_text(content)
    pauses = serve("pause", tmp_path)

    with pytest.raises(Unreadable) as refusal:
        pauses.reader.pause(NOW)
    pauses.writer.lift()

    assert str(refusal.value) == (
        f"the pause file {path} is corrupt: {says} "
        "(no change is made until it can be read: runbook resume removes it, runbook pause writes it anew)"
    )
    assert pauses.reader.pause(NOW) is None


def test_pause_is_unreadable_when_its_folder_is_missing(tmp_path):
    """A volume that is not mounted is not the absence of a pause; lifting it says that this is meant."""
    pauses = serve("pause", tmp_path / "nowhere")
    with pytest.raises(Unreadable) as refusal:
        pauses.reader.pause(NOW)
    pauses.writer.lift()

    path = tmp_path / "nowhere" / "store.json"
    assert str(refusal.value) == (f"the folder of the pause file {path} does not exist (runbook resume creates it)")
    assert pauses.reader.pause(NOW) is None


def test_other_ports_are_refused_when_asked(tmp_path):
    """The hint says what it serves."""
    with pytest.raises(NoAdapter) as refusal:
        serve("metrics", tmp_path)

    assert str(refusal.value) == "files does not serve metrics (it serves flags and pause)"


class FileFlagRig:
    """One parameter that was never set, in a store that need not be waited for."""

    target = DEGRADED

    def __init__(self, folder: Path) -> None:
        served = serve("flags", folder, create=True)
        self.reader = served.reader
        self.writer = served.writer

    def settle(self) -> None:
        """A rename is seen at once."""


class TestFlagsContract(FlagsContract):
    """The flag store keeps the contract that every flag store keeps."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> FileFlagRig:
        """A folder without a store."""
        return FileFlagRig(tmp_path)


class FilePauseRig:
    """A kill switch that was never thrown, in a folder that is there."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.json"
        served = serve("pause", folder)
        self.reader = served.reader
        self.writer = served.writer

    def spoil(self) -> None:
        """Cut the file off."""
        self._path.write_text('{"until": "2026')


@pytest.mark.slow
def test_no_change_is_allowed_when_the_disk_has_no_room_for_a_pause(tmp_path: Path) -> None:
    """Nobody could stop what is changed; once there is room again, there is no pause."""
    folder = tmp_path / "disk"
    with small_disk(folder) as mounted:
        if not mounted:
            pytest.skip("no disk may be mounted here")
        switch = serve("pause", folder)
        expired = Pause(until=NOW - timedelta(minutes=1), by="ann")
        with full(folder):
            with pytest.raises(Unreadable) as absent:
                switch.reader.pause(NOW)
            with pytest.raises(Retryable):
                switch.writer.throw(expired)
        free = switch.reader.pause(NOW)
        switch.writer.throw(expired)
        with full(folder), pytest.raises(Unreadable) as over:
            switch.reader.pause(NOW)

    assert free is None
    assert str(over.value) == str(absent.value)
    assert str(absent.value) == (
        f"no pause could be written to {folder}/store.json, whose disk is full or read-only "
        "(no change is made until it has room: free space there)"
    )


@pytest.mark.slow
def test_a_pause_holds_when_the_disk_is_full(tmp_path: Path) -> None:
    """What says no needs no room."""
    folder = tmp_path / "disk"
    with small_disk(folder) as mounted:
        if not mounted:
            pytest.skip("no disk may be mounted here")
        switch, thrown = serve("pause", folder), Pause(until=NOW + timedelta(minutes=1), by="ann")
        switch.writer.throw(thrown)
        with full(folder):
            assert thrown == switch.reader.pause(NOW)


class TestPauseContract(PauseContract):
    """The pause file keeps the contract that every kill switch keeps."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> FilePauseRig:
        """A folder without a pause file."""
        return FilePauseRig(tmp_path)
