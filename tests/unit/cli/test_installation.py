"""Opening an installation for stopping things: it must work while much is broken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli.failure import NothingYet, NotInstalled
from runbook_engine.entrypoints.cli.installation import open_records, open_switch
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_engine, load_bundle_of
from runbook_engine.entrypoints.lock import hold_lock, is_held
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.errors import InvalidRunbook, Unreadable
from runbook_engine.loading.bundle import dump_bundle
from runbook_engine.model.observation import Pause
from runbook_engine.registry import Registry

CONFIG = """
apiVersion: runbook-engine/v1
kind: EngineConfig
adapters: {pause: {adapter: files, path: our-pause.json}}
receivers: {chat: {adapter: webhook, url: {env: NOT_SET}}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation that keeps its kill switch in a place of its own."""
    (tmp_path / "engine.yaml").write_text(CONFIG)
    return read_settings(runbooks=tmp_path, state=tmp_path / "state", environment={})


def _pause(settings: Settings) -> None:
    now = datetime.now(UTC)
    open_switch(settings, SystemClock()).pauses.throw(Pause(until=now + timedelta(minutes=5), by="ann"))


def test_a_missing_secret_does_not_keep_a_person_from_pausing(settings: Settings, tmp_path: Path) -> None:
    """No receiver is built for it."""
    _pause(settings)

    assert "ann" in (tmp_path / "our-pause.json").read_text()


def test_a_broken_engine_yaml_leaves_what_the_runner_was_started_with(settings: Settings, tmp_path: Path) -> None:
    """The kill switch that the runner reads is thrown, not another one."""
    (tmp_path / "state" / "serve").mkdir(parents=True)
    (tmp_path / "state" / "serve" / "bundle.msgpack").write_bytes(dump_bundle(load_bundle_of(settings, Registry())))
    (tmp_path / "engine.yaml").write_text("kind: EngineConfig\nadapters: [\n")

    _pause(settings)

    assert "ann" in (tmp_path / "our-pause.json").read_text()


def test_a_broken_engine_yaml_that_nobody_was_started_with_is_an_error(settings: Settings, tmp_path: Path) -> None:
    """A guess would throw a switch that nobody reads."""
    (tmp_path / "engine.yaml").write_text("kind: EngineConfig\nadapters: [\n")

    with pytest.raises(InvalidRunbook):
        _pause(settings)


def test_a_switch_where_nothing_is_installed_is_refused(tmp_path: Path) -> None:
    """It would be one that nobody reads."""
    nowhere = read_settings(runbooks=tmp_path / "runbooks", state=tmp_path / "state", environment={})

    with pytest.raises(NotInstalled, match=r"^no engine.yaml found at .*/runbooks/engine.yaml: name the installation "):
        open_switch(nowhere, SystemClock())

    assert [] == list(tmp_path.iterdir())


def test_records_where_nothing_is_installed_are_refused(tmp_path: Path) -> None:
    """Looking makes nothing."""
    nowhere = read_settings(runbooks=tmp_path / "runbooks", state=tmp_path / "state", environment={})

    with pytest.raises(NotInstalled, match=r"^there is no installation here: no engine.yaml at .* and no journal at "):
        open_records(nowhere, SystemClock())

    assert [] == list(tmp_path.iterdir())


def test_records_of_which_there_are_none_yet_are_not_made(settings: Settings, tmp_path: Path) -> None:
    """Where the journal will be is said."""
    with pytest.raises(NothingYet) as raised:
        open_records(settings, SystemClock())

    assert f"nothing has happened here yet: there is no journal at {tmp_path}/state/journal.sqlite3" == str(
        raised.value
    )
    assert not (tmp_path / "state").exists()


def test_a_journal_without_engine_yaml_is_enough_to_look(settings: Settings, tmp_path: Path) -> None:
    """What was recorded stays to be seen."""
    pauses = open_switch(settings, SystemClock())
    pauses.engine.journal.counts()
    (tmp_path / "engine.yaml").unlink()
    without = read_settings(runbooks=tmp_path, state=tmp_path / "state", environment={})

    assert () == open_records(without, SystemClock()).engine.journal.incidents(limit=1)


def test_an_engine_yaml_that_is_away_leaves_what_the_runner_was_started_with(
    settings: Settings, tmp_path: Path
) -> None:
    """A person can still stop it."""
    (tmp_path / "state" / "serve").mkdir(parents=True)
    (tmp_path / "state" / "serve" / "bundle.msgpack").write_bytes(dump_bundle(load_bundle_of(settings, Registry())))
    (tmp_path / "engine.yaml").unlink()

    _pause(read_settings(runbooks=tmp_path, state=tmp_path / "state", environment={}))

    assert "ann" in (tmp_path / "our-pause.json").read_text()


THIRD_LAYOUT = """
DROP TABLE inbox; DROP TABLE aside; DROP INDEX ends_lowering; ALTER TABLE ends DROP COLUMN lowers_to;
PRAGMA user_version = 3;
"""


def _layout(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return found


@pytest.fixture
def old_journal(settings: Settings) -> Path:
    """The journal of the installation, as an older release laid it out."""
    bare = replace(settings, config=None)
    journal = settings.state / "journal.sqlite3"
    build_engine(bare, bundle=load_bundle_of(bare, Registry())).journal.counts()
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.executescript(THIRD_LAYOUT)
    return journal


def test_looking_leaves_a_journal_to_the_older_runner_that_uses_it(settings: Settings, old_journal: Path) -> None:
    """Its worker could not read a newer layout, and would never go round again; stopping everything still works."""
    with hold_lock(settings.state):
        with pytest.raises(Unreadable) as raised:
            open_records(settings, SystemClock()).engine.journal.counts()
        kept = _layout(old_journal)
        _pause(settings)

    assert (
        f"journal {old_journal} has layout 3, and the runner that uses it is older than this command "
        "(stop it, upgrade it, or use its own release)"
    ) == str(raised.value)
    assert 3 == kept


def test_a_journal_is_brought_up_to_date_when_the_runner_is_stopped(settings: Settings, old_journal: Path) -> None:
    """Nobody is cut off."""
    with hold_lock(settings.state):
        pass

    open_records(settings, SystemClock()).engine.journal.counts()

    assert 4 == _layout(old_journal)


def test_a_journal_is_brought_up_to_date_by_the_runner_itself(settings: Settings, old_journal: Path) -> None:
    """Its children find the lock held, by the one that started them."""
    with hold_lock(settings.state):
        open_records(replace(settings, is_runner=True), SystemClock()).engine.journal.counts()

    assert 4 == _layout(old_journal)


def test_a_look_at_the_lock_makes_nothing_and_keeps_nobody_out(tmp_path: Path) -> None:
    """A state folder without a runner stays as it is."""
    before = is_held(tmp_path)
    made = list(tmp_path.iterdir())

    with hold_lock(tmp_path):
        during = is_held(tmp_path)

    assert ([False, True, False], []) == ([before, during, is_held(tmp_path)], made)
