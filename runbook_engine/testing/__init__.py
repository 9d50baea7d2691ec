"""What tests of runbooks, actions and adapters need: a simulated world, and the runner of RunbookTest files.

Loaded on first use, since the pytest plugin is imported in every test session of an installation.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_engine.testing.clock import SimulatedClock
    from runbook_engine.testing.faults import Touch
    from runbook_engine.testing.memory_journal import MemoryJournal
    from runbook_engine.testing.runner import TestResult, run_test_file
    from runbook_engine.testing.simulated_ports import Delivered
    from runbook_engine.testing.simulated_world import SimulatedWorld

__all__ = ["Delivered", "MemoryJournal", "SimulatedClock", "SimulatedWorld", "TestResult", "Touch", "run_test_file"]

_PLACES = {
    "Delivered": "simulated_ports",
    "MemoryJournal": "memory_journal",
    "SimulatedClock": "clock",
    "SimulatedWorld": "simulated_world",
    "TestResult": "runner",
    "Touch": "faults",
    "run_test_file": "runner",
}


def __getattr__(name: str) -> Any:
    """Return a public name, importing the module that defines it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
