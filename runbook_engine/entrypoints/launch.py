"""Launch: what the supervisor tells its children, in one file. It names where secrets are, and holds none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from runbook_engine.entrypoints.bell import Bell
from runbook_engine.entrypoints.lock import FOLDER
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.entrypoints.tests_state import NAME as TESTS
from runbook_engine.loading.bundle import dump_bundle, load_bundle
from runbook_engine.model.bundle import Bundle


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the local runner; paths are absolute."""

    runbooks: str
    config: str
    state: str
    parent: int  # the supervisor's process id
    descriptor: int  # the listening socket, inherited
    bell: Bell = Bell()  # inherited, an end each
    host: str
    web_workers: int
    web_threads: int
    grace: float  # seconds to finish what is in hand
    read_limit: float  # seconds for a sender to send its body
    has_page: bool = True  # whether there is a web page

    @property
    def folder(self) -> Path:
        """Where the processes of one runner meet."""
        return Path(self.state) / FOLDER

    @property
    def file(self) -> Path:
        """Where this value is written."""
        return self.folder / "launch.json"

    @property
    def bundle_file(self) -> Path:
        """The runbooks as the supervisor read them: its children run these, whatever happens to the files."""
        return self.folder / "bundle.msgpack"

    @property
    def beat_file(self) -> Path:
        """The worker's heartbeat."""
        return self.folder / "worker.json"

    @property
    def metrics_folder(self) -> Path:
        """Where every process counts."""
        return self.folder / "metrics"

    def settings(self) -> Settings:
        """Return the settings of a child, with its own environment."""
        given = read_settings(runbooks=self.runbooks, config=self.config or None, state=self.state)
        return replace(given, is_runner=True)

    def bundle(self) -> Bundle:
        """Return the runbooks and the configuration. Raises OSError, InvalidBundle."""
        return load_bundle(self.bundle_file.read_bytes())


def write_launch(launch: Launch, bundle: Bundle) -> None:
    """Write what the children need, and empty what the last ones left. Raises OSError."""
    launch.metrics_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in (*launch.metrics_folder.glob("*.db"), launch.beat_file, launch.folder / TESTS):
        left.unlink(missing_ok=True)
    launch.bundle_file.write_bytes(dump_bundle(bundle))
    launch.file.write_bytes(msgspec.json.encode(launch))


def read_launch(path: str) -> Launch:
    """Return what the supervisor wrote."""
    return msgspec.json.decode(Path(path).read_bytes(), type=Launch)
