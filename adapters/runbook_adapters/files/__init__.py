"""Adapter `files`: a flag store with versions, and the kill switch, each in one JSON file."""

from __future__ import annotations

import msgspec

from runbook_adapters.files.flag_store import FlagFileReader, FlagFileWriter
from runbook_adapters.files.pause_file import PauseFileReader, PauseFileWriter
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class FilesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which file; `create` lets the first write create a missing flag store."""

    path: str
    create: bool = False


def build(port: Port, settings: FilesSettings, context: AdapterContext) -> Served:
    """Serve flags or the pause from one file."""
    path = (context.base / settings.path).resolve()
    match port:
        case "flags":
            return Served(
                reader=FlagFileReader(path, create=settings.create), writer=FlagFileWriter(path, create=settings.create)
            )
        case "pause":
            return Served(reader=PauseFileReader(path), writer=PauseFileWriter(path))
        case _:
            raise NoAdapter(f"files does not serve {port}", "it serves flags and pause")


ADAPTER = AdapterSpec(name="files", provides=("flags", "pause"), settings=FilesSettings, build=build)
