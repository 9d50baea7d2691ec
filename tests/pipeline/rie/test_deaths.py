"""The process of the driving function ends for real, anywhere: the state machine goes on, each change is made once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from runbook_engine.model.audit import AuditRecord
from tests.crash.invariants import assert_chained
from tests.pipeline.installation import CONFIG, SHED, Installation
from tests.pipeline.rie.deployed import Deployed

Deploy = Callable[..., Deployed]
LONG = os.environ.get("RUNBOOK_CRASH") == "long"
PATIENCE = 120.0  # real seconds
LEASE_AND_MORE = timedelta(minutes=2)
HELD = timedelta(minutes=15)  # longer than the runbook holds a change
BRAKE = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: brake, owner: team-checkout, summary: Brake the worker until the alert has resolved.}
matchers: [alertname = CheckoutHighErrorRate]
target: {function: worker}
mode: auto
strategy: sequence
guardrails: {cooldown: 10m, deadline: 2h}
steps:
  - name: brake
    action: throttle
    with: {concurrency: 5}
    compensate: {when: resolved, holdFor: 10m, onRefire: keep}
"""
FUNCTIONS = CONFIG.replace("  pause:", "  functions: {adapter: lambda}\n  pause:").replace(
    'targets: ["', 'targets: ["function=*", "'
)


@dataclass(frozen=True)
class Case:
    """A runbook, and what an undisturbed run does to its target."""

    name: str
    runbook: str
    config: str
    writes: tuple[str, ...]
    counted: Callable[[Installation], tuple[str, ...]]  # as the account has them


def _values(installed: Installation) -> tuple[str, ...]:
    return tuple(installed.writes()[1:])


def _brakes(installed: Installation) -> tuple[str, ...]:
    """Return what was called; a change that is there already is not made again."""
    calls = {name: installed.aws.calls("lambda", name) for name in ("PUT", "DELETE")}
    return tuple(f"{count} {name}" for name, count in calls.items())


DEGRADE = Case("degrade a parameter", SHED, CONFIG, ("true", "false"), _values)
THROTTLE = Case("throttle a function", BRAKE, FUNCTIONS, ("1 PUT", "1 DELETE"), _brakes)


@pytest.mark.parametrize(
    ("killed", "calls", "outcome"),
    [
        pytest.param("", 1, "done: written", id="never"),
        pytest.param("before-intent", 3, "done: written", id="before the intent"),
        pytest.param("after-intent", 3, "done: written", id="after the intent, before the change"),
        pytest.param("after-apply", 3, "noop: noop, already so", id="after the change, before its outcome"),
        pytest.param("before-answer", 2, "done: written", id="after the outcome, before the answer"),
    ],
)
def test_a_change_is_made_once_when_the_process_ends(deploy: Deploy, killed: str, calls: int, outcome: str) -> None:
    """The table of docs/aws.md, row by row: the call that follows a death waits until the lease of the dead is over."""
    deployed = deploy(runbooks=(SHED,))
    installed, driving = deployed.installed, deployed.run_mortal("drive")["drive"]
    deployed.die_at(killed)

    installed.post(installed.fires())
    deployed.aws.advance(LEASE_AND_MORE, PATIENCE)

    errors = [call.error["errorType"] for call in driving.invocations if call.error]
    assert errors == (["Runtime.ExitError"] if killed else [])
    assert installed.writes() == ["false", "true"]
    trail = installed.host(acts=False).engine.journal.audit(installed.execution().id)
    outcomes = [_outcome(record) for record in trail if record.event == "applied"]
    assert (calls, [outcome]) == (len(driving.invocations), outcomes)
    assert_chained(installed.execution(), trail)


@pytest.mark.skipif(not LONG, reason="the long form (make crash-cloud-long)")
@pytest.mark.parametrize("case", [DEGRADE, THROTTLE], ids=lambda case: case.name)
def test_a_change_is_made_and_undone_once_wherever_the_process_ends(deploy: Deploy, case: Case) -> None:
    """One death at every place that an undisturbed run passes, from the first call to the end of the undoing."""
    undisturbed = _play(deploy, case, "")
    assert undisturbed.writes == case.writes

    for number, name in enumerate(undisturbed.places, 1):
        played = _play(deploy, case, str(number))

        place = f"killed at {number} ({name})"
        assert played.errors == ("Runtime.ExitError",), place
        assert (case.writes, "succeeded", "undone") == (played.writes, played.status, played.compensation), place


@dataclass(frozen=True)
class Played:
    """What came of one run."""

    places: tuple[str, ...]
    errors: tuple[str, ...]
    writes: tuple[str, ...]
    status: str
    compensation: str


def _play(deploy: Deploy, case: Case, death: str) -> Played:
    """Let an alert come and go, with one death on the way."""
    deployed = deploy(runbooks=(case.runbook,), config=case.config)
    installed, driving = deployed.installed, deployed.run_mortal("drive")["drive"]
    deployed.aws.function("worker", lambda event, context: None)
    deployed.die_at(death)
    alert = installed.fires()

    installed.post(alert)
    deployed.aws.advance(LEASE_AND_MORE, PATIENCE)
    installed.post(installed.resolved(alert))
    deployed.aws.advance(HELD, PATIENCE)

    execution = installed.execution()
    assert_chained(execution, installed.host(acts=False).engine.journal.audit(execution.id))
    return Played(
        places=tuple(deployed.places),
        errors=tuple(call.error["errorType"] for call in driving.invocations if call.error),
        writes=case.counted(installed),
        status=execution.status,
        compensation=execution.compensation,
    )


def _outcome(record: AuditRecord) -> str:
    return f"{record.detail['outcome']}: {record.says.partition(': ')[2]}"
