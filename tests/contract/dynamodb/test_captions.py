"""Captions: what people find in the table without the engine, in the columns that they ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runbook_adapters.dynamodb import DynamoJournal, keys
from runbook_adapters.dynamodb.captions import LONGEST_ACTION, MOST_ACTIONS, actions_taken
from runbook_adapters.dynamodb.table import Table
from runbook_engine.model.execution import Effect, Execution, StepState
from runbook_engine.model.incident import Intake
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from tests.contract.journal.samples import NOON, after, execution, incident, opened

FLAG = Target("parameter", "", "", "/checkout/degraded_mode")
CHANGE = Change(target=FLAG, field="value", before="false", after="true")


def effect(at: float = 0, **changes: Any) -> Effect:
    """An effect that was made, so many minutes after noon."""
    fields: dict[str, Any] = {"direction": "do", "change": CHANGE, "key": "k", "status": "done", "written": True}
    return Effect(**(fields | {"begun_at": after(at), "deadline": after(at + 5)} | changes))


def step(*effects: Effect, **changes: Any) -> StepState:
    """A step with these effects."""
    return StepState(name="shed", action="degrade", effects=effects, **changes)


def acted(journal: DynamoJournal, before: Execution, *effects: Effect) -> Execution:
    """Commit that an execution has made these effects."""
    done = msgspec.structs.replace(before, steps=(step(*effects),))
    journal.commit(done, expected_version=before.version, now=NOON)
    return journal.load(before.id)


DO, UNDO = 'degrade /checkout/degraded_mode value "false" -> "true"', "undo degrade /checkout/degraded_mode value"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param((step(effect()),), [DO], id="what was done"),
        pytest.param((step(effect(status="intended", written=False)),), [], id="what is only intended"),
        pytest.param((step(effect(status="failed", written=False)),), [], id="what surely did not happen"),
        pytest.param((step(effect(status="failed")),), [f"{DO} (failed)"], id="what was written and had no effect"),
        pytest.param((step(effect(status="unknown", written=False)),), [f"{DO} (in doubt)"], id="what nobody knows"),
        pytest.param((step(effect(), message_only=True),), [], id="what only tells somebody"),
        pytest.param(
            (step(effect(2)), step(effect(1, change=msgspec.structs.replace(CHANGE, before=None)))),
            ['degrade /checkout/degraded_mode value unset -> "true"', DO],
            id="the oldest first, and what was not there",
        ),
        pytest.param(
            (step(effect(change=msgspec.structs.replace(CHANGE, sensitive=True))),),
            ["degrade /checkout/degraded_mode value (value not shown)"],
            id="what may be a secret",
        ),
        pytest.param(
            (step(effect(), effect(1, direction="undo", change=CHANGE.inverse())),),
            [DO, f'{UNDO} "true" -> "false"'],
            id="what was undone",
        ),
    ],
)
def test_actions_are_told_as_people_read_them(steps: tuple[StepState, ...], said: list[str]) -> None:
    """A line for each effect that reached the world or may have."""
    assert said == actions_taken(execution("a", steps=steps))


def test_actions_stay_short_when_there_are_many_or_long_ones() -> None:
    """The newest are kept, and a line has an end."""
    long = msgspec.structs.replace(CHANGE, after="x" * 5000)
    many = tuple(effect(number, change=long) for number in range(MOST_ACTIONS + 5))

    lines = actions_taken(execution("a", steps=(step(*many),)))

    assert (MOST_ACTIONS, {LONGEST_ACTION}) == (len(lines), {len(line) for line in lines})
    assert lines[0].endswith("...")


def test_one_query_of_an_incident_tells_what_was_done(journal: DynamoJournal, table: Table) -> None:
    """What it is and whether it is over, beside each execution's actions; the lists of the engine stay as they were."""
    journal.record(Intake(incidents=(incident("incident-1"),)))
    first = acted(journal, opened(journal, "a"), effect())
    acted(journal, first, effect(), effect(1, direction="undo", change=CHANGE.inverse()))
    opened(journal, "b")
    stored = journal.incident("incident-1")
    journal.record(Intake(incidents=(msgspec.structs.replace(stored, resolved_at=after(9)),)))

    items = list(table.query(keys.named("INC", "incident-1"), "A", "Z"))

    told = [item["actions_taken"] for item in items if "actions_taken" in item]
    (own,) = [item for item in items if "title" in item]
    assert [[DO, f'{UNDO} "true" -> "false"']] == told
    assert ("Checkout", "critical", "resolved") == (own["title"], own["severity"], own["status"])
    assert {"a", "b"} == {run.id for run in journal.executions(limit=5, incident_id="incident-1")}
    assert {"a", "b"} == {run.id for run in journal.executions(limit=5, runbook="checkout-high-error-rate")}
