"""`runbook demo`: a real incident on this machine, remediated before your eyes.

A real service with real traffic, a real fault, a real alert, the shipped runbook. Nothing is scripted but the
fault: what is printed is what happened.
"""

from runbook_engine.entrypoints.demo.story import run

__all__ = ["run"]
