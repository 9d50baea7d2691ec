"""Approvals without an end that somebody chose: no word for silence, no time for the answer, or nobody who is asked."""

from __future__ import annotations

from runbook_engine.loading.rules import as_map
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.duration import say_duration
from runbook_engine.model.runbook import Approval


def report_approvals(subject: Subject, configuration: Configuration | None) -> None:
    """Report what is wrong with the approval of each step."""
    for index, step in enumerate(subject.runbook.steps):
        if step.approval is not None:
            _report_silence(subject, index)
            _report_late(subject, index, step.approval)
            _report_unheard(subject, index, step.approval, configuration)


def _report_silence(subject: Subject, index: int) -> None:
    """Report an approval that leaves it to a default whether the steps after it are done."""
    written = as_map(as_map(subject.findings.content).get("steps", [])[index]).get("approval")
    later = len(subject.runbook.steps) - index - 1
    if "onTimeout" in as_map(written) or not (later or subject.boldest == "auto"):
        return
    then = f"the {later} steps after it are not done" if later > 1 else "the step after it is not done"
    what = then if later else "what was done before stays"
    message = f'"onTimeout" is not written: when nobody answers the run stops, and {what}'
    hint = "write onTimeout: stop if that is meant, abort to undo, or next to go on"
    subject.warn(("steps", index, "approval"), "approval-timeout", message, hint)


def _report_late(subject: Subject, index: int, approval: Approval) -> None:
    deadline = subject.runbook.guardrails.deadline
    if approval.timeout >= deadline:
        waits = f"the answer is waited for {say_duration(approval.timeout)}"
        message = f"{waits}, and the whole run ends after {say_duration(deadline)}: onTimeout never comes to its turn"
        hint = "lower the timeout, or raise guardrails.deadline"
        subject.warn(("steps", index, "approval", "timeout"), "approval-past-deadline", message, hint)


def _report_unheard(subject: Subject, index: int, approval: Approval, configuration: Configuration | None) -> None:
    """Report a question that nobody hears: the team has no receiver, and no receiver hears of approvals."""
    teams = {team.name: team for team in configuration.teams} if configuration is not None else {}
    team = teams.get(approval.by)
    if team is None or team.receiver or any("approval" in rule.events for rule in subject.runbook.notify):
        return
    message = f'nobody hears that "{approval.by}" is asked: the team has no receiver, and notify names no approval'
    hint = "give the team a receiver in engine.yaml, or add notify: [{receiver: ..., events: [approval]}]"
    subject.warn(("steps", index, "approval"), "approval-unheard", message, hint)
