"""Consent: a person's yes to exactly the plans that were shown. There is no way to say yes unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook_engine.engine import SHORTEST_HASH
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import Refused, UsageError
from runbook_engine.errors import StalePlan
from runbook_engine.render.plan import Proposal, changes_of
from runbook_engine.render.wording import count, short

YES = ("y", "yes")


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed to, by whom: hashes of plans and of the changes in them."""

    by: str
    hashes: frozenset[str]

    def covers(self, wanted: str) -> bool:
        """Whether this very plan or change was shown and agreed to."""
        return wanted in self.hashes


def ask_for(proposals: Sequence[Proposal], given: Sequence[str], by: str, desk: Desk) -> Consent:
    """Return a person's yes, from --plan or the terminal. Raises StalePlan, Refused, UsageError."""
    wanted = [proposal for proposal in proposals if proposal.plan.changes and not proposal.plan.blocked]
    if given:
        _demand_shown(wanted, given)
    elif wanted:
        _ask(wanted, desk)
    hashes = {step.change_hash for proposal in wanted for step in proposal.plan.steps if step.change_hash}
    return Consent(by, frozenset(hashes | {proposal.plan.plan_hash for proposal in wanted}))


def confirm(question: str, desk: Desk) -> bool:
    """Return a person's answer; anything but a plain yes is no."""
    desk.stdout.flush()
    desk.stderr.write(f"{question} [y/N] ")
    desk.stderr.flush()
    return desk.stdin.readline().strip().lower() in YES


def _demand_shown(wanted: Sequence[Proposal], given: Sequence[str]) -> None:
    for proposal in wanted:
        whole = proposal.plan.plan_hash
        if not any(len(each) >= SHORTEST_HASH and whole.startswith(each) for each in given):
            raise StalePlan(
                f"the plan of {proposal.plan.runbook} is {short(whole)} now, not {', '.join(given)}: look at it again"
            )


def _ask(wanted: Sequence[Proposal], desk: Desk) -> None:
    if not desk.at_terminal:
        typed = " ".join(f"--plan {short(proposal.plan.plan_hash)}" for proposal in wanted)
        raise UsageError(f"nobody is here to say yes: read the plan, then add {typed}")
    changes = sum(len(changes_of(proposal.plan)) for proposal in wanted)
    up_to = "up to " if changes > 1 and any(proposal.runbook.strategy == "escalate" for proposal in wanted) else ""
    if not confirm(f"Make {up_to}{count(changes, 'change')}?", desk):
        raise Refused("nothing was started: the answer was no")
