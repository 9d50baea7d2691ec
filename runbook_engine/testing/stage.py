"""The stage of a scenario: the simulated world and the configuration that a test document describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from runbook_engine.documents.runbook_test import ScenarioDocument
from runbook_engine.documents.test_world import DeploymentDocument, EditDocument, WorldDocument
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.configuration import AdapterChoice, Configuration, Receiver, Scope, Team
from runbook_engine.model.observation import Autoscaler, ChangeEvent, Pause, Revision
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.model.target import Target
from runbook_engine.testing.clock import EPOCH
from runbook_engine.testing.node_stage import edit_nodes, put_up_nodes
from runbook_engine.testing.serverless_stage import edit_serverless, find_function, find_queue, put_up_serverless
from runbook_engine.testing.simulated_world import SimulatedWorld

SCOPE = "test"
LOCAL = "local"
ALWAYS = timedelta(days=3650)


def open_configuration(runbooks: Iterable[Runbook], world: WorldDocument) -> Configuration:
    """Return the configuration of a test that names none: everything is allowed, in the simulated world."""
    runbooks = tuple(runbooks)
    places = (*(deployment.cluster for deployment in world.deployments), *(node.cluster for node in world.nodes))
    clusters = tuple(dict.fromkeys(places)) or (LOCAL,)
    teams = {runbook.owner: None for runbook in runbooks}
    teams |= {step.approval.by: None for runbook in runbooks for step in runbook.steps if step.approval is not None}
    receivers = dict.fromkeys(rule.receiver for runbook in runbooks for rule in runbook.notify)
    told = (step.arguments.get("receiver") for runbook in runbooks for step in runbook.steps)
    receivers |= dict.fromkeys(name for name in told if isinstance(name, str))
    return Configuration(
        name="test",
        clusters=clusters,
        adapters={
            port: tuple(
                AdapterChoice(adapter="simulated", place=place) for place in sorted({each.place for each in told})
            )
            for port, told in (("functions", world.functions), ("queues", world.queues))
            if told
        },
        scopes=(Scope(name=SCOPE),),
        receivers=tuple(Receiver(name=name, adapter="simulated") for name in (*receivers, *teams)),
        teams=tuple(Team(name=name, receiver=name) for name in teams),
        targets=("*",),
        mode_ceiling=(ModeRule(mode="auto"),),
    )


def set_stage(
    scenario: ScenarioDocument, configuration: Configuration, interval: timedelta, start: datetime | None = None
) -> SimulatedWorld:
    """Return the simulated world as it is at the start of the scenario."""
    places = configuration.clusters or (LOCAL,)
    simulated = SimulatedWorld(start or EPOCH, place=places[0])
    for deployment in scenario.world.deployments:
        _deploy(simulated, deployment)
    put_up_nodes(simulated, scenario.world)
    put_up_serverless(simulated, scenario.world, configuration.automations)
    for template in configuration.requests:
        simulated.requests.allow(template)
    simulated.requests.ends.update(scenario.world.requests)
    for name, value in scenario.world.parameters.items():
        for place in places:
            simulated.set_parameter(name, value, place=place)
    for text, entries in scenario.world.config_maps.items():
        namespace, _, name = text.rpartition("/")
        simulated.add_config_map(namespace, name, entries)
    for query, samples in scenario.world.series.items():
        simulated.script(query, samples, interval=interval, stays=True)
    for workload, lines in scenario.world.logs.items():
        simulated.logs.add(_find_logging(simulated, workload), workload, lines)
    now = simulated.clock.now()
    for change in scenario.world.changes:
        event = ChangeEvent(at=now - change.ago, who=change.who, what=change.what)
        simulated.changes.add(_read_target(simulated, change.target), event)
    if scenario.world.pause:
        simulated.pauses.throw(Pause(until=now + ALWAYS, by="tester", reason="paused from the start"))
    return simulated


def sources_of(runbooks: Iterable[Runbook]) -> frozenset[str]:
    """Return the metric sources that runbooks name: in a simulated world all of them are there."""
    found: set[str] = set()
    for runbook in runbooks:
        steps = [check for step in runbook.steps for check in (*step.when, *step.verify)]
        checks = (*runbook.require, *runbook.verify, *steps)
        found |= {check.source for check in checks if isinstance(check, QueryCheck)}
        if runbook.do_no_harm is not None:
            found.add(runbook.do_no_harm.source)
        metrics = (collector.arguments.get("metric") for collector in runbook.diagnostics)
        found |= {str(metric.get("source", "")) for metric in metrics if isinstance(metric, dict)}
    return frozenset(filter(None, found))


def edit(simulated: SimulatedWorld, document: EditDocument) -> None:
    """Change the world as others do."""
    for name, value in document.parameters.items():
        simulated.set_parameter(name, value, by=document.who)
    for text, entries in document.config_maps.items():
        _edit_config_map(simulated, text, entries, document.who)
    for change in document.deployments:
        target = Target("deployment", change.cluster, change.namespace, change.name)
        if change.released is not None:
            simulated.release(target, by=document.who, summary=change.released)
        if change.replicas is not None:
            simulated.edit_replicas(target, change.replicas, by=document.who)
        if change.ready is not None:
            workload = simulated.cluster.state(target)
            workload.broken = max(0, workload.wanted - change.ready)
    edit_nodes(simulated, document.nodes)
    edit_serverless(simulated, document.functions, document.queues, document.who)


def _edit_config_map(simulated: SimulatedWorld, text: str, entries: Mapping[str, str | None], who: str) -> None:
    target = find_config_map(simulated, text)
    held = simulated.settings.state(target).entries
    for name, value in entries.items():
        held.pop(name, None)
        held |= {} if value is None else {name: value}
        what = f"{name} removed" if value is None else f"{name} set to {value!r}"
        simulated.changes.add(target, ChangeEvent(at=simulated.clock.now(), who=who, what=what))


def find_workload(simulated: SimulatedWorld, text: str) -> Target:
    """Return the target of a workload written as `apps/checkout`. Raises ValueError."""
    namespace, _, name = text.rpartition("/")
    for target in simulated.cluster.targets():
        if (target.namespace, target.name) == (namespace, name):
            return target
    raise ValueError(f"no deployment {text!r} in this test's world (add it under world.deployments)")


def find_config_map(simulated: SimulatedWorld, text: str) -> Target:
    """Return the target of a ConfigMap written as `apps/checkout-flags`. Raises ValueError."""
    namespace, _, name = text.rpartition("/")
    target = Target("configmap", simulated.place, namespace, name)
    if target.key not in simulated.settings.config_maps:
        raise ValueError(f"no ConfigMap {text!r} in this test's world (add it under world.configMaps)")
    return target


def _find_logging(simulated: SimulatedWorld, text: str) -> Target:
    return _read_target(simulated, text) if text.startswith("function=") else find_workload(simulated, text)


def _deploy(simulated: SimulatedWorld, document: DeploymentDocument) -> None:
    now = simulated.clock.now()
    revisions = tuple(
        Revision(
            number=revision.number,
            released_at=None if revision.released_ago is None else now - revision.released_ago,
            healthy=revision.healthy,
            summary=revision.summary,
        )
        for revision in document.revisions
    )
    released_ago = document.rolled_out_ago
    if released_ago is None and document.revisions:
        released_ago = document.revisions[0].released_ago
    target = simulated.deploy(
        document.namespace,
        document.name,
        place=document.cluster,
        replicas=document.replicas,
        broken=0 if document.ready is None else max(0, document.replicas - document.ready),
        service=document.service,
        released_ago=released_ago,
        revisions=revisions,
        autoscaler=_autoscaler(document),
        paused=document.paused,
        environment=document.env,
    )
    workload = simulated.cluster.state(target)
    workload.gitops, workload.ignored = document.gitops, document.ignored


def _autoscaler(document: DeploymentDocument) -> Autoscaler | None:
    scaler = document.autoscaler
    if scaler is None:
        return None
    return Autoscaler(
        kind=scaler.kind,
        name=document.name,
        minimum=scaler.min,
        maximum=scaler.max,
        current=document.replicas,
        gitops=document.gitops,
    )


def _read_target(simulated: SimulatedWorld, text: str) -> Target:
    kind, _, rest = text.partition("=")
    if kind == "parameter":
        return simulated.parameter(rest)
    if kind == "function":
        return find_function(simulated, rest)
    if kind == "queue":
        return find_queue(simulated, rest)
    namespace, _, name = rest.rpartition("/")
    return Target(kind, simulated.place, namespace, name)
