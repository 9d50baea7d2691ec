"""What a person does to a run, and to all of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.model.incident import Intake
from runbook_engine.model.runbook import Approval, Compensate
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, runbook
from tests.unit.cli.desks import Sitting

ASKS = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)))
UNDRIVEN = "warning: recorded, but nobody drives executions now: start runbook serve\n"


@pytest.fixture
def asking(tmp_path: Path) -> Sitting:
    """A run that asks for its second step."""
    sitting = Sitting(tmp_path, runbook(steps=(DEGRADE, ASKS)))
    sitting.rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    sitting.rig.fire()
    sitting.rig.run(3 * MINUTE)
    return sitting


def _identity(sitting: Sitting) -> str:
    return sitting.rig.execution().id[:8]


def _plan(sitting: Sitting) -> str:
    approval = sitting.rig.execution().approval
    assert approval is not None
    return approval.hash[:8]


def test_approve_lets_exactly_that_change_happen(asking: Sitting) -> None:
    """In the name of whoever typed it, with the reason."""
    identity, plan = _identity(asking), _plan(asking)

    result = asking.run("approve", identity, "--plan", plan, "--reason", "looks right")
    asking.rig.run(MINUTE)

    assert 0 == result.code
    said = f"approved by ann: exactly plan {plan}"
    assert f"{identity}  checkout-high-error-rate on apps/deployment/checkout  {said}\n" == result.out
    assert 6 == asking.rig.replicas()
    assert f"ann approved plan {plan} (looks right)" in asking.rig.says()


def test_approve_of_another_plan_is_refused(asking: Sitting) -> None:
    """The world moved, or somebody mistyped: look again."""
    result = asking.run("approve", _identity(asking), "--plan", "deadbeef")

    assert (1, "") == (result.code, result.out)
    assert f"runbook: the plan is {_plan(asking)} now, not deadbeef: look at it again\n" == result.err


def test_approve_by_somebody_else_is_refused(asking: Sitting) -> None:
    """Only the team answers."""
    asking.operator = "mallory"

    result = asking.run("approve", _identity(asking), "--plan", _plan(asking))

    assert 1 == result.code
    assert "runbook: mallory is not in team-checkout, which must answer: ann\n" == result.err


def test_deny_ends_the_run_without_the_change(asking: Sitting) -> None:
    """What was done before stays."""
    assert 0 == asking.run("deny", _identity(asking)).code
    asking.rig.run(MINUTE)

    assert "cancelled" == asking.rig.execution().status
    assert 4 == asking.rig.replicas()


def test_deny_of_another_plan_is_refused(asking: Sitting) -> None:
    """What was read is not what is asked for now, so a no to it is no answer to this."""
    result = asking.run("deny", _identity(asking), "--plan", "deadbeef")

    assert (1, "") == (result.code, result.out)
    assert f"runbook: the plan is {_plan(asking)} now, not deadbeef: look at it again\n" == result.err


def test_deny_of_exactly_one_plan_says_which(asking: Sitting) -> None:
    """And is bound to it, whatever is asked by the time it is heard."""
    plan = _plan(asking)

    result = asking.run("deny", _identity(asking), "--plan", plan)
    asking.rig.run(MINUTE)

    assert 0 == result.code
    assert f"denied by ann: exactly plan {plan}, it ends without this change\n" in result.out
    (signal,) = [each for each in asking.rig.journal.signals(asking.rig.execution().id, 0) if each.kind == "denied"]
    assert signal.plan_hash.startswith(plan)
    assert "cancelled" == asking.rig.execution().status


@pytest.mark.parametrize(
    ("command", "how", "flag", "status"),
    [
        pytest.param("cancel", "--keep", "true", "cancelled", id="cancel and keep"),
        pytest.param("cancel", "--undo", "false", "cancelled", id="cancel and undo"),
        pytest.param("takeover", "--keep", "true", "handed_over", id="take over and keep"),
        pytest.param("takeover", "--undo", "false", "handed_over", id="take over and undo"),
    ],
)
def test_a_person_stops_a_run(asking: Sitting, command: str, how: str, flag: str, status: str) -> None:
    """And says what becomes of its changes."""
    result = asking.run(command, _identity(asking), how, "--format", "json")
    asking.rig.run(MINUTE)

    assert 0 == result.code
    assert asking.rig.execution().id == result.record["execution"]["id"]
    assert (flag, status) == (asking.rig.flag(), asking.rig.execution().status)


def test_keep_and_undo_exclude_each_other(asking: Sitting) -> None:
    """A person says one of them."""
    result = asking.run("cancel", _identity(asking), "--keep", "--undo")

    assert 2 == result.code
    assert "runbook: argument --undo: not allowed with argument --keep (see runbook cancel --help)\n" == result.err


def test_a_person_hears_that_nobody_drives(asking: Sitting) -> None:
    """Recorded is not done."""
    result = asking.run("deny", _identity(asking))

    assert UNDRIVEN == result.err


def test_a_person_hears_nothing_while_the_runner_goes_round(asking: Sitting) -> None:
    """Its heartbeat is fresh."""
    folder = asking.folder / "state" / "serve"
    folder.mkdir()
    write_heartbeat(folder / "worker.json", Heartbeat(at=asking.rig.now, pid=1, owner="w"))

    assert "" == asking.run("deny", _identity(asking)).err


def test_pause_stops_every_change_until_resume(tmp_path: Path) -> None:
    """The kill switch, with who threw it and why."""
    sitting = Sitting(tmp_path)
    sitting.rig.healed_by_flag()

    paused = sitting.run("pause", "--for", "30m", "--reason", "deploy")
    sitting.rig.fire()
    sitting.rig.run(MINUTE)

    assert "paused for 30m, until 09:30:00 UTC: no change starts anywhere\n  runbook resume ends it\n" == paused.out
    assert "false" == sitting.rig.flag()
    assert "Engine: PAUSED by ann until 09:30:00 UTC (deploy); runbook resume ends it" in sitting.run().out

    resumed = sitting.run("resume")
    sitting.rig.run(30 * MINUTE, step=timedelta(seconds=10))

    assert "not paused: changes may start again\n" == resumed.out
    assert "true" == sitting.rig.flag()


def test_pause_and_resume_as_records(tmp_path: Path) -> None:
    """For scripts."""
    sitting = Sitting(tmp_path)

    paused = sitting.run("pause", "--for", "1h30m", "--format", "json").record
    resumed = sitting.run("resume", "--format", "json").record

    assert {"paused_until": "2026-01-05T10:30:00Z", "by": "ann", "reason": ""} == paused
    assert {"paused_until": None} == resumed


def test_an_id_that_begins_several_is_refused(tmp_path: Path) -> None:
    """It is asked for more of it, never a guess."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire()
    execution = sitting.rig.execution()
    twin = msgspec.structs.replace(execution, id=execution.id[:8] + "00000000", slot="another")
    sitting.rig.journal.record(Intake(opened=(twin,)))

    result = sitting.run("executions", execution.id[:6])

    assert 2 == result.code
    assert result.err.startswith(f"runbook: {execution.id[:6]} begins 2 ids, ")
    assert result.err.endswith(": type more of it\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("cancel", "asked by ann to cancel it", id="cancel"),
        pytest.param("takeover", "asked by ann to hand it over", id="take over"),
    ],
)
@pytest.mark.parametrize(
    ("how", "ours"),
    [
        pytest.param("--undo", "what was changed will be undone, while it is still ours", id="undo"),
        pytest.param("--keep", "what was changed will stay", id="keep"),
    ],
)
def test_a_person_hears_what_will_happen(asking: Sitting, command: str, said: str, how: str, ours: str) -> None:
    """Nothing of it is done yet."""
    kept = "; no other run changes it until 13:03:00 UTC, or runbook release"
    ending = kept if (command, how) == ("takeover", "--keep") else ""

    assert asking.run(command, _identity(asking), how).out.endswith(f"  {said}: {ours}{ending}\n")


