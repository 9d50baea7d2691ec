"""What tests of runbooks and actions need: a simulated world, and the runner of RunbookTest files."""

from __future__ import annotations

from runbook_engine.testing.clock import SimulatedClock
from runbook_engine.testing.faults import Touch
from runbook_engine.testing.simulated_ports import Delivered
from runbook_engine.testing.simulated_world import SimulatedWorld

__all__ = ["Delivered", "SimulatedClock", "SimulatedWorld", "Touch"]
