"""Planning: what each step would change now, and what every guardrail says of it. Looks, never touches.

The executor prepares its steps with the same functions, so a plan is the run without `apply`.
"""

from runbook_engine.planning.finding import look_up, place
from runbook_engine.planning.foresight import foresee
from runbook_engine.planning.plan import make_plan, refused_plan, say_compensation
from runbook_engine.planning.preparing import prepare_step
from runbook_engine.planning.sight import Sight, case_of, filler

__all__ = [
    "Sight",
    "case_of",
    "filler",
    "foresee",
    "look_up",
    "make_plan",
    "place",
    "prepare_step",
    "refused_plan",
    "say_compensation",
]
