"""Who serves functions, queues and automations, and their settings, logs and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_effects, build_world
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.errors import InvalidTarget, NoAdapter, Permanent
from runbook_engine.model.configuration import AdapterChoice, Configuration
from runbook_engine.model.observation import LogExcerpt, Setting
from runbook_engine.model.serverless import AutomationRun, AutomationTemplate, Function, Queue
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served
from runbook_engine.registry import Registry

ORDERS = Target("function", "europe", "", "orders:live")
REBOOT = AutomationTemplate(name="reboot", document="acme-reboot", version="3", says="reboots it", place="asia")


@dataclass(frozen=True)
class Spy:
    """Serves anything, and says where it is and what it was asked."""

    where: str

    def function(self, target: Target) -> Function:
        return Function(target=target, service=self.where)

    def queue(self, target: Target) -> Queue:
        return Queue(target=target, messages=0, service=self.where)

    def run(self, template: str, run_id: str) -> AutomationRun:
        return AutomationRun(id=run_id, status="running", reason=self.where)

    def setting(self, target: Target, key: str) -> Setting:
        return Setting(target=target, text=self.where)

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        return (LogExcerpt(name=self.where, lines=()),)

    def point(self, target: Target, version: int, *, expected: int) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"point {version} {expected}"}

    def shift(self, target: Target, canary: str, *, expected: str, version: int) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"shift {canary!r} {expected!r}"}

    def limit(self, target: Target, concurrency: int | None, *, expected: int | None) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"limit {concurrency} {expected}"}

    def redrive(self, target: Target, *, per_second: int | None = None) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"redrive {per_second}"}

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"write {key} {text} {expected}"}

    def start(self, template: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Any]:
        return {"where": self.where, "call": f"start {template} {dict(arguments)} {digest} {token}"}


class NoSettings(msgspec.Struct, frozen=True):
    """An adapter without settings."""


class SpyRegistry(Registry):
    """A registry whose adapters are spies, each serving what a test says."""

    def __init__(self, **provides: tuple[Port, ...]) -> None:
        self._provides = provides

    def adapter(self, name: str) -> AdapterSpec:
        if name not in self._provides:
            return Registry().adapter(name)  # the journal and the kill switch, which every host has

        def build(port: Port, settings: NoSettings, context: AdapterContext) -> Served:
            spy = Spy(f"{name} {context.place}".strip())
            return Served(reader=spy, writer=spy)

        return AdapterSpec(name=name, provides=self._provides[name], settings=NoSettings, build=build)


SPIES = SpyRegistry(
    cloud=("functions", "queues", "automations", "settings"), cluster=("cluster", "settings", "logs"), watch=("logs",)
)
CONFIGURATION = Configuration(
    adapters={
        "functions": (AdapterChoice(adapter="cloud", place="europe"), AdapterChoice(adapter="cloud", place="asia")),
        "queues": (AdapterChoice(adapter="cloud"),),
        "automations": (AdapterChoice(adapter="cloud", place="asia"),),
        "cluster": (AdapterChoice(adapter="cluster", place="prod"),),
        "logs": (AdapterChoice(adapter="cluster", place="prod"), AdapterChoice(adapter="watch", place="europe")),
    },
    automations=(REBOOT,),
)


def settings(folder: Path) -> Settings:
    """Return where nothing is kept."""
    return Settings(runbooks=folder, state=folder / "state")


def test_each_function_is_looked_at_where_it_is(tmp_path: Path) -> None:
    """By its place; queues by the one for all; settings by what serves the functions; logs by what is named."""
    world = build_world(CONFIGURATION, settings(tmp_path), SPIES, SystemClock())
    workload = Target("deployment", "prod", "apps", "web")

    assert world.functions.function(ORDERS).service == "cloud europe"
    assert world.queues.queue(Target("queue", "anywhere", "", "orders")).service == "cloud"
    assert world.settings.setting(ORDERS, "env:/A").text == "cloud europe"
    assert world.settings.setting(workload, "env:/A").text == "cluster prod"
    assert [each.name for each in world.logs.logs(ORDERS, 1)] == ["watch europe"]
    assert [each.name for each in world.logs.logs(workload, 1)] == ["cluster prod"]
    with pytest.raises(NoAdapter) as nowhere:
        world.functions.function(Target("function", "america", "", "orders"))
    assert str(nowhere.value) == ("nothing serves functions at america (name an adapter under adapters.functions)")


def test_what_is_recorded_of_a_function_is_enough_when_nobody_watches_it(tmp_path: Path) -> None:
    """Its deployments report themselves; of a workload nobody may be silent."""
    world = build_world(CONFIGURATION, settings(tmp_path), SPIES, SystemClock())
    since = SystemClock().now() - timedelta(hours=1)

    assert world.changes.changes(ORDERS, since) == ()
    with pytest.raises(NoAdapter):
        world.changes.changes(Target("deployment", "prod", "apps", "web"), since)


def test_each_function_is_touched_where_it_is(tmp_path: Path) -> None:
    """What is asked for arrives whole."""
    effects = build_effects(CONFIGURATION, settings(tmp_path), SPIES, SystemClock())
    asia = Target("function", "asia", "", "orders")

    said = [
        effects.functions.point(ORDERS, 7, expected=8),
        effects.functions.shift(ORDERS, "9=10", expected="", version=3),
        effects.functions.limit(asia, None, expected=5),
        effects.settings.write(asia, "env:/A", None, expected="x"),
        effects.queues.redrive(Target("queue", "", "", "dlq"), per_second=10),
        effects.automations.start("reboot", {"Id": "i-1"}, digest="d", token="t"),
    ]

    assert [(each["where"], each["call"]) for each in said] == [
        ("cloud europe", "point 7 8"),
        ("cloud europe", "shift '9=10' ''"),
        ("cloud asia", "limit None 5"),
        ("cloud asia", "write env:/A None x"),
        ("cloud", "redrive 10"),
        ("cloud asia", "start reboot {'Id': 'i-1'} d t"),
    ]


def test_an_automation_that_engine_yaml_does_not_name_is_refused(tmp_path: Path) -> None:
    """Neither looked at nor started; what is named is looked at where it runs."""
    world = build_world(CONFIGURATION, settings(tmp_path), SPIES, SystemClock())
    effects = build_effects(CONFIGURATION, settings(tmp_path), SPIES, SystemClock())

    with pytest.raises(InvalidTarget) as unknown:
        world.automations.template("halt")
    with pytest.raises(Permanent) as refused:
        effects.automations.start("halt", {}, digest="d", token="t")

    said = "unknown automation 'halt'; known are reboot (add it under automations in engine.yaml)"
    assert str(unknown.value) == said
    assert str(refused.value) == "unknown automation 'halt' (add it under automations in engine.yaml)"
    assert world.automations.template("reboot") is REBOOT
    run = world.automations.run("reboot", "run-1")
    assert run is not None
    assert run.reason == "cloud asia"
