"""The machine: pure functions from an execution and what happened to what to do next.

`next_move` looks at an execution and says what to do; `evolve` takes what happened and returns the next
version. Nothing here reads a clock, a port or a file, so every path can be tried in a table.
"""

from runbook_engine.machine.audit import audit_record
from runbook_engine.machine.evolve import evolve
from runbook_engine.machine.next_move import next_move
from runbook_engine.machine.opening import open_execution

__all__ = ["audit_record", "evolve", "next_move", "open_execution"]
