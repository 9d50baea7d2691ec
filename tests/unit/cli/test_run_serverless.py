"""`runbook run NAME --target function=...`: where a function is that a person names."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.unit.cli.desks import Stream

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
adapters:
  functions: [{adapter: lambda, place: europe}, {adapter: lambda, place: asia}]
receivers: {chat: {adapter: console}}
teams: {team-orders: {receiver: chat}}
targets: ["function=orders*"]
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: orders-errors, owner: team-orders}
matchers: [alertname = OrdersErrors]
inputs: {place: {type: place, from: alert.labels.place}}
target: {function: orders, alias: live, place: "{{ inputs.place }}"}
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: back, action: rollback, with: {to: previous}}
"""


@pytest.mark.parametrize(
    "given",
    [pytest.param((), id="no place"), pytest.param(("--input", "place=america"), id="a place that no adapter serves")],
)
def test_a_place_that_is_not_clear_is_asked_for(
    given: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at anywhere before that."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "orders.yaml").write_text(RUNBOOK)
    (tmp_path / "runbooks" / "engine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    err = Stream()
    desk = Desk(stdin=Stream(), stdout=Stream(), stderr=err, environment={"NO_COLOR": "1", "RUNBOOK_OPERATOR": "ann"})
    argv = ("run", "orders-errors", "--target", "function=orders:live", "--reason", "errors", *given)

    code = main(argv, desk)

    assert code == 2
    assert "the target's place is not clear: add --input place=NAME, one of europe, asia" in err.getvalue()
