"""A simulated function with three published versions and an alias on the newest."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.model.observation import Revision
from runbook_engine.ports import FunctionReader, FunctionWriter
from runbook_engine.testing import SimulatedWorld

VERSIONS = tuple(Revision(number=number) for number in (3, 2, 1))
A_WHILE = timedelta(minutes=1)


class SimulatedFunctionsRig:
    """The functions of a simulated world."""

    def __init__(self) -> None:
        self._simulated = SimulatedWorld()
        self.target = self._simulated.add_function("orders", aliases={"live": 3}, versions=VERSIONS)
        self.reader: FunctionReader = self._simulated.functions
        self.writer: FunctionWriter = self._simulated.functions

    def settle(self) -> None:
        """Push the clock until whatever was updated is so."""
        self._simulated.clock.push(A_WHILE)
