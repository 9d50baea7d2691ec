"""The functions, queues and automations of a scenario: put up, edited and judged as a test document says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runbook_engine.documents.test_serverless import FunctionDocument, FunctionEdit, FunctionExpectation
from runbook_engine.documents.test_world import WorldDocument
from runbook_engine.model.observation import ChangeEvent, Revision
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SOMEBODY, SimulatedWorld

Difference = tuple[str, object, object]  # what is demanded, what was expected, what is


def put_up_serverless(
    simulated: SimulatedWorld, world: WorldDocument, automations: Iterable[AutomationTemplate]
) -> None:
    """Add the functions and queues of a test, and the automations that its configuration allows."""
    for function in world.functions:
        _add_function(simulated, function)
    for queue in world.queues:
        target = simulated.add_queue(
            queue.name, messages=queue.messages, sources=queue.sources, service=queue.service, place=queue.place
        )
        simulated.queues.state_of(target).poisoned = queue.poisoned
    for template in automations:
        simulated.automations.allow(template)
    simulated.automations.ends.update(world.automations)


def edit_serverless(
    simulated: SimulatedWorld, functions: Iterable[FunctionEdit], queues: Mapping[str, int], who: str
) -> None:
    """Change functions and queues as others do."""
    for change in functions:
        name = f"{change.name}:{change.alias}" if change.alias else change.name
        target = simulated.function(name, change.place)
        if change.released is not None:
            simulated.publish(target, by=who, summary=change.released)
        if change.concurrency is not None:
            simulated.functions.state_of(target).concurrency = change.concurrency
    for name, messages in queues.items():
        simulated.queues.state_of(find_queue(simulated, name)).messages = messages


def judge_functions(simulated: SimulatedWorld, wanted: Iterable[FunctionExpectation]) -> Iterator[Difference]:
    """Return what is demanded of functions, what was expected, and what is, where these differ."""
    for demand in wanted:
        name = f"{demand.name}:{demand.alias}" if demand.alias else demand.name
        target = simulated.function(name, demand.place)
        seen, state = simulated.functions.seen(target), simulated.functions.state_of(target)
        pairs: list[Difference] = [
            ("version", demand.version, seen.version),
            ("canary", demand.canary, seen.canary),
            ("concurrency", demand.concurrency, seen.concurrency),
            ("throttled", demand.throttled, seen.concurrency is not None),
        ]
        differing = [pair for pair in pairs if pair[1] is not None and pair[1] != pair[2]]
        differing += [
            (f"env {key}", value, state.environment.get(key))
            for key, value in demand.env.items()
            if state.environment.get(key) != value
        ]
        yield from ((f"{what} of function {name}", expected, actual) for what, expected, actual in differing)


def judge_queues(simulated: SimulatedWorld, wanted: Mapping[str, int]) -> Iterator[Difference]:
    """Return how many messages were expected in queues, and how many there are, where these differ."""
    for name, messages in wanted.items():
        actual = simulated.queues.seen(find_queue(simulated, name)).messages
        if actual != messages:
            yield f"messages of queue {name}", messages, actual


def judge_automations(simulated: SimulatedWorld, wanted: Mapping[str, int]) -> Iterator[Difference]:
    """Return how many runs of automations were expected, and how many there were, where these differ."""
    for name, runs in wanted.items():
        actual = sum(template == name for template, _ in simulated.automations.started)
        if actual != runs:
            yield f"runs of automation {name}", runs, actual


def judge_requests(simulated: SimulatedWorld, wanted: Mapping[str, int]) -> Iterator[Difference]:
    """Return how often requests were expected, and how often they were sent, where these differ."""
    for name, times in wanted.items():
        actual = sum(each.name == name for each in simulated.requests.sent)
        if actual != times:
            yield f"requests {name}", times, actual


def find_function(simulated: SimulatedWorld, name: str) -> Target:
    """Return the target of a function, wherever it is. Raises ValueError."""
    whole = name.partition(":")[0]
    for target in simulated.functions.targets():
        if target.name == whole:
            return simulated.function(name, target.place)
    raise ValueError(f"no function {whole!r} in this test's world (add it under world.functions)")


def find_queue(simulated: SimulatedWorld, name: str) -> Target:
    """Return the target of a queue, wherever it is. Raises ValueError."""
    for target in simulated.queues.targets():
        if target.name == name:
            return target
    raise ValueError(f"no queue {name!r} in this test's world (add it under world.queues)")


def _add_function(simulated: SimulatedWorld, document: FunctionDocument) -> None:
    now = simulated.clock.now()
    versions = tuple(
        Revision(
            number=version.number,
            released_at=None if version.released_ago is None else now - version.released_ago,
            healthy=version.healthy,
            summary=version.summary,
        )
        for version in document.versions
    )
    target = simulated.add_function(
        document.name,
        aliases=document.aliases,
        versions=versions,
        environment=document.env,
        concurrency=document.concurrency,
        service=document.service,
        place=document.place,
    )
    state = simulated.functions.state_of(target)
    state.bypassed, state.managed = document.bypassed, document.managed
    for alias, canary in document.canaries.items():
        simulated.functions.alias_of(simulated.function(f"{document.name}:{alias}", document.place)).canary = canary
    for version in versions:
        if version.released_at is not None:
            what = f"release {version.summary or version.number}"
            event = ChangeEvent(at=version.released_at, who=SOMEBODY, what=what, revision=version.number)
            simulated.changes.add(target.whole, event)
