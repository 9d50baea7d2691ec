"""What a function is told by its environment: which table, which bus, which bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.model.configuration import AdapterChoice, Configuration

BUNDLE = "bundle.msgpack"
STATE = Path("/tmp/runbook")  # the only folder that a function may write to; nothing there must last


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of one installation. Empty = not given."""

    table: str = ""
    bus: str = ""
    bundle: str = BUNDLE
    bundle_digest: str = ""
    approve_url: str = ""
    link_key: str = ""  # the path of the secret that signs links
    root: str = "."  # where the zip is unpacked


def names_of(environment: Mapping[str, str]) -> Names:
    """Return what the environment of a function says."""
    return Names(
        table=environment.get("RUNBOOK_TABLE", ""),
        bus=environment.get("RUNBOOK_BUS", ""),
        bundle=environment.get("RUNBOOK_BUNDLE") or BUNDLE,
        bundle_digest=environment.get("RUNBOOK_BUNDLE_DIGEST", "").lower(),
        approve_url=environment.get("RUNBOOK_APPROVE_URL", ""),
        link_key=environment.get("RUNBOOK_LINK_KEY", ""),
        root=environment.get("LAMBDA_TASK_ROOT") or ".",
    )


def completed(configuration: Configuration, names: Names) -> Configuration:
    """Return the configuration with what the environment names, where engine.yaml itself names nothing.

    Raises InvalidSettings when something is missing that a function cannot keep in its own folder.
    """
    table, bus = _choice("dynamodb", table=names.table), _choice("eventbridge", bus=names.bus)
    given = {
        "journal": table,
        "seats": table,
        "bus": bus,
        "callbacks": (AdapterChoice(adapter="stepfunctions"),),
    }
    adapters = {**{port: choices for port, choices in given.items() if choices}, **configuration.adapters}
    for port, remedy in (
        ("journal", "set RUNBOOK_TABLE"),
        ("seats", "set RUNBOOK_TABLE"),
        ("bus", "set RUNBOOK_BUS"),
        ("pause", "name one in engine.yaml, as in adapters: {pause: {adapter: ssm, parameter: /runbook-engine/pause}}"),
    ):
        if not adapters.get(port):
            raise InvalidSettings(f"nothing serves {port}, and a function keeps nothing by itself ({remedy})")
    return msgspec.structs.replace(configuration, adapters=adapters)


def _choice(adapter: str, **settings: str) -> tuple[AdapterChoice, ...]:
    return (AdapterChoice(adapter=adapter, settings=settings),) if all(settings.values()) else ()
