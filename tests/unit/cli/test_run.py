"""`runbook run`: the plan, the question, the run with its progress, and the end that a script sees."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_engine.model.runbook import Approval, ModeRule
from tests.scenario.rig import DEGRADE, FLAG, SCALE, configuration, runbook
from tests.unit.cli.desks import Sitting

ASKS = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)))


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody at a desk; the flag heals."""
    made = Sitting(tmp_path)
    made.rig.healed_by_flag()
    return made


def _alert(sitting: Sitting) -> tuple[str, str]:
    return "--alert", str(sitting.alert_file)


def _by_hand(*more: str) -> tuple[str, ...]:
    return "run", "checkout-high-error-rate", "--reason", "errors seen", *more


def test_a_person_reads_the_plan_says_yes_and_watches(sitting: Sitting) -> None:
    """The plan first, then the question, then every line as it happens, then the end."""
    result = sitting.run("run", *_alert(sitting), typed="y\n", terminal=True)

    assert 0 == result.code
    assert "Make up to 2 changes? [y/N] " == result.err
    plan = result.out.index("Plan e82c593c: up to 2 changes")
    change = result.out.index("shed-optional-features: is about to change")
    end = result.out.index("succeeded, changes held")
    assert plan < change < end
    assert 1 == result.out.count("is about to change")
    assert "true" == sitting.rig.flag()


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "yep\n"], ids=["no", "nothing", "end of input", "almost yes"])
def test_anything_but_yes_is_no(sitting: Sitting, typed: str) -> None:
    """Nothing is touched, and nothing is taken in."""
    result = sitting.run("run", *_alert(sitting), typed=typed, terminal=True)

    assert 1 == result.code
    assert result.err.endswith("runbook: nothing was started: the answer was no\n")
    assert () == sitting.rig.simulated.effects_made
    assert () == sitting.rig.journal.executions(limit=1)


def test_a_script_names_the_plan_that_it_has_read(sitting: Sitting) -> None:
    """The first characters of its hash are enough; progress is for terminals only."""
    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c")

    assert (0, "") == (result.code, result.err)
    assert "succeeded, changes held" in result.out
    assert "Timeline of 2026-01-05 (UTC)" in result.out


def test_a_dry_run_only_shows_the_plan(sitting: Sitting) -> None:
    """In JSON too: plans, and no execution."""
    text = sitting.run("run", *_alert(sitting), "--dry-run")
    record = sitting.run("run", *_alert(sitting), "--dry-run", "--format", "json").record

    assert (0, "") == (text.code, text.err)
    assert text.out.endswith("Nothing was changed.\n")
    assert ([], 1) == (record["executions"], len(record["plans"]))
    assert () == sitting.rig.simulated.effects_made


def test_what_does_not_help_ends_as_a_no(sitting: Sitting) -> None:
    """Exit 1: unresolved."""
    sitting.rig.errors(lambda world: 0.12)

    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c", "--format", "json")

    assert 1 == result.code
    assert ["unresolved"] == [execution["status"] for execution in result.record["executions"]]


def test_a_blocked_plan_starts_nothing(tmp_path: Path) -> None:
    """Exit 1, and the reason."""
    sitting = Sitting(tmp_path, settings=configuration(targets=("deployment=apps/*",)))
    sitting.rig.healed_by_flag()

    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c")

    assert 1 == result.code
    assert (
        "runbook: nothing was started: shed-optional-features: "
        "parameter=/checkout/degraded_mode is not in the targets of engine.yaml\n"
    ) == result.err
    assert () == sitting.rig.journal.executions(limit=1)


def test_a_plan_below_auto_is_approved_by_the_yes_that_was_given(tmp_path: Path) -> None:
    """One question, not two: the very plan that was shown."""
    sitting = Sitting(tmp_path, settings=configuration(mode_ceiling=(ModeRule(mode="propose"),)))
    sitting.rig.healed_by_flag()

    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c", "--format", "json")

    assert 0 == result.code
    assert "ann approved plan e82c593c (runbook run)" in sitting.rig.says()


def test_a_yes_of_somebody_who_may_not_say_it_is_refused(tmp_path: Path) -> None:
    """The team must answer; the run waits for it."""
    sitting = Sitting(tmp_path, settings=configuration(mode_ceiling=(ModeRule(mode="propose"),)))
    sitting.rig.healed_by_flag()
    sitting.operator = "mallory"

    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c")

    assert 1 == result.code
    assert "runbook: mallory is not in team-checkout, which must answer: ann\n" == result.err
    assert () == sitting.rig.simulated.effects_made


