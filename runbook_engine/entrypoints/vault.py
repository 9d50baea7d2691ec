"""The vault: secrets that a service keeps, fetched through the adapter that serves them, in every host alike.

The adapter is found by its name when the first such secret is asked for; until then no SDK is loaded.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec

from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import AdapterChoice, Configuration, SecretReference
from runbook_engine.ports import AdapterContext, Clock, SecretReader
from runbook_engine.registry import Registry

KEEPER = AdapterChoice(adapter="ssm")  # unless engine.yaml names one under adapters.secrets


class Vault:
    """The readers of secrets of one process, each built once; any number of threads may ask."""

    def __init__(self, registry: Registry | None = None, clock: Clock | None = None) -> None:
        self.common: dict[str, Any] = {}  # what all adapters of one vendor use together in this process
        self._registry = registry or Registry()
        self._clock = clock or SystemClock()
        self._guard = threading.Lock()
        self._readers: dict[bytes, SecretReader] = {}

    def secret(self, path: str, keeper: AdapterChoice, *, base: Path, state: Path) -> str:
        """Return a secret. Raises NoAdapter when it is not there or nobody can fetch it, Unreadable."""
        key = msgspec.json.encode(keeper, order="deterministic")
        with self._guard:
            if key not in self._readers:
                self._readers[key] = self._built(keeper, base, state)
            reader = self._readers[key]
        return reader.secret(path)

    def _built(self, keeper: AdapterChoice, base: Path, state: Path) -> SecretReader:
        where = f"adapters.secrets ({keeper.adapter})"
        spec = self._registry.adapter(keeper.adapter)
        if "secrets" not in spec.provides:
            raise NoAdapter(f"{where} serves {', '.join(spec.provides)}, and no secrets", "name ssm")
        try:
            settings = msgspec.convert(dict(keeper.settings), spec.settings)
        except msgspec.ValidationError as error:
            raise NoAdapter(f"{where}: {error}", "correct it in engine.yaml") from error
        context = AdapterContext(
            clock=self._clock,
            configuration=Configuration(),
            base=base,
            state=state,
            secret=_no_secret,
            place=keeper.place,
            common=self.common,
        )
        reader: SecretReader = spec.build("secrets", settings, context).reader
        return reader


def _no_secret(reference: SecretReference) -> str:
    raise NoAdapter("what keeps secrets needs none itself", "give it a role instead")
