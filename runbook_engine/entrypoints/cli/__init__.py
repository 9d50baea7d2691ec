"""The command line: `runbook`, one module for each group of commands. Only the chosen one is imported."""

from runbook_engine.entrypoints.cli.program import main

__all__ = ["main"]
