"""Matchers that no alert can satisfy together."""

from __future__ import annotations

from runbook_engine.loading.set_analysis.implication import DOMAINS, Conjunction
from runbook_engine.loading.set_analysis.subject import Subject


def report_never_matching(subject: Subject, conjunction: Conjunction) -> None:
    """Report a label whose matchers contradict each other, or want a value that the engine never gives."""
    label = conjunction.impossible
    if label is None:
        return
    index = max(index for index, matcher in enumerate(subject.runbook.matchers) if matcher.name == label)
    wanted = " and ".join(matcher.text or matcher.value for matcher in conjunction.labels[label].matchers)
    hint = "all matchers must hold together: write several values as one pattern, A|B, or two runbooks"
    if label in DOMAINS and len(conjunction.labels[label].matchers) == 1:
        hint = f"{label} is one of {', '.join(sorted(DOMAINS[label]))}"
    subject.error(("matchers", index), "never-matches", f"no alert can match: {wanted}", hint)


def report_dead_mode_rules(subject: Subject) -> None:
    """Report a rule of `mode` that no alert reaches: the first rule whose matchers hold has been taken before it."""
    if len(subject.runbook.mode) == 1 and not subject.runbook.mode[0].matchers:
        return
    conjunction = Conjunction(subject.runbook.matchers)
    rules = [Conjunction(rule.matchers) for rule in subject.runbook.mode]
    for index, rule in enumerate(subject.runbook.mode):
        whole = Conjunction((*subject.runbook.matchers, *rule.matchers))
        if whole.impossible is not None and conjunction.impossible is None:
            message = f'the rule for mode "{rule.mode}" never holds: no alert of this runbook satisfies its matchers'
            subject.warn(("mode", index), "dead-mode-rule", message, "remove it, or correct its matchers")
        elif taken := [at + 1 for at in range(index) if whole.implies(rules[at])]:
            message = f'the rule for mode "{rule.mode}" is never reached: rule {taken[0]} holds for all of its alerts'
            subject.warn(("mode", index), "dead-mode-rule", message, "the first rule that holds wins: write it before")
