"""An installation as the command line uses it: the engine, the kill switch, and the settings that made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import convert_settings
from runbook_engine.entrypoints.cli.failure import NothingYet, NotInstalled
from runbook_engine.entrypoints.composition import build_engine, build_pause, load_bundle_of
from runbook_engine.entrypoints.front import JOURNAL
from runbook_engine.entrypoints.heartbeat import is_fresh, read_heartbeat
from runbook_engine.entrypoints.lock import FOLDER, is_held
from runbook_engine.entrypoints.settings import CONFIG_NAME, Settings
from runbook_engine.entrypoints.storage import Refusal, find_full_disk
from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.bundle import InvalidBundle, load_bundle
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import Clock, PauseWriter
from runbook_engine.registry import Registry

KEPT_PORTS = ("journal", "pause")
BEAT_FILE = "worker.json"
BUNDLE_FILE = "bundle.msgpack"
RESTARTED = "its worker is restarted within a minute; otherwise restart runbook serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installation, opened."""

    settings: Settings
    engine: Engine
    registry: Registry
    pauses: PauseWriter


def open_installation(settings: Settings, clock: Clock) -> Installation:
    """Return the installation with all its runbooks, eyes and hands."""
    registry = Registry()
    return _opened(settings, clock, registry, load_bundle_of(settings, registry))


def open_records(settings: Settings, clock: Clock) -> Installation:
    """Return the installation with its journal and its kill switch alone.

    No runbook is read and no other adapter is built: a broken file or a missing secret must not keep a person
    from stopping a run. While engine.yaml itself is broken or away, what the local runner was started with counts.
    Looking makes nothing: raises NotInstalled, and NothingYet while there is no journal.
    """
    registry = Registry()
    configuration = _known_configuration(settings, registry)
    journal = journal_file(settings, configuration or Configuration(), registry)
    if configuration is None and (journal is None or not journal.exists()):
        without = "name them with --config or --runbooks, and --state; runbook demo needs none"
        raise NotInstalled(
            f"there is no installation here: no engine.yaml at {_config_place(settings)} and no journal at {journal} "
            f"({without})"
        )
    if journal is not None and not journal.exists():
        raise NothingYet(f"nothing has happened here yet: there is no journal at {journal}")
    return _opened_bare(settings, clock, registry, configuration or Configuration())


def open_switch(settings: Settings, clock: Clock) -> Installation:
    """Return the installation for its kill switch. Raises NotInstalled: a switch that nobody reads stops nothing."""
    registry = Registry()
    configuration = _known_configuration(settings, registry)
    if configuration is None:
        place = _config_place(settings)
        raise NotInstalled(f"no engine.yaml found at {place}: name the installation with --config or --runbooks")
    return _opened_bare(settings, clock, registry, configuration)


def journal_file(settings: Settings, configuration: Configuration, registry: Registry) -> Path | None:
    """Return where the journal's file is or will be, None when the journal is no file of this machine."""
    choice = next(iter(configuration.adapters.get("journal", ())), JOURNAL)
    if choice.adapter != JOURNAL.adapter:
        return None
    wanted = convert_settings(choice.settings, registry.adapter(choice.adapter).settings, "adapters.journal")
    return settings.state / str(wanted.path)


def find_full_disk_of(settings: Settings, configuration: Configuration, registry: Registry) -> Refusal | None:
    """Return why nothing can be kept here, where the disk of the state folder or of the journal takes no more."""
    journal = journal_file(settings, configuration, registry)
    return find_full_disk((settings.state, *([journal.parent] if journal is not None else ())))


def _known_configuration(settings: Settings, registry: Registry) -> Configuration | None:
    """Return what engine.yaml says, else what the runner was started with, None when there was neither."""
    if settings.config is None:
        return _of_runner(settings)
    try:
        return read_configuration(settings, registry)
    except InvalidRunbook:
        started_with = _of_runner(settings)
        if started_with is None:
            raise
        return started_with


def _config_place(settings: Settings) -> Path:
    folder = settings.runbooks
    return (folder.parent if folder.is_file() else folder) / CONFIG_NAME


def _opened_bare(settings: Settings, clock: Clock, registry: Registry, configuration: Configuration) -> Installation:
    kept = {port: choices for port, choices in configuration.adapters.items() if port in KEPT_PORTS}
    bare = msgspec.structs.replace(configuration, adapters=kept, receivers=())
    return _opened(settings, clock, registry, Bundle((), bare))


def read_configuration(settings: Settings, registry: Registry) -> Configuration:
    """Return what engine.yaml says, without reading any runbook. Raises InvalidRunbook."""
    if settings.config is None:
        return Configuration()
    from runbook_engine.loading.files import load_valid_files  # yaml and pydantic

    return load_valid_files([], registry, settings.config).bundle.configuration


def _of_runner(settings: Settings) -> Configuration | None:
    """Return the configuration that the local runner was last started with, None when there was none."""
    try:
        return load_bundle((settings.state / FOLDER / BUNDLE_FILE).read_bytes()).configuration
    except (OSError, InvalidBundle):
        return None


def is_driven(settings: Settings, now: datetime) -> bool:
    """Whether a local runner drives executions on this machine now."""
    return is_fresh(read_heartbeat(settings.state / FOLDER / BEAT_FILE), now)


def say_how_to_be_driven(settings: Settings) -> str:
    """Return what a person does when nobody drives: a second runner would be refused while one is there."""
    return RESTARTED if is_held(settings.state) else "start runbook serve"


def _opened(settings: Settings, clock: Clock, registry: Registry, bundle: Bundle) -> Installation:
    engine = build_engine(settings, registry=registry, clock=clock, bundle=bundle)
    pauses = build_pause(bundle.configuration, settings, registry, clock)[1]
    return Installation(settings=settings, engine=engine, registry=registry, pauses=pauses)
