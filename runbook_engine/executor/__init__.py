"""The executor: drives an execution one step at a time. The only caller of `apply`."""

from runbook_engine.executor.drive import drive
from runbook_engine.executor.tools import Tools

__all__ = ["Tools", "drive"]
