"""Simulated settings: the environment of simulated workloads and functions, and ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.observation import Setting
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults
from runbook_engine.testing.simulated_cluster import SimulatedCluster, SimulatedWorkload
from runbook_engine.testing.simulated_functions import SimulatedFunctions

ENVIRONMENT_KEY = re.compile(r"env:([^/]*)/(.+)")
ENTRY_KEY = re.compile(r"data:(.+)")


@dataclass(slots=True, kw_only=True)
class SimulatedConfigMap:
    """The state of one ConfigMap."""

    target: Target
    entries: dict[str, str]
    immutable: bool = False
    gitops: str = ""
    ignored: str = ""


class SimulatedSettings:
    """Reader and writer of settings; a change of a workload's environment rolls it out."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        cluster: SimulatedCluster,
        changed: Callable[[Target, str], None],
        functions: SimulatedFunctions | None = None,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._cluster = cluster
        self._functions = functions or SimulatedFunctions(clock, faults, changed)
        self._changed = changed
        self._config_maps: dict[str, SimulatedConfigMap] = {}

    def add(self, config_map: SimulatedConfigMap) -> None:
        """Put a ConfigMap into the cluster."""
        self._config_maps[config_map.target.key] = config_map

    def state(self, target: Target) -> SimulatedConfigMap:
        """Return the state of a ConfigMap, for a test to change. Raises InvalidTarget."""
        if target.key not in self._config_maps:
            raise InvalidTarget(f"{target} does not exist in cluster {target.place!r}")
        return self._config_maps[target.key]

    @property
    def config_maps(self) -> frozenset[str]:
        """The keys of every ConfigMap's target."""
        return frozenset(self._config_maps)

    def setting(self, target: Target, key: str) -> Setting:
        """Return one entry as it is now."""
        self._faults.look("settings.setting")
        if target.kind == "function":
            return self._functions.setting(target, key)
        if target.kind == "configmap":
            config_map = self.state(target)
            return Setting(
                target=config_map.target,
                text=config_map.entries.get(_entry(target, key)),
                immutable=config_map.immutable,
                gitops=config_map.gitops,
                ignored=config_map.ignored,
            )
        workload = self._cluster.state(target)
        environment, name = _environment(workload, key)
        return Setting(
            target=workload.target, text=environment.get(name), gitops=workload.gitops, ignored=workload.ignored
        )

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set or remove one entry, if it is as expected."""
        writers = {"configmap": self._write_entry, "function": self._functions.set_variable}
        write = writers.get(target.kind, self._write_environment)
        return self._faults.touch("settings.write", str(target), text, lambda: write(target, key, text, expected))

    def _write_entry(self, target: Target, key: str, text: str | None, expected: str | None) -> Mapping[str, Value]:
        try:
            config_map = self.state(target)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if target.uid and target.uid != config_map.target.uid:
            raise Conflict(f"{target} is another one now: it was deleted and created since")
        entry = _entry(target, key)
        if not _is_to_be_written(target, key, config_map.entries.get(entry), text, expected):
            return {"unchanged": True}
        if config_map.immutable:
            raise Permanent(f"{target} is immutable: nothing was written")
        _put(config_map.entries, entry, text)
        self._changed(target, f"{key} {expected!r} -> {text!r}")
        return {"written": key}

    def _write_environment(
        self, target: Target, key: str, text: str | None, expected: str | None
    ) -> Mapping[str, Value]:
        workload = self._cluster.owned(target)
        environment, name = _environment(workload, key)
        if not _is_to_be_written(target, key, environment.get(name), text, expected):
            return {"generation": workload.generation, "unchanged": True}
        workload.begin(self._clock.now(), replace=True)
        _put(environment, name, text)
        self._changed(target, f"{key} {expected!r} -> {text!r}")
        return {"generation": workload.generation}


def _environment(workload: SimulatedWorkload, key: str) -> tuple[dict[str, str], str]:
    """Return the environment that a key is about, and the name in it. Raises InvalidTarget."""
    form = ENVIRONMENT_KEY.fullmatch(key)
    if form is None:
        raise InvalidTarget(f"{key!r} names nothing of {workload.target} (write env:CONTAINER/NAME)")
    container, name = form.groups()
    names = ", ".join(workload.containers)
    if not container:
        if len(workload.containers) != 1:
            raise InvalidTarget(f"{workload.target} has several containers ({names}): say which")
        return next(iter(workload.containers.values())), name
    if container not in workload.containers:
        raise InvalidTarget(f"{workload.target} has no container {container!r} (it has {names})")
    return workload.containers[container], name


def _entry(target: Target, key: str) -> str:
    """Return the entry that a key is about. Raises InvalidTarget."""
    form = ENTRY_KEY.fullmatch(key)
    if form is None:
        raise InvalidTarget(f"{key!r} names nothing of {target} (write data:KEY)")
    return form[1]


def _is_to_be_written(target: Target, key: str, live: str | None, text: str | None, expected: str | None) -> bool:
    """Whether anything is to be written. Raises Conflict when somebody has moved it."""
    if live == text:
        return False
    if live != expected:
        raise Conflict(f"{key} of {target} is {live!r}, not {expected!r}: nothing was written")
    return True


def _put(entries: dict[str, str], name: str, text: str | None) -> None:
    """Set an entry where it stands, append a new one, or take one away."""
    if text is None:
        entries.pop(name, None)
    else:
        entries[name] = text
