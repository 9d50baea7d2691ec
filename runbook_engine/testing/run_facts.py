"""Facts of a run that a test may demand: verdicts of guardrails, changes in their order, and sentences in theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from runbook_engine.documents.test_run import ChangedExpectation
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Effect, Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Value
from runbook_engine.testing.missed import Miss, differs


def judge_verdicts(
    wanted: Mapping[str, Mapping[str, str]], execution: Execution, trail: Sequence[AuditRecord]
) -> Iterator[Miss]:
    """Yield every guardrail whose newest verdict on a step is not as wanted: ok, refused, or part of its sentence."""
    steps = [step.name for step in execution.steps]
    for step, guardrails in wanted.items():
        if step not in steps:
            yield Miss(f"verdicts: no step is named {step} (choose from {', '.join(steps)})")
            continue
        judged = next((record.verdicts for record in reversed(trail) if record.step == step and record.verdicts), ())
        verdicts = {verdict.guardrail: verdict for verdict in judged}
        for guardrail, word in guardrails.items():
            found = verdicts.get(guardrail)
            if found is None:
                names = ", ".join(verdicts) or "nothing"
                yield Miss(f"verdict of {guardrail} on {step}", word, f"absent (judged was {names})")
            elif not _is_so(word, found):
                said = "ok" if found.ok else "refused"
                yield differs(f"verdict of {guardrail} on {step}", word, said, found.says)


def judge_changed(
    wanted: Sequence[ChangedExpectation], execution: Execution, trail: Sequence[AuditRecord]
) -> Iterator[Miss]:
    """Yield the changes of a run, undoing included, when they are not the wanted ones in this order."""
    made = _made(execution, trail)
    same = len(wanted) == len(made) and all(_fits(*pair) for pair in zip(wanted, made, strict=True))
    if not same:
        yield differs("changed", [_say_wanted(each) for each in wanted], [_say_made(each) for each in made])


def judge_timeline(wanted: Sequence[str], lines: Sequence[str]) -> Iterator[Miss]:
    """Yield the first part of a sentence that does not stand in the timeline after those before it."""
    rest = iter(lines)
    found: list[str] = []
    for part in wanted:
        if not any(part in line for line in rest):
            after = f"not said after {found[-1]!r}" if found else "not said"
            yield Miss("timeline", repr(part), after)
            return
        found.append(part)


def _is_so(word: str, verdict: Verdict) -> bool:
    if word in ("ok", "refused"):
        return verdict.ok is (word == "ok")
    return word in verdict.says


def _made(execution: Execution, trail: Sequence[AuditRecord]) -> list[Effect]:
    """Return what was written in the order of the trail: in simulated time, much happens at one instant."""
    intended = [(record.step, record.direction, record.at) for record in trail if record.event == "intended"]
    made = [
        (intended.index((step.name, effect.direction, effect.begun_at)), effect)
        for step in execution.steps
        if not step.message_only
        for effect in step.effects
        if effect.written
    ]
    return [effect for _, effect in sorted(made, key=lambda found: found[0])]


def _fits(wanted: ChangedExpectation, made: Effect) -> bool:
    change = made.change
    if wanted.target not in (str(change.target), change.target.pattern_form):
        return False
    asked = wanted.model_fields_set
    return (
        wanted.field in (None, change.field)
        and ("before" not in asked or wanted.before == change.before)
        and ("after" not in asked or wanted.after == change.after)
    )


def _say_wanted(wanted: ChangedExpectation) -> str:
    asked = wanted.model_fields_set
    before = _say_value(wanted.before) if "before" in asked else "..."
    after = _say_value(wanted.after) if "after" in asked else "..."
    return " ".join(filter(None, [wanted.target, wanted.field, f"{before} -> {after}"]))


def _say_made(made: Effect) -> str:
    change = made.change
    return f"{change.target} {change.field} {_say_value(change.before)} -> {_say_value(change.after)}"


def _say_value(value: Value) -> str:
    """Return a value as it is written in YAML: "1" is not 1."""
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
