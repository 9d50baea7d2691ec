"""A case: all that guardrails judge by, and the sentences in which they say that they cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.errors import Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.guardrails.looks import Looks
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.ports import Ledger, World

Holds = Callable[[tuple[Matcher, ...]], bool]  # whether all of these hold for the alert of the execution
LOOK_AGAIN = timedelta(seconds=5)  # when a passing no, whose end nobody can tell, is asked again


def untold(matchers: tuple[Matcher, ...]) -> bool:
    """Return never: who judges without being told what the alert is, cannot tell. Raises Permanent."""
    raise Permanent(f"nobody can tell whether the alert has {matchers[0].text or matchers[0].name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that guardrails judge by: one change of one execution, now."""

    execution: Execution
    runbook: Runbook
    configuration: Configuration
    change: Change
    world: World
    ledger: Ledger
    now: datetime
    fill: Callable[[str], str]
    ceiling: Mode  # the installation's, now: it may be lower than when the execution was opened
    holds: Holds = untold
    looks: Looks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        object.__setattr__(self, "looks", Looks(self.world))

    def unread(self, guardrail: str, what: str, error: RunbookError) -> Verdict:
        """Return the no of a guardrail that cannot read what it judges by; it may be readable in a moment."""
        until = self.now + LOOK_AGAIN if isinstance(error, Unreadable | Retryable) else None
        return Verdict(guardrail=guardrail, ok=False, says=f"{what} cannot be read: {error}", until=until)


Guardrail = Callable[[Case], Verdict]
