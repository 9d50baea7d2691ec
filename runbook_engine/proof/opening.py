"""The opening, decided again: the stored alert against the stored runbook's matchers, and how far it may go.

The ceiling of the installation at that time is not kept, so a run may go less far than its runbook, and never further.
"""

from __future__ import annotations

from runbook_engine.matching.explain import explain, explain_labels
from runbook_engine.matching.meta import labels_of
from runbook_engine.model.execution import Execution
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import MODES, Mode, Runbook


def opening_differs(opened: Execution, runbook: Runbook) -> tuple[str, str] | None:
    """Return what was recorded and what comes out now; None when it would be opened again. By hand, nothing matches."""
    if opened.started_by:
        return None
    for clause in explain(opened.alert, runbook.matchers).clauses:
        if not clause.ok:
            has = f'{clause.matcher.name}="{clause.actual}"' if clause.actual is not None else "no such label"
            now = f"{_say(clause.matcher)} does not hold, the alert has {has}"
            return f"the alert {opened.alert.name} matched", now
    own = _own_mode(opened, runbook)
    if MODES.index(own) < MODES.index(opened.mode):
        return f"mode {opened.mode}", f"mode {own} is all that the runbook allows for this alert"
    return None


def _say(matcher: Matcher) -> str:
    return matcher.text or f"{matcher.name} {matcher.op} {matcher.value}"


def _own_mode(opened: Execution, runbook: Runbook) -> Mode:
    """Return how far the runbook itself goes for this alert; the first rule that holds."""
    labels = labels_of(opened.alert)
    held = (rule.mode for rule in runbook.mode if explain_labels(labels, rule.matchers).matched)
    return next(held, "observe")
