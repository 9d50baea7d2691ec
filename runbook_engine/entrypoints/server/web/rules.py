"""Rules: what a runbook is made of, in words: whom it answers, what stops it, what each step does."""

from __future__ import annotations

import json

from runbook_engine.checks import describe_check, number
from runbook_engine.model.duration import say_duration
from runbook_engine.model.guardrail import BlastRadius
from runbook_engine.model.metric import say_query
from runbook_engine.model.runbook import Approval, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.planning import say_compensation
from runbook_engine.render.wording import count

PER = {"target": "each target", "service": "each service", "zone": "each zone", "fleet": "the whole fleet"}
NO_ANSWER = {
    "stop": "without an answer the run stops and keeps what was changed",
    "abort": "without an answer what was changed is undone",
    "next": "without an answer the step is left out",
}


def say_target(template: TargetTemplate) -> str:
    """Return what a runbook acts on, as its author wrote it."""
    name = "/".join(part for part in (template.namespace, template.name) if part)
    place = f" in {template.cluster}" if template.cluster else ""
    return f"{template.kind} {name}{place}".strip()


def say_mode(runbook: Runbook) -> str:
    """Return how far a runbook may go, as it is written."""
    rules = [
        f"{rule.mode} for {', '.join(matcher.text for matcher in rule.matchers)}" if rule.matchers else rule.mode
        for rule in runbook.mode
    ]
    return "; ".join(rules)


def list_guardrails(runbook: Runbook) -> tuple[tuple[str, str], ...]:
    """Return every guardrail of a runbook by name, and what it forbids."""
    rules = runbook.guardrails
    said = [
        ("cooldown", f"at least {say_duration(rules.cooldown)} between two changes of one target"),
        ("deadline", f"the whole run, questions included, is over after {say_duration(rules.deadline)}"),
    ]
    if rules.budget is not None:
        within = f"within {say_duration(rules.budget.window)}, whichever runbook makes them"
        changes = count(rules.budget.changes, "change")
        said.append(("budget", f"no more than {changes} of {PER[rules.budget.per]} {within}"))
    if rules.minimum_fault_age:
        said.append(("minimumFaultAge", f"nothing before the alert fires for {say_duration(rules.minimum_fault_age)}"))
    if runbook.group is not None:
        most = count(runbook.group.max_targets, "target")
        said.append(("group", f"no more than {most} at once; above that everything is held and somebody is paged"))
    cap = rules.step_cap
    said.append(("stepCap", f"one change moves a number by no more than {cap.up:.0%} up or {cap.down:.0%} down"))
    if rules.blast_radius is not None:
        said += [("blastRadius", each) for each in _victims(rules.blast_radius)]
    if runbook.do_no_harm is not None:
        harm = runbook.do_no_harm
        rise = f"rises by more than {harm.rises_by:.0%}" + (f" to {number(harm.floor)} or more" if harm.floor else "")
        said.append(("doNoHarm", f"stop and undo when {say_query(harm.query)} {rise}"))
    owned = "changed all the same" if rules.gitops == "allowDrift" else "left alone"
    return (*said, ("gitops", f"what is owned by git is {owned}"))


def _victims(rules: BlastRadius) -> list[str]:
    said = []
    for victim, limits in rules.limits.items():
        most = [f"{limit:g}" if name == "max" else f"{limit:g} %" for name, limit in limits.items()]
        said.append(f"{victim}: no more than {' or '.join(most)}")
    said += [f"never {kind}: {', '.join(names)}" for kind, names in rules.protect.items()]
    return said


def list_step(step: Step) -> tuple[tuple[str, str], ...]:
    """Return what a step does, on what terms, a name and a sentence each."""
    said = [(name, _argument(value)) for name, value in step.arguments.items()]
    said += [("target", say_target(step.target))] if step.target is not None else []
    said += [("only when", describe_check(check)) for check in step.when]
    said += [("asks", say_approval(step.approval))] if step.approval is not None else []
    said += [("verified by", describe_check(check)) for check in step.verify]
    said += [("waits", f"{say_duration(step.settle)} before anybody looks")] if step.settle else []
    return (*said, ("afterwards", say_compensation(step.compensate)))


def say_approval(approval: Approval) -> str:
    """Return who must say yes to a step, and what no answer means."""
    return f"{approval.by}, within {say_duration(approval.timeout)}; {NO_ANSWER[approval.on_timeout]}"


def _argument(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str, ensure_ascii=False)