@pytest.mark.parametrize("command", ["cancel", "takeover"])
def test_a_person_hears_what_will_not_be_undone(tmp_path: Path, command: str) -> None:
    """Nor does the run say afterwards that all of it was."""
    forever = msgspec.structs.replace(ASKS, approval=None, compensate=Compensate(when="never"))
    sitting = Sitting(tmp_path, runbook(steps=(DEGRADE, forever)))
    sitting.rig.errors(lambda world: 0.12)
    sitting.rig.fire()
    sitting.rig.run(2 * MINUTE + timedelta(seconds=15))
    assert sitting.rig.execution().steps[1].stands, sitting.rig.says()

    asked = sitting.run(command, _identity(sitting), "--undo")
    sitting.rig.run(MINUTE)

    assert asked.out.endswith(
        "what was changed will be undone, while it is still ours; apps/deployment/checkout replicas 4 -> 6 stays: "
        "cannot be undone\n"
    )
    listed = " ".join(sitting.run("executions").out.split())
    assert "changes undone, save add-capacity, which cannot be undone" in listed


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("cancel", "nothing to cancel", id="cancel"),
        pytest.param("takeover", "nothing to take over", id="take over"),
    ],
)
@pytest.mark.parametrize("how", ["--undo", "--keep"])
def test_a_run_that_is_over_and_holds_nothing_is_not_stopped(
    asking: Sitting, command: str, said: str, how: str
) -> None:
    """The word would change nothing, so it is not recorded."""
    asking.run("cancel", _identity(asking), "--undo")
    asking.rig.run(MINUTE)

    result = asking.run(command, _identity(asking), how)

    ended = "it ended as cancelled: cancelled by ann, undoing what was changed"
    assert (1, "", f"runbook: {said}: {ended}\n") == (result.code, result.out, result.err)


def test_what_was_kept_may_still_be_undone(asking: Sitting) -> None:
    """The run is over, its change stands."""
    asking.run("cancel", _identity(asking), "--keep")
    asking.rig.run(MINUTE)

    again = asking.run("cancel", _identity(asking), "--keep")
    undone = asking.run("cancel", _identity(asking), "--undo")
    asking.rig.run(MINUTE)

    assert (1, 0) == (again.code, undone.code)
    assert "false" == asking.rig.flag()


def test_a_pause_over_midnight_says_its_date(tmp_path: Path) -> None:
    """A time of day alone would be today's."""
    sitting = Sitting(tmp_path)

    paused = sitting.run("pause", "--for", "7d")

    assert paused.out.startswith("paused for 7d, until 2026-01-12 09:00 UTC: no change starts anywhere\n")
    assert "PAUSED by ann until 2026-01-12 09:00 UTC; " in sitting.run().out
