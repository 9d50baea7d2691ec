"""The sandbox's function: healthy, or failing because FAIL_MODE says so.

Nothing is random and nothing is slow, so that an incident has one cause and one beginning.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping


class FailModeError(RuntimeError):
    """FAIL_MODE is true: this failure was asked for."""


def lambda_handler(event: Mapping[str, object], context: object) -> dict[str, object]:
    """Answer a request of API Gateway with the function's health, or raise when FAIL_MODE is true."""
    if is_true(os.environ.get("FAIL_MODE", "false")):
        raise FailModeError("FAIL_MODE is true: this function fails on purpose (set it to false to heal it)")
    health = {
        "status": "healthy",
        "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"),
        "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "local"),
        "revision": os.environ.get("REVISION", "unknown"),
    }
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(health),
    }


def is_true(text: str) -> bool:
    """Return whether a setting says true; all but true and false, in any case, is a mistake and is not guessed at."""
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"FAIL_MODE is {text!r}: it must be true or false")
    return word == "true"
