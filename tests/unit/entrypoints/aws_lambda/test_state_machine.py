"""The state machine is well formed, obeys every word that the driver says, and is the one that Terraform deploys."""

import json
from pathlib import Path

from statelint.linter import Linter

from runbook_engine.entrypoints.aws_lambda.driving import Asked, _reply
from runbook_engine.entrypoints.aws_lambda.state_machine import COUNTED, definition

DRIVE = "arn:aws:lambda:eu-west-1:123456789012:function:drive"
DEPLOYED = Path(__file__).parents[4] / "terraform" / "modules" / "runbook_engine" / "driver.asl.json"


def test_the_linter_of_the_states_language_has_nothing_to_say() -> None:
    """No dangling state, no path or field that the language does not know."""
    assert Linter.validate(definition(DRIVE)) == []


def test_the_linter_would_see_a_state_that_leads_nowhere() -> None:
    """What finds nothing in ours finds what is wrong in another."""
    broken = definition(DRIVE)
    broken["States"]["Sleep"]["Next"] = "Nowhere"

    assert any("Nowhere" in problem for problem in Linter.validate(broken))


def test_every_field_that_a_path_reads_is_in_every_answer() -> None:
    """A path that finds nothing ends a run of the state machine, so nothing is ever left out."""
    answer = _reply(Asked(execution_id="e", driver="d"), "next")

    assert set(answer) == set(COUNTED)


def test_every_word_of_the_driver_leads_somewhere() -> None:
    """Each directive has its state, and what is not known ends loudly."""
    route = definition()["States"]["Route"]

    assert {choice["StringEquals"] for choice in route["Choices"]} == {"next", "wait", "approve", "done", "handover"}
    assert route["Default"] == "Lost"


def test_what_is_deployed_is_what_is_rendered() -> None:
    """The committed definition is the rendered one (write it with: make state-machine)."""
    assert json.loads(DEPLOYED.read_text()) == definition()
