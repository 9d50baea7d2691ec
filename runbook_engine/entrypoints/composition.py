"""The composition root: from settings to a running engine. The only place that knows how the parts fit together.

Nothing here knows an adapter by name. What a host without eyes and hands needs is in `front`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.front import journal_of, pause_of
from runbook_engine.entrypoints.links import LinkingNotifier, links_of
from runbook_engine.entrypoints.receiver_breaker import ReceiverBreaker
from runbook_engine.entrypoints.recorded_changes import RecordedChangeReader
from runbook_engine.entrypoints.routing import (
    Kinds,
    Places,
    RoutedChangeReader,
    RoutedClusterReader,
    RoutedClusterWriter,
    RoutedEventReader,
    RoutedFlagReader,
    RoutedFlagWriter,
    RoutedJobReader,
    RoutedJobWriter,
    RoutedLogReader,
    RoutedMetricReader,
    RoutedNodeReader,
    RoutedNodeWriter,
    RoutedNotifier,
    RoutedSettingReader,
    RoutedSettingWriter,
)
from runbook_engine.entrypoints.serverless_routing import (
    RoutedAutomationReader,
    RoutedAutomationWriter,
    RoutedFunctionReader,
    RoutedFunctionWriter,
    RoutedQueueReader,
    RoutedQueueWriter,
)
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import SERVED_BY, AdapterChoice, Configuration
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.ports import (
    ChangeWatcher,
    Clock,
    Effects,
    Journal,
    MetricReader,
    Notifier,
    PauseReader,
    PauseWriter,
    Port,
    Served,
    World,
)
from runbook_engine.ports.absent import absent
from runbook_engine.registry import Registry


@dataclass(frozen=True, slots=True)
class Runner:
    """What a process that drives needs: the engine, and what watches for changes by the name of what it watches."""

    engine: Engine
    watchers: Mapping[str, ChangeWatcher]


def load_bundle_of(settings: Settings, registry: Registry) -> Bundle:
    """Return the runbooks and the configuration. Raises InvalidRunbook with every error of every file."""
    from runbook_engine.loading.files import load_valid_files  # yaml and pydantic: not for a host with a bundle

    return load_valid_files([settings.runbooks], registry, settings.config).bundle


def build_world(configuration: Configuration, settings: Settings, registry: Registry, clock: Clock) -> World:
    """Return the eyes of an installation."""
    adapters = _adapters(configuration, settings, registry, clock)
    return _world(adapters, journal_of(adapters))


def build_effects(configuration: Configuration, settings: Settings, registry: Registry, clock: Clock) -> Effects:
    """Return the hands of an installation."""
    return _effects(_adapters(configuration, settings, registry, clock))


def build_journal(configuration: Configuration, settings: Settings, registry: Registry, clock: Clock) -> Journal:
    """Return the journal: the one that engine.yaml names, else a file in the state folder."""
    return journal_of(_adapters(configuration, settings, registry, clock))


def build_pause(
    configuration: Configuration, settings: Settings, registry: Registry, clock: Clock
) -> tuple[PauseReader, PauseWriter]:
    """Return the kill switch: the one that engine.yaml names, else a file in the state folder."""
    return pause_of(_adapters(configuration, settings, registry, clock))


def build_engine(
    settings: Settings,
    *,
    registry: Registry | None = None,
    clock: Clock | None = None,
    bundle: Bundle | None = None,
    watch: Callable[[Journal], Journal] = lambda journal: journal,
    checkpoint: Callable[[str], None] = lambda name: None,
) -> Engine:
    """Return the engine of an installation. `watch` may put itself before the journal, to count what is stored."""
    runner = build_runner(settings, registry=registry, clock=clock, bundle=bundle, watch=watch, checkpoint=checkpoint)
    return runner.engine


def build_runner(
    settings: Settings,
    *,
    registry: Registry | None = None,
    clock: Clock | None = None,
    bundle: Bundle | None = None,
    watch: Callable[[Journal], Journal] = lambda journal: journal,
    tell: Callable[[Notifier], Notifier] = lambda notifier: notifier,
    checkpoint: Callable[[str], None] = lambda name: None,
) -> Runner:
    """Return the engine of an installation with the watchers that share its adapters. `tell` may count what is told."""
    registry = registry or Registry()
    bundle = bundle or load_bundle_of(settings, registry)
    adapters = _adapters(bundle.configuration, settings, registry, clock or SystemClock())
    linking = _linking(bundle.configuration, settings)
    engine = engine_of(
        adapters, bundle, watch=watch, tell=lambda notifier: tell(linking(notifier)), checkpoint=checkpoint
    )
    return Runner(engine, _watchers(adapters))


def engine_of(
    adapters: Adapters,
    bundle: Bundle,
    *,
    watch: Callable[[Journal], Journal] = lambda journal: journal,
    tell: Callable[[Notifier], Notifier] = lambda notifier: notifier,
    checkpoint: Callable[[str], None] = lambda name: None,
) -> Engine:
    """Return an engine that looks and acts through these adapters. `tell` may add to what receivers are told."""
    journal = watch(journal_of(adapters))
    effects = _effects(adapters)
    return Engine(
        bundle=bundle,
        journal=journal,
        world=_world(adapters, journal),
        effects=replace(effects, notifier=tell(effects.notifier)),
        registry=adapters.registry,
        checkpoint=checkpoint,
    )


def _linking(configuration: Configuration, settings: Settings) -> Callable[[Notifier], Notifier]:
    """Return what gives every question its link, where engine.yaml sets links up."""
    links = links_of(configuration, settings)
    if links is None:
        return lambda notifier: notifier
    return lambda notifier: LinkingNotifier(notifier, links)


def _adapters(configuration: Configuration, settings: Settings, registry: Registry, clock: Clock) -> Adapters:
    return Adapters(configuration=configuration, settings=settings, registry=registry, clock=clock)


def _world(adapters: Adapters, journal: Journal) -> World:
    return World(
        clock=adapters.clock,
        cluster=RoutedClusterReader(_readers(adapters, "cluster")),
        flags=RoutedFlagReader(_readers(adapters, "flags")),
        metrics=RoutedMetricReader(_metrics_by_cluster(adapters)),
        changes=RecordedChangeReader(RoutedChangeReader(_kind_readers(adapters, "changes")), journal),
        logs=RoutedLogReader(_kind_readers(adapters, "logs")),
        pauses=pause_of(adapters)[0],
        metric_sources=_metric_sources(adapters),
        settings=RoutedSettingReader(_kind_readers(adapters, "settings")),
        nodes=RoutedNodeReader(_readers(adapters, "nodes")),
        jobs=RoutedJobReader(_readers(adapters, "jobs"), {job.name: job for job in adapters.configuration.jobs}),
        events=RoutedEventReader(_readers(adapters, "events")),
        functions=RoutedFunctionReader(_readers(adapters, "functions")),
        queues=RoutedQueueReader(_readers(adapters, "queues")),
        automations=RoutedAutomationReader(_readers(adapters, "automations"), _automations(adapters)),
        requests=_only(adapters, "requests", lambda served: served.reader),
    )


def _effects(adapters: Adapters) -> Effects:
    if adapters.settings.looks_only:
        return Effects(cluster=absent("cluster"), flags=absent("flags"), notifier=absent("receiver"))
    receivers: dict[str, Any] = {}
    for receiver in adapters.configuration.receivers:
        choice = AdapterChoice(adapter=receiver.adapter, settings=receiver.settings)
        receivers[receiver.name] = adapters.build("receiver", choice, f"receivers.{receiver.name}").writer
    return Effects(
        cluster=RoutedClusterWriter(_writers(adapters, "cluster")),
        flags=RoutedFlagWriter(_writers(adapters, "flags")),
        notifier=ReceiverBreaker(RoutedNotifier(receivers), adapters.clock),
        settings=RoutedSettingWriter(_kind_writers(adapters, "settings")),
        nodes=RoutedNodeWriter(_writers(adapters, "nodes")),
        jobs=RoutedJobWriter(_writers(adapters, "jobs")),
        functions=RoutedFunctionWriter(_writers(adapters, "functions")),
        queues=RoutedQueueWriter(_writers(adapters, "queues")),
        automations=RoutedAutomationWriter(_writers(adapters, "automations"), _automations(adapters)),
        requests=_only(adapters, "requests", lambda served: served.writer),
    )


def _watchers(adapters: Adapters) -> Mapping[str, ChangeWatcher]:
    return {
        f"{choice.adapter} {choice.place}".strip(): served.watcher
        for choice, served in adapters.serving("changes")
        if served.watcher is not None
    }


def _automations(adapters: Adapters) -> Mapping[str, AutomationTemplate]:
    return {automation.name: automation for automation in adapters.configuration.automations}


def _only(adapters: Adapters, port: Port, part: Callable[[Served], Any]) -> Any:
    """Return what serves a port that has no places: the first that is named."""
    return next((part(served) for _, served in adapters.serving(port)), absent(port))


def _readers(adapters: Adapters, port: Port) -> Places[Any]:
    return Places(port, _by_place(adapters, port, lambda served: served.reader))


def _writers(adapters: Adapters, port: Port) -> Places[Any]:
    return Places(port, _by_place(adapters, port, lambda served: served.writer))


def _kind_readers(adapters: Adapters, port: Port) -> Kinds[Any]:
    return Kinds(_readers(adapters, port), _by_kind(adapters, port, lambda served: served.reader))


def _kind_writers(adapters: Adapters, port: Port) -> Kinds[Any]:
    return Kinds(_writers(adapters, port), _by_kind(adapters, port, lambda served: served.writer))


def _by_kind(adapters: Adapters, port: Port, side: Callable[[Served], Any]) -> Mapping[str, Places[Any]]:
    """Functions and queues are served by what is named for them, as far as that serves the port."""
    found: dict[str, Places[Any]] = {}
    for kind, owner in SERVED_BY.items():
        choices = adapters.configuration.adapters.get(owner, ())
        able = [choice for choice in choices if port in adapters.registry.adapter(choice.adapter).provides]
        if able:
            serving = tuple((choice, adapters.build(port, choice, f"adapters.{owner}")) for choice in able)
            found[kind] = Places(port, _one_each(serving, owner, side))
    return found


def _by_place(adapters: Adapters, port: Port, side: Callable[[Served], Any]) -> Mapping[str, Any]:
    return _one_each(adapters.serving(port), port, side)


def _one_each(
    serving: Iterable[tuple[AdapterChoice, Served]], port: str, side: Callable[[Served], Any]
) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for choice, served in serving:
        if choice.place in found:
            where = f"place {choice.place}" if choice.place else "every place"
            raise InvalidSettings(f"adapters.{port}: two adapters serve {where} (give each a place of its own)")
        found[choice.place] = side(served)
    return found


def _metrics_by_cluster(adapters: Adapters) -> Places[MetricReader]:
    """The first of a place answers for it; a single one answers for all."""
    serving = adapters.serving("metrics")
    if len(serving) == 1:
        return Places("metrics", {"": serving[0][1].reader})
    by_place: dict[str, MetricReader] = {}
    for choice, served in serving:
        by_place.setdefault(choice.place, served.reader)
    return Places("metrics", by_place)


def _metric_sources(adapters: Adapters) -> Mapping[str, MetricReader]:
    """A check names a source by its adapter or by its place; the first of a name is meant."""
    sources: dict[str, MetricReader] = {}
    for choice, served in adapters.serving("metrics"):
        for name in filter(None, (choice.adapter, choice.place)):
            sources.setdefault(name, served.reader)
    return sources
