"""An installation as the command line uses it: the engine, the kill switch, and the settings that made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.composition import build_engine, build_pause, load_bundle_of
from runbook_engine.entrypoints.heartbeat import is_fresh, read_heartbeat
from runbook_engine.entrypoints.launch import FOLDER
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.bundle import InvalidBundle, load_bundle
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import Clock, PauseWriter
from runbook_engine.registry import Registry

KEPT_PORTS = ("journal", "pause")
BEAT_FILE = "worker.json"
BUNDLE_FILE = "bundle.msgpack"


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
    from stopping a run. While engine.yaml itself is broken, what the local runner was started with counts.
    """
    registry = Registry()
    try:
        configuration = read_configuration(settings, registry)
    except InvalidRunbook:
        started_with = _of_runner(settings)
        if started_with is None:
            raise
        configuration = started_with
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


def _opened(settings: Settings, clock: Clock, registry: Registry, bundle: Bundle) -> Installation:
    engine = build_engine(settings, registry=registry, clock=clock, bundle=bundle)
    pauses = build_pause(bundle.configuration, settings, registry, clock)[1]
    return Installation(settings=settings, engine=engine, registry=registry, pauses=pauses)
