"""Adapters in use: finds each one that engine.yaml names, checks its settings strictly, and builds it once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runbook_engine.entrypoints.lock import is_held
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.model.configuration import AdapterChoice, Configuration
from runbook_engine.ports import AdapterContext, Clock, Port, Served
from runbook_engine.registry import Registry

OF_A_CLUSTER: frozenset[Port] = frozenset(("settings", "nodes", "jobs", "events", "changes", "logs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """Builds the adapters of one installation; asking twice for one port gives the same objects."""

    configuration: Configuration
    settings: Settings
    registry: Registry
    clock: Clock
    _shared: dict[bytes, dict[str, Any]] = field(default_factory=dict)  # by adapter, place and settings
    _served: dict[Port, tuple[tuple[AdapterChoice, Served], ...]] = field(default_factory=dict)

    def serving(self, port: Port) -> tuple[tuple[AdapterChoice, Served], ...]:
        """Return every use of an adapter for this port, in the order of engine.yaml."""
        if port not in self._served:
            choices = choices_of(port, self.configuration, self.registry)
            self._served[port] = tuple(
                (choice, self.build(port, choice, f"adapters.{port}[{index}]")) for index, choice in enumerate(choices)
            )
        return self._served[port]

    def build(self, port: Port, choice: AdapterChoice, where: str) -> Served:
        """Build one adapter. Raises NoAdapter when it is not installed, InvalidSettings when it cannot be used so."""
        spec = self.registry.adapter(choice.adapter)
        if port not in spec.provides:
            raise InvalidSettings(
                f"{where}: adapter {choice.adapter} does not serve {port}; it serves {', '.join(spec.provides)} "
                f"(name another adapter)"
            )
        context = AdapterContext(
            clock=self.clock,
            configuration=self.configuration,
            base=self.settings.base,
            state=self.settings.state,
            secret=self.settings.keeping(self.configuration).secret,
            place=choice.place,
            looks_only=self.settings.looks_only,
            why_keep_layout=self._why_keep_layout,
            shared=self._shared.setdefault(msgspec.json.encode(choice, order="deterministic"), {}),
            common=self.settings.vault.common,
        )
        return spec.build(
            port, convert_settings(choice.settings, spec.settings, f"{where} ({choice.adapter})"), context
        )

    def _why_keep_layout(self) -> str:
        """Return why a store must stay as it is: who reads its layout and no newer one would be cut off from it."""
        if self.settings.is_runner or not is_held(self.settings.state):
            return ""
        return "the runner that uses it is older than this command (stop it, upgrade it, or use its own release)"


def choices_of(port: Port, configuration: Configuration, registry: Registry) -> tuple[AdapterChoice, ...]:
    """Return what engine.yaml names; unnamed, what belongs to a cluster is served by what serves the cluster."""
    named = configuration.adapters.get(port, ())
    if named or port not in OF_A_CLUSTER:
        return named
    serving_clusters = configuration.adapters.get("cluster", ())
    return tuple(choice for choice in serving_clusters if port in registry.adapter(choice.adapter).provides)


def convert_settings(given: Mapping[str, Any], wanted: type[Any], where: str) -> Any:
    """Return an adapter's settings as its own type. Raises InvalidSettings that names the key and the remedy."""
    known = {known.encode_name: known for known in msgspec.structs.fields(wanted)}
    for key in given:
        if key not in known:
            raise InvalidSettings(f"{where}: unknown setting {key!r} ({_remedy(key, tuple(known))})")
    for name, setting in known.items():
        if setting.required and name not in given:
            raise InvalidSettings(f"{where}: setting {name!r} is missing (add it)")
    try:
        return msgspec.convert(dict(given), wanted)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"{where}: {_said(error)}") from error


def _remedy(key: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"it takes {', '.join(known)}" if known else "it takes none"


def _said(error: msgspec.ValidationError) -> str:
    """Return `setting 'path': expected str, got int` for msgspec's `Expected `str`, got `int` - at `$.path``."""
    message, _, path = str(error).replace("`", "").partition(" - at $.")
    sentence = message[:1].lower() + message[1:]
    return f"setting {path!r}: {sentence}" if path else sentence
