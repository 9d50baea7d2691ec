"""The registry: actions, collectors, sources and adapters by name.

Found on first use, by a scan of the engine's own packages and by entry points; immutable afterwards, and passed
in by the composition root. The engine knows no action by name, and ours are found the way a stranger's are.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from runbook_engine.errors import NoAdapter, UnknownAction, UnknownSource, Unreadable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from runbook_engine.model.delivery import SourceSpec
    from runbook_engine.model.runbook import Step
    from runbook_engine.ports import ActionSpec, AdapterSpec, CollectorSpec

ACTIONS = "runbook_engine.actions"
COLLECTORS = "runbook_engine.diagnostics"
SOURCES = "runbook_engine.sources"
ADAPTERS = "runbook_engine.adapters"


class Registry:
    """What is installed. Each kind is loaded when it is first asked for, so a lookup costs only what it needs."""

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action by name."""
        return _with_strangers(self._own_actions, self._installed[ACTIONS])

    @cached_property
    def collectors(self) -> Mapping[str, CollectorSpec]:
        """Every evidence collector by name."""
        return _with_strangers(self._own_collectors, self._installed[COLLECTORS])

    @cached_property
    def sources(self) -> Mapping[str, SourceSpec]:
        """Every alert source by name."""
        return _with_strangers(self._own_sources, self._installed[SOURCES])

    def load(self) -> int:
        """Find everything now, and return how much there is: a process that lives long may be unable to look later."""
        return len(self.actions) + len(self.collectors) + len(self.sources)

    def action(self, name: str) -> ActionSpec:
        """Return one action; ours are found without a look at what else is installed. Raises UnknownAction."""
        if name in self._own_actions:
            return self._own_actions[name]
        if name not in self.actions:
            raise UnknownAction(f"unknown action {name!r}{_did_you_mean(name, self.actions)}")
        return self.actions[name]

    def collector(self, name: str) -> CollectorSpec:
        """Return one collector. Raises UnknownAction."""
        if name in self._own_collectors:
            return self._own_collectors[name]
        if name not in self.collectors:
            raise UnknownAction(f"unknown diagnostics {name!r}{_did_you_mean(name, self.collectors)}")
        return self.collectors[name]

    def source(self, name: str) -> SourceSpec:
        """Return one source. Raises UnknownSource."""
        if name in self._own_sources:
            return self._own_sources[name]
        if name not in self.sources:
            raise UnknownSource(f"unknown source {name!r}{_did_you_mean(name, self.sources)}")
        return self.sources[name]

    def adapter(self, name: str) -> AdapterSpec:
        """Return one adapter, loading no other. Raises NoAdapter."""
        found = self._adapter_points
        if not found:
            raise NoAdapter(
                f"no adapter {name!r}: no entry points of group {ADAPTERS} are installed",
                hint="install the package itself, and keep its *.dist-info folder in a zip",
            )
        if name not in found:
            raise NoAdapter(f"no adapter {name!r}{_did_you_mean(name, found)}", hint="name one that is installed")
        spec: AdapterSpec = found[name].load()
        return spec

    def time_limit(self, step: Step) -> timedelta:
        """Return how long the action of a step may take to take effect; one that nobody knows takes no time."""
        spec = self.actions.get(step.action)
        return timedelta(0) if spec is None else spec.longest(step.arguments)

    @cached_property
    def _adapter_points(self) -> Mapping[str, EntryPoint]:
        return {point.name: point for point in self._installed[ADAPTERS]}

    @cached_property
    def _installed(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        return _entry_points()  # a look at everything that is installed: one serves every kind

    @cached_property
    def _own_actions(self) -> Mapping[str, ActionSpec]:
        return {spec.name: spec for spec in _scan(ACTIONS, "ACTION")}

    @cached_property
    def _own_collectors(self) -> Mapping[str, CollectorSpec]:
        return {spec.name: spec for spec in _scan(COLLECTORS, "COLLECTOR")}

    @cached_property
    def _own_sources(self) -> Mapping[str, SourceSpec]:
        return {spec.name: spec for spec in _scan(SOURCES, "SOURCE")}


def _with_strangers(own: Mapping[str, Any], points: tuple[EntryPoint, ...]) -> Mapping[str, Any]:
    """Return ours and what other packages registered; a name of ours cannot be taken."""
    loaded = [point.load() for point in points]
    return MappingProxyType(dict(sorted({**{spec.name: spec for spec in loaded}, **own}.items())))


def _scan(package_name: str, attribute: str) -> Iterator[Any]:
    package = importlib.import_module(package_name)
    modules = sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name)
    if not modules:  # pkgutil takes a folder that cannot be listed for an empty one, and none of ours is
        raise Unreadable(
            f"cannot list what is in {package_name} "
            "(see whether this process is out of file descriptors: ulimit -n; else install the package again)"
        )
    for module in modules:
        found = getattr(importlib.import_module(f"{package_name}.{module.name}"), attribute, None)
        if found is not None:
            yield found


def _entry_points() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return what other packages registered, by group. It opens two files of each installed package."""
    from importlib.metadata import entry_points  # costs as much as a third of the engine, and ingest needs none

    found = entry_points()
    return {group: tuple(found.select(group=group)) for group in (ACTIONS, COLLECTORS, SOURCES, ADAPTERS)}


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
