"""Expectations: what a scenario demands at an instant, compared with what is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runbook_engine.documents.runbook_test import ExpectationDocument
from runbook_engine.documents.test_world import WorkloadExpectation
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Evidence
from runbook_engine.model.target import Target
from runbook_engine.testing.missed import Miss, differs
from runbook_engine.testing.node_stage import judge_nodes
from runbook_engine.testing.run_facts import judge_changed, judge_timeline, judge_verdicts
from runbook_engine.testing.serverless_stage import judge_automations, judge_functions, judge_queues, judge_requests
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import find_config_map, find_workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is at the instant of an expectation."""

    simulated: SimulatedWorld
    executions: Sequence[Execution]  # newest first
    matched: frozenset[str]
    refusals: tuple[str, ...]  # why runbooks that matched were not started
    evidence: Callable[[str], tuple[Evidence, ...]] = lambda execution_id: ()  # that a run has kept
    trail: Callable[[str], tuple[AuditRecord, ...]] = lambda execution_id: ()  # what a run has recorded
    incident: Callable[[str], str | None] = lambda incident_id: None  # how one stands; the newest, if none is named
    timeline: Callable[[], tuple[str, ...]] = lambda: ()  # all that was said so far


def judge_expectation(wanted: ExpectationDocument, seen: Seen) -> tuple[Miss, ...]:
    """Return everything that is not as expected; none means that all is well."""
    return tuple(_misses(wanted, seen))


def _misses(wanted: ExpectationDocument, seen: Seen) -> Iterator[Miss]:
    if wanted.matched is not None and frozenset(wanted.matched) != seen.matched:
        yield differs("matched", sorted(wanted.matched), sorted(seen.matched))
    execution, problem = _choose(wanted, seen)
    if execution is None:
        if problem and _asks_of_run(wanted):
            yield Miss(problem)
    else:
        yield from _misses_of_run(wanted, execution)
        yield from judge_verdicts(wanted.verdicts or {}, execution, seen.trail(execution.id))
        if wanted.changed is not None:
            yield from judge_changed(wanted.changed, execution, seen.trail(execution.id))
    kept = seen.evidence(execution.id) if execution is not None else ()
    yield from _misses_of_evidence(wanted.evidence, kept)
    if wanted.says is not None:
        yield from _misses_of_words(wanted.says, execution, seen)
    if wanted.timeline is not None:
        yield from judge_timeline(wanted.timeline, seen.timeline())
    if wanted.incident is not None:
        stands = seen.incident(execution.incident_id if execution is not None else "")
        if wanted.incident != stands:
            yield differs("incident", wanted.incident, stands)
    yield from _misses_of_world(wanted, execution.target.place if execution is not None else "", seen.simulated)


def _choose(wanted: ExpectationDocument, seen: Seen) -> tuple[Execution | None, str]:
    runs = [run for run in seen.executions if wanted.runbook in (None, run.runbook) and not run.merged_into]
    found = [run for run in runs if wanted.target in (None, run.target.pattern_form)]
    names = sorted({run.runbook for run in found})
    if not found:
        of, on = f" of {wanted.runbook}" if wanted.runbook else "", f" on {wanted.target}" if wanted.target else ""
        return None, f"no run{of}{on} was started"
    if len(names) > 1:
        return None, f"several runbooks run, so say which: runbook: {' or '.join(names)}"
    return found[0], ""


def _asks_of_run(wanted: ExpectationDocument) -> bool:
    """Whether a run is needed: that nothing ran and nothing is to be undone holds without one."""
    of_its_steps = wanted.ran or wanted.skipped or wanted.verdicts or wanted.changed
    return bool(wanted.status or wanted.compensation not in (None, "none") or of_its_steps)


