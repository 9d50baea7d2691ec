"""The front's part of the composition root: an engine that only takes in what others say, and what every host needs.

A function at the front door starts with nothing else: what routes to eyes and hands is not loaded for it. No adapter is
known by name, save the two that work without being named: a journal and a kill switch in the state folder.
"""

from __future__ import annotations

from pathlib import Path

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import AdapterChoice
from runbook_engine.ports import Effects, Journal, PauseReader, PauseWriter, World
from runbook_engine.ports.absent import absent

JOURNAL = AdapterChoice(adapter="sqlite")
PAUSE_ADAPTER = "files"
PAUSE_FILE = "pause.json"


def front_engine_of(adapters: Adapters, bundle: Bundle) -> Engine:
    """Return an engine that takes in what others say, and has neither eyes nor hands: nothing is built for it."""
    return Engine(
        bundle=bundle,
        journal=journal_of(adapters),
        world=World(
            clock=adapters.clock,
            cluster=absent("cluster"),
            flags=absent("flags"),
            metrics=absent("metrics"),
            changes=absent("changes"),
            logs=absent("logs"),
            pauses=absent("pause"),
        ),
        effects=Effects(cluster=absent("cluster"), flags=absent("flags"), notifier=absent("receiver")),
        registry=adapters.registry,
    )


def journal_of(adapters: Adapters) -> Journal:
    """Return the journal: the one that these adapters serve, else a file in the state folder."""
    serving = adapters.serving("journal")
    if len(serving) > 1:
        raise InvalidSettings("adapters.journal: an installation has one journal (keep one)")
    _make_state(adapters.settings.state)
    served = serving[0][1] if serving else adapters.build("journal", JOURNAL, "the journal")
    journal: Journal = served.writer
    return journal


def pause_of(adapters: Adapters) -> tuple[PauseReader, PauseWriter]:
    """Return the kill switch: the one that these adapters serve, else a file in the state folder."""
    serving = adapters.serving("pause")
    if len(serving) > 1:
        raise InvalidSettings("adapters.pause: an installation has one kill switch (keep one)")
    if serving:
        return serving[0][1].reader, serving[0][1].writer
    _make_state(adapters.settings.state)
    path = str(adapters.settings.state.absolute() / PAUSE_FILE)
    served = adapters.build("pause", AdapterChoice(adapter=PAUSE_ADAPTER, settings={"path": path}), "the kill switch")
    return served.reader, served.writer


def _make_state(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidSettings(
            f"the state folder {folder} cannot be made: {error.strerror} (set --state or RUNBOOK_STATE)"
        ) from error