def test_a_change_that_was_not_shown_is_asked_for_again(tmp_path: Path) -> None:
    """A script leaves it to a person, with the command that answers."""
    sitting = Sitting(tmp_path, runbook(steps=(DEGRADE, ASKS)))
    sitting.rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    plan = sitting.run("plan", *_alert(sitting), "--format", "json").record["plans"][0]["plan_hash"]
    checkout = sitting.rig.target()
    moved = {"done": False}

    def somebody_scales(world: object) -> float:
        if not moved["done"] and sitting.rig.flag() == "true":
            moved["done"] = True
            sitting.rig.simulated.edit_replicas(checkout, 5, by="bob")
        return 0.08

    sitting.rig.errors(somebody_scales)

    result = sitting.run("run", *_alert(sitting), "--plan", plan)

    execution = sitting.rig.execution()
    assert execution.approval is not None
    assert 1 == result.code
    assert "awaiting approval" in result.out
    command = f"runbook approve {execution.id[:8]} --plan {execution.approval.hash[:8]}"
    assert f"checkout-high-error-rate asks team-checkout until 09:12:00 UTC: {command}\n" == result.err


def test_a_person_is_asked_about_a_change_that_was_not_shown(tmp_path: Path) -> None:
    """The change stands before the question."""
    sitting = Sitting(tmp_path, runbook(steps=(DEGRADE, ASKS)))
    sitting.rig.healed_by_flag()
    sitting.rig.simulated.set_parameter(FLAG, "true")
    sitting.rig.errors(lambda world: 0.12)
    shown = sitting.run("plan", *_alert(sitting)).out

    result = sitting.run("run", *_alert(sitting), typed="y\ny\n", terminal=True)

    assert "1 approval" in shown
    assert "Make 1 change? [y/N] " in result.err
    assert 6 == sitting.rig.replicas()


def test_an_alert_whose_target_is_taken_opens_no_second_run(sitting: Sitting) -> None:
    """It says which execution has it."""
    sitting.run("run", *_alert(sitting), "--plan", "e82c593c")
    sitting.rig.simulated.push(timedelta(seconds=1))
    holder = sitting.rig.execution().id[:8]

    result = sitting.run("run", *_alert(sitting), typed="y\n", terminal=True)

    assert 1 == result.code
    assert (
        f"runbook: nothing was started: execution {holder} of checkout-high-error-rate already has "
        f"apps/deployment/checkout (runbook executions {holder} shows it)\n"
    ) == result.err.replace("\n", " ").strip() + "\n"


def test_an_alert_without_a_runbook_starts_nothing(sitting: Sitting) -> None:
    """That is no error."""
    result = sitting.run("run", "--alert", "-", typed='{"labels": {"alertname": "Other"}}')

    assert (0, "") == (result.code, result.out)
    assert "no runbook matches Other: runbook explain says why\n" == result.err


def test_a_resolved_alert_starts_nothing(sitting: Sitting) -> None:
    """Only a firing one does."""
    body = '{"labels": {"alertname": "CheckoutHighErrorRate"}, "status": "resolved", "endsAt": "2026-01-05T09:00:00Z"}'

    result = sitting.run("plan", "--alert", "-", typed=body)

    assert (0, "") == (result.code, result.out)
    assert "CheckoutHighErrorRate is resolved: only a firing alert starts a runbook\n" == result.err


def test_by_hand_a_person_names_the_runbook_and_the_reason(sitting: Sitting) -> None:
    """The reason and the name stand in the record; what was changed is held until a person decides."""
    result = sitting.run(*_by_hand("--target", "deployment=apps/checkout"), typed="y\n", terminal=True)

    assert 0 == result.code
    execution = sitting.rig.execution()
    assert ("ann", "errors seen") == (execution.started_by, execution.alert.name)
    assert f"until you say: runbook cancel {execution.id[:8]} --undo (or --keep)" in sitting.run().out


def test_by_hand_with_the_plan_of_a_dry_run(sitting: Sitting) -> None:
    """What was read is what runs."""
    plan = sitting.run(*_by_hand("--dry-run", "--format", "json")).record["plans"][0]["plan_hash"]

    result = sitting.run(*_by_hand("--plan", plan, "--format", "json"))

    assert 0 == result.code
    assert ["succeeded"] == [execution["status"] for execution in result.record["executions"]]


def test_by_hand_on_a_target_outside_the_allow_list(sitting: Sitting) -> None:
    """A person may not do what the installation forbids."""
    result = sitting.run(*_by_hand("--target", "deployment=payments/ledger", "--plan", "0000"))

    assert 0 != result.code
    assert () == sitting.rig.simulated.effects_made


def test_an_interrupt_leaves_the_run_to_the_runner(sitting: Sitting) -> None:
    """Ctrl-C stops the watching, and says who goes on."""

    def interrupt(world: object) -> float:
        if sitting.rig.flag() == "true":
            raise KeyboardInterrupt
        return 0.12

    sitting.rig.errors(interrupt)

    result = sitting.run("run", *_alert(sitting), "--plan", "e82c593c")

    assert 130 == result.code
    execution = sitting.rig.execution().id
    goes_on = "runbook serve takes it up from here; stop it with runbook cancel ID --keep or --undo"
    assert f"{execution}: left as it is. {goes_on}\n" == result.err
