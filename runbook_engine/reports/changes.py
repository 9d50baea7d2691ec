"""What changed before an incident? What others did to its targets, and to what bears its labels; the nearest first."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Incident, NearChange
from runbook_engine.model.target import NO_TARGET, Target
from runbook_engine.ports import Journal

BEFORE = timedelta(minutes=60)
MOST_CHANGES = 10
MOST_TARGETS = 50  # of one incident are asked for; in a storm nobody reads further


def changes_before(
    incident: Incident, executions: tuple[Execution, ...], journal: Journal, configuration: Configuration
) -> tuple[NearChange, ...]:
    """Return the recorded changes by others within an hour before an incident opened."""
    own = list(dict.fromkeys(_bare(target) for each in executions for target in _targets(each)))[:MOST_TARGETS]
    near = [target for target in _labelled(incident, configuration) if target not in own]
    found = [
        NearChange(target=target, event=event, same_target=target in own)
        for target in (*own, *near)
        for event in journal.recorded_changes(target, incident.opened_at - BEFORE)
        if not event.ours and event.at <= incident.opened_at
    ]
    nearest = sorted(found, key=lambda change: (not change.same_target, incident.opened_at - change.event.at))
    return tuple(nearest[:MOST_CHANGES])


def _targets(execution: Execution) -> tuple[Target, ...]:
    """Return what a run acts on, and what its steps would change."""
    changed = tuple(step.change.target for step in execution.steps if step.change is not None and not step.message_only)
    return tuple(each for each in (execution.target, *changed) if each.kind != NO_TARGET.kind)


def _labelled(incident: Incident, configuration: Configuration) -> tuple[Target, ...]:
    """Return the deployments that its labels name: of the same service, or the same workload, in the same namespace."""
    labels = dict(incident.labels)
    names = dict.fromkeys(labels[name] for name in ("deployment", "service") if name in labels)
    places = (labels["cluster"],) if "cluster" in labels else configuration.clusters or ("local",)
    if "namespace" not in labels:
        return ()
    return tuple(Target("deployment", place, labels["namespace"], name) for place in places for name in names)


def _bare(target: Target) -> Target:
    """Return the target as changes are recorded under it: by its name."""
    return Target(target.kind, target.place, target.namespace, target.name)