def _misses_of_run(wanted: ExpectationDocument, execution: Execution) -> Iterator[Miss]:
    ran = tuple(step.name for step in execution.steps if step.progress == "changed" and not step.message_only)
    skipped = tuple(step.name for step in execution.steps if step.progress == "skipped")
    if wanted.status is not None and wanted.status != execution.status:
        yield differs("status", wanted.status, execution.status, execution.reason or execution.waiting_for)
    if wanted.compensation is not None and wanted.compensation != execution.compensation:
        yield differs("compensation", wanted.compensation, execution.compensation)
    if wanted.ran is not None and tuple(wanted.ran) != ran:
        yield differs("ran", list(wanted.ran), list(ran))
    if wanted.skipped is not None and tuple(wanted.skipped) != skipped:
        yield differs("skipped", list(wanted.skipped), list(skipped))


def _misses_of_words(words: str, execution: Execution | None, seen: Seen) -> Iterator[Miss]:
    said = list(seen.refusals)
    if execution is not None:
        said += [execution.reason, execution.waiting_for, *(step.reason for step in execution.steps)]
        said += [verdict.says for verdict in execution.verdicts if not verdict.ok]
    if not any(words in sentence for sentence in said):
        yield differs("says", words, [sentence for sentence in dict.fromkeys(said) if sentence])


def _misses_of_world(wanted: ExpectationDocument, place: str, simulated: SimulatedWorld) -> Iterator[Miss]:
    for name, value in (wanted.parameters or {}).items():
        live = simulated.value_of(name, place or None)
        if live != value:
            yield differs(f"parameter {name}", value, live)
    yield from _misses_of_settings(wanted, simulated)
    for workload in wanted.deployments or ():
        yield from _misses_of_workload(workload, simulated)
    for what, expected, actual in judge_nodes(simulated, wanted.nodes or ()):
        yield differs(what, expected, actual)
    for what, expected, actual in (
        *judge_functions(simulated, wanted.functions or ()),
        *judge_queues(simulated, wanted.queues or {}),
        *judge_automations(simulated, wanted.automations or {}),
        *judge_requests(simulated, wanted.requests or {}),
    ):
        yield differs(what, expected, actual)
    for text, replicas in (wanted.replicas or {}).items():
        live_replicas = simulated.seen(find_workload(simulated, text)).replicas
        if live_replicas != replicas:
            yield differs(f"replicas of {text}", replicas, live_replicas)
    for receiver, events in (wanted.notified or {}).items():
        heard = [told.message.event for told in simulated.inbox.messages if told.receiver == receiver]
        if list(events) != heard:
            yield differs(f"notified {receiver}", list(events), heard)
    made = len(simulated.effects_made)
    if wanted.changes is not None and wanted.changes != made:
        yield differs("changes", wanted.changes, made)


def _misses_of_evidence(wanted: Mapping[str, str] | None, kept: Sequence[Evidence]) -> Iterator[Miss]:
    if wanted is None:
        return
    collectors = sorted({piece.collector for piece in kept})
    if sorted(wanted) != collectors:
        yield differs("evidence", sorted(wanted), collectors)
    for collector, part in wanted.items():
        said = [f"{piece.title}: {piece.text}" for piece in kept if piece.collector == collector]
        if said and not any(part in text for text in said):
            yield differs(f"evidence of {collector}", part, said)


def _misses_of_settings(wanted: ExpectationDocument, simulated: SimulatedWorld) -> Iterator[Miss]:
    for text, values in (wanted.env or {}).items():
        target = find_workload(simulated, text)
        for name, value in values.items():
            live = simulated.environment_of(target).get(name)
            if live != value:
                yield differs(f"env {name} of {text}", value, live)
    for text, values in (wanted.config_maps or {}).items():
        entries = simulated.settings.state(find_config_map(simulated, text)).entries
        for name, value in values.items():
            if entries.get(name) != value:
                yield differs(f"{name} of config map {text}", value, entries.get(name))


def _misses_of_workload(wanted: WorkloadExpectation, simulated: SimulatedWorld) -> Iterator[Miss]:
    live = simulated.seen(Target("deployment", wanted.cluster, wanted.namespace, wanted.name))
    restarted = bool(live.restarted_at)
    for what, expected, actual in (
        ("replicas", wanted.replicas, live.replicas),
        ("revision", wanted.revision, live.revision),
        ("restarted", wanted.restarted, restarted),
    ):
        if expected is not None and expected != actual:
            yield differs(f"{what} of {wanted.namespace}/{wanted.name}", expected, actual)
