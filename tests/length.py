"""How long the tests go on: the short form is the gate's, the long one (`make test-long`) is for a night."""

from __future__ import annotations

import os

LONG = os.environ.get("RUNBOOK_TESTS") == "long"


def examples(number: int) -> int:
    """Return how many examples a property is tried with: the number by night, a third of it in the gate."""
    return number if LONG else max(10, number // 3)
