"""Steps that cannot do anything: after somebody has taken over, or after a step that did the very same."""

from __future__ import annotations

from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.runbook import Step


def report_dead_steps(subject: Subject) -> None:
    """Report changes after a hand-over, and repetitions."""
    _report_after_hand_over(subject)
    _report_repeated(subject)


def _report_after_hand_over(subject: Subject) -> None:
    """Report the first step that would still change what a person already has in hands."""
    given: Step | None = None
    for index, step in enumerate(subject.runbook.steps):
        if given is not None and subject.changes(step):
            message = f'"{step.name}" would change something after "{given.name}" has handed the incident to a person'
            hint = "hand over in the last step, or give the hand-over a when"
            subject.warn(("steps", index), "after-hand-over", message, hint)
            return
        if given is None and subject.hands_over(step) and not step.when:
            given = step


def _report_repeated(subject: Subject) -> None:
    """Report a step that sets absolutely what the last one to set it has set: there is never anything left to do."""
    last: dict[str, Step] = {}
    for index, step in subject.changing:
        if "by" in step.arguments or step.action not in _ABSOLUTE:
            last.clear()
            continue
        before = last.get(thing := _thing(step))
        if before is None or _deed(before) != _deed(step) or before.when or before.approval is not None:
            last[thing] = step
        else:
            message = f'"{step.name}" is never needed: "{before.name}" has set the same before it'
            subject.warn(("steps", index), "repeated-step", message, "remove it, or say what is different")


def _thing(step: Step) -> str:
    """Return what a step sets, whatever it sets it to."""
    named = sorted((name, value) for name, value in step.arguments.items() if name in _NAMING)
    return repr((_ABSOLUTE[step.action], step.target, named))


def _deed(step: Step) -> str:
    return repr((step.action, step.target, sorted(step.arguments.items(), key=str)))


# What these set is absolute, so doing it again finds nothing to do; with what each of them sets.
_ABSOLUTE = {
    "degrade": "value",
    "scale": "replicas",
    "cordon": "scheduling",
    "uncordon": "scheduling",
    "throttle": "concurrency",
    "canary": "weight",
}
_NAMING = frozenset({"parameter", "configMap", "key", "env", "container"})
