"""The state machine that drives: one small loop, rendered here and nowhere else.

It knows nothing of runbooks. `python -m runbook_engine.entrypoints.aws_lambda.state_machine` prints it as Terraform
fills it in; the place of the function is its only variable.
"""

from __future__ import annotations

import json
import sys
from typing import Any

FUNCTION = "${drive_function_arn}"
INVOKE = "arn:aws:states:::lambda:invoke"
DRIVE_LIMIT = 300  # seconds, of one call
COUNTED = ("op", "execution_id", "cycle", "told", "owner", "retells", "seconds", "hash", "status", "reason")


def definition(function: str = FUNCTION) -> dict[str, Any]:
    """Return the state machine in the Amazon States Language."""
    return {
        "Comment": "Drives one execution: obeys what the engine says, and decides nothing.",
        "StartAt": "Begin",
        "States": {
            "Begin": _begin(),
            "Drive": _drive(function),
            "Route": _route(),
            "Sleep": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Drive"},
            "Approval": _approval(function),
            "Finished": {"Type": "Succeed"},
            "Lost": {
                "Type": "Fail",
                "Error": "DriverLost",
                "Cause": "The engine could not be called. What it had begun is on record, and the sweep goes on.",
            },
        },
    }


def _begin() -> dict[str, Any]:
    """Bring the event's detail into the shape that every later state has."""
    return {
        "Type": "Pass",
        "Parameters": {"execution_id.$": "$.execution_id", "cycle": 0, "told": 0, "owner": "", "retells": 0},
        "Next": "Drive",
    }


def _drive(function: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {
            "FunctionName": function,
            "Payload": {
                "op": "drive",
                "execution_id.$": "$.execution_id",
                "driver.$": "$$.Execution.Id",
                "cycle.$": "$.cycle",
                "attempt.$": "$$.State.RetryCount",
                "told.$": "$.told",
                "owner.$": "$.owner",
                "retells.$": "$.retells",
            },
        },
        "ResultSelector": {f"{name}.$": f"$.Payload.{name}" for name in COUNTED},
        "TimeoutSeconds": DRIVE_LIMIT,
        "Retry": [_again(8)],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Lost"}],
        "Next": "Route",
    }


def _route() -> dict[str, Any]:
    ways = {"next": "Drive", "wait": "Sleep", "approve": "Approval", "done": "Finished", "handover": "Finished"}
    return {
        "Type": "Choice",
        "Choices": [{"Variable": "$.op", "StringEquals": op, "Next": state} for op, state in ways.items()],
        "Default": "Lost",
    }


def _approval(function: str) -> dict[str, Any]:
    """Wait for an answer. Whatever wakes it, or whether it is too late, is for the engine to tell."""
    return {
        "Type": "Task",
        "Resource": f"{INVOKE}.waitForTaskToken",
        "Parameters": {
            "FunctionName": function,
            "Payload": {
                "op": "await_approval",
                "execution_id.$": "$.execution_id",
                "driver.$": "$$.Execution.Id",
                "hash.$": "$.hash",
                "token.$": "$$.Task.Token",
            },
        },
        "TimeoutSecondsPath": "$.seconds",
        "ResultPath": None,
        "Retry": [_again(3, but=("States.Timeout",))],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Drive"}],
        "Next": "Drive",
    }


def _again(attempts: int, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Try again whatever went wrong: the engine goes on from what it has recorded."""
    return {
        "ErrorEquals": ["States.TaskFailed"] if but else ["States.ALL"],
        "IntervalSeconds": 1,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": 60,
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def main() -> None:
    """Print the definition."""
    sys.stdout.write(json.dumps(definition(), indent=2) + "\n")


if __name__ == "__main__":
    main()
