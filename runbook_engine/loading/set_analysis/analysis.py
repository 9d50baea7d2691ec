"""Analyse a set of runbooks: every kind of defect, in time that grows with the number of runbooks.

Only runbooks that share a target, a field or a step are ever compared with each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import Catalogue
from runbook_engine.loading.set_analysis.approvals import report_approvals
from runbook_engine.loading.set_analysis.budgets import report_budgets
from runbook_engine.loading.set_analysis.contradictions import report_contradictions
from runbook_engine.loading.set_analysis.dead_steps import report_dead_steps
from runbook_engine.loading.set_analysis.duplicates import report_duplicates, report_shadowed
from runbook_engine.loading.set_analysis.effects import Setting, Thing, settings_of
from runbook_engine.loading.set_analysis.harm import report_harm
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.match_all import report_unguarded_match_all
from runbook_engine.loading.set_analysis.never_matches import report_dead_mode_rules, report_never_matching
from runbook_engine.loading.set_analysis.notify_loops import report_notify_loops
from runbook_engine.loading.set_analysis.oscillation import report_oscillation
from runbook_engine.loading.set_analysis.owners import report_two_owners
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.loading.set_analysis.timing import report_timing
from runbook_engine.loading.set_analysis.widening import report_widening
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.runbook import Runbook


def analyse(
    compiled: Sequence[tuple[Runbook, Findings]], catalogue: Catalogue, configuration: Configuration | None
) -> None:
    """Report every defect of the runbooks, and of what they are together, to the findings of their files."""
    subjects = [Subject(runbook, findings, catalogue) for runbook, findings in compiled]
    conjunctions = {subject.runbook.name: Conjunction(subject.runbook.matchers) for subject in subjects}
    for subject in subjects:
        report_never_matching(subject, conjunctions[subject.runbook.name])
        report_dead_mode_rules(subject)
        report_unguarded_match_all(subject)
        report_approvals(subject, configuration)
        report_widening(subject, conjunctions[subject.runbook.name])
        report_budgets(subject)
        report_notify_loops(subject, configuration)
        report_dead_steps(subject)
        report_contradictions(subject)
        report_harm(subject)
        report_timing(subject)
    report_duplicates(subjects)
    report_shadowed(subjects, conjunctions)
    uses: dict[Thing, list[tuple[Subject, Setting]]] = defaultdict(list)
    for subject in subjects:
        for setting in settings_of(subject) if subject.acts else ():
            uses[setting.thing].append((subject, setting))
    report_two_owners(uses, conjunctions)
    report_oscillation(uses, conjunctions)
