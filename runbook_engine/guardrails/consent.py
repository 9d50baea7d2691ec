"""Whether anything may be changed at all: the kill switch, the mode, and the installation's ceiling over it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

from runbook_engine.errors import RunbookError
from runbook_engine.guardrails.case import LOOK_AGAIN, Case
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.runbook import MODES, Mode, ModeRule, Runbook
from runbook_engine.model.standing import MOST_ENDS, Standing, standing_of

PAUSE_UNREADABLE_FOR = timedelta(seconds=30)


def kill_switch(case: Case) -> Verdict:
    """Nothing is changed while the engine is paused, or while the pause cannot be read."""
    try:
        pause = case.world.pauses.pause(case.now)
    except RunbookError as error:
        says = f"the kill switch cannot be read: {error}"
        return Verdict(guardrail="pause", ok=False, says=says, until=case.now + PAUSE_UNREADABLE_FOR)
    if pause is None:
        return Verdict(guardrail="pause", ok=True, says="not paused")
    why = f": {pause.reason}" if pause.reason else ""
    says = f"paused by {pause.by} until {pause.until.astimezone(UTC):%H:%M:%S} UTC{why}"
    until = min(pause.until, case.now + LOOK_AGAIN)  # a pause may be lifted early
    return Verdict(guardrail="pause", ok=False, says=says, until=until)


def mode(case: Case) -> Verdict:
    """Below `auto`, a change needs a person's yes to exactly this change."""
    if case.execution.mode == "observe":
        return Verdict(guardrail="mode", ok=False, says="mode observe changes nothing")
    if not case.execution.started_by and MODES.index(case.ceiling) < MODES.index(_needed_mode(case)):
        return Verdict(guardrail="mode", ok=False, says=f"the ceiling of the installation is {case.ceiling} now")
    if case.execution.mode == "auto":
        demoted = _standing(case).says
        return Verdict(guardrail="mode", ok=not demoted, says=demoted or "mode auto")
    return Verdict(guardrail="mode", ok=True, says=f"mode {case.execution.mode}: only what a person approved")


def effective_mode(runbook: Runbook, configuration: Configuration, holds: Callable[[ModeRule], bool]) -> Mode:
    """Return the runbook's mode under the installation's ceiling; no ceiling = propose, no mode = observe."""
    wanted = _first(runbook.mode, holds, otherwise="observe")
    return min(wanted, ceiling_of(configuration, holds), key=MODES.index)


def ceiling_of(configuration: Configuration, holds: Callable[[ModeRule], bool]) -> Mode:
    """Return how far the installation lets any runbook go; absent = propose."""
    return _first(configuration.mode_ceiling, holds, otherwise="propose")


def highest_ceiling(configuration: Configuration) -> Mode:
    """Return how far the installation lets some alert take a runbook; rules after one that always holds never count."""
    rules = configuration.mode_ceiling
    always = next((at for at, rule in enumerate(rules) if not rule.matchers), None)
    modes = [rule.mode for rule in rules[: always + 1]] if always is not None else [*(r.mode for r in rules), "propose"]
    return max(modes, key=MODES.index)


def _standing(case: Case) -> Standing:
    """Return how far the runbook is trusted now; what others of its own group did is for the group to judge."""
    ends = case.ledger.ends(case.runbook.name, case.runbook.digest, MOST_ENDS)
    group = case.execution.group_id
    return standing_of(end for end in ends if not group or end.group_id != group)


def _needed_mode(case: Case) -> Mode:
    """Return the mode that a change of this execution needs: with a person's yes, a proposal is enough."""
    return "auto" if case.execution.mode == "auto" else "propose"


def _first(rules: tuple[ModeRule, ...], holds: Callable[[ModeRule], bool], otherwise: Mode) -> Mode:
    return next((rule.mode for rule in rules if holds(rule)), otherwise)
