"""Two owners of one thing: runbooks of different teams that set the same field of the same target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook_engine.loading.set_analysis.clusters import may_meet
from runbook_engine.loading.set_analysis.effects import Setting, Thing
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.subject import Subject

Uses = Mapping[Thing, Sequence[tuple[Subject, Setting]]]


def report_two_owners(uses: Uses, conjunctions: Mapping[str, Conjunction]) -> None:
    """Report each thing once for every further team, at the step of that team's first runbook."""
    for thing, settings in uses.items():
        first, theirs = settings[0]
        told = {first.runbook.owner}
        for subject, setting in settings:
            if subject.runbook.owner not in told and may_meet((subject, setting), (first, theirs), conjunctions):
                told.add(subject.runbook.owner)
                _report(thing, subject, setting, first)


def _report(thing: Thing, subject: Subject, setting: Setting, first: Subject) -> None:
    owner, other = subject.runbook.owner, first.runbook.owner
    message = f"two owners of {thing}: {owner} here, and {other} in {first}"
    hint = f"let one team own both runbooks, or let this one ask {other} with a notify step"
    subject.warn(("steps", setting.index), "two-owners", message, hint)
