"""How long the tests go on: the short form is the gate's, the long one (`make test-long`) is for a night."""

from __future__ import annotations

import os

LONG = os.environ.get("RUNBOOK_TESTS") == "long"
