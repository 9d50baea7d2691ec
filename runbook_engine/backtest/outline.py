"""The outline of a plan: everything that can be said of it without a look at the world, as a flat table of texts.

How far it may go, what it acts on, each step with what fills its templates, and every guardrail. Two outlines that are
equal are the same plan, as far as anybody can tell before the world is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from pydantic.alias_generators import to_camel

from runbook_engine.errors import RunbookError
from runbook_engine.intake.wishes import Wish
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.resolution import alert_variables, resolve_target
from runbook_engine.templating import Templates, variables_of

Outline = Mapping[str, str]
DECIDED_BY_ALERT = frozenset(("matchers", "mode", "target", "inputs", "steps"))
SAID_ONLY = frozenset(("name", "digest", "summary", "links", "file", "line"))  # nothing is decided by these
OF_STEP = SAID_ONLY | {"arguments", "target"}
RUN_WORDS = ("execution", "incident")


def fixed_outline(runbook: Runbook) -> Outline:
    """Return what is the same for every alert of a runbook, whatever becomes of it."""
    found: dict[str, str] = {}
    for name in runbook.__struct_fields__:
        if name not in DECIDED_BY_ALERT | SAID_ONLY:
            found.update(_flat(to_camel(name), getattr(runbook, name)))
    found["steps"] = ", ".join(step.name for step in runbook.steps)
    for step in runbook.steps:
        for name in step.__struct_fields__:
            if name not in OF_STEP:
                found.update(_flat(f"step {step.name}.{to_camel(name)}", getattr(step, name)))
    return found


def outline_of(wished: Wish, alert: Alert, configuration: Configuration, templates: Templates) -> Outline:
    """Return what hangs on the alert in the plan of one runbook."""
    found: dict[str, str] = {"mode": wished.matched.mode}
    if wished.refused:
        return {**found, "refused": wished.refused}
    runbook = wished.matched.runbook
    found["target"] = _target_text(wished.target, runbook.target)
    run = {word: f"({word})" for word in RUN_WORDS} | {"runbook": runbook.name, "target": str(wished.target)}
    variables = {"inputs": wished.inputs, "alert": alert_variables(alert), "run": run}
    for step in runbook.steps:
        found.update(_filled(step, variables, templates))
        if step.target is not None:
            told = (wished.inputs, alert, configuration, templates)
            found[f"step {step.name}.target"] = _step_target(step.target, *told)
    return found


def what_hangs_on_alerts(runbook: Runbook) -> tuple[Any, ...]:
    """Return the parts of a runbook whose meaning hangs on the alert: where they are equal, so is their outline."""
    return (
        runbook.mode,
        runbook.target,
        runbook.inputs,
        [(step.name, step.arguments, step.target) for step in runbook.steps],
    )


def paths_read(runbook: Runbook) -> frozenset[tuple[str, ...]]:
    """Return every path that a runbook's inputs and templates read."""
    texts = [*_texts(msgspec.to_builtins(runbook.target)), *_texts([step.arguments for step in runbook.steps])]
    texts += _texts([msgspec.to_builtins(step.target) for step in runbook.steps if step.target is not None])
    written = {tuple(path) for text in texts for path in variables_of(text)}
    return frozenset(written | {declared.path for declared in runbook.inputs})


def _filled(step: Step, variables: Mapping[str, Any], templates: Templates) -> Outline:
    try:
        arguments = templates.render_values(step.arguments, variables)
    except RunbookError as error:
        return {f"step {step.name}.with": f"cannot be filled: {error}"}
    return {
        path: text for name, value in arguments.items() for path, text in _flat(f"step {step.name}.{name}", value, '"')
    }


def _step_target(
    template: TargetTemplate,
    inputs: Mapping[str, str],
    alert: Alert,
    configuration: Configuration,
    templates: Templates,
) -> str:
    try:
        return _target_text(resolve_target(template, inputs, alert, configuration, templates), template)
    except RunbookError as error:
        return f"refused: {error}"


def _target_text(target: Target, template: TargetTemplate) -> str:
    place = f"@{target.place}" if target.place else ""
    what = "nothing" if target.kind == "none" else target.pattern_form
    return f"{what}{place}{f', or what it leads to ({template.kind})' if template.provisional(target) else ''}"


def _flat(path: str, value: Any, quote: str = "") -> Iterator[tuple[str, str]]:
    """Return a nested value as paths and texts; what is absent or empty has none."""
    match value:
        case None | "" | () | []:
            return
        case bool():
            yield path, "true" if value else "false"
        case timedelta():
            yield path, duration_text(value)
        case str():
            yield path, f"{quote}{value}{quote}"
        case int() | float():
            yield path, f"{value:g}"
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from _flat(f"{path}.{to_camel(name)}", getattr(value, name), quote)
        case Mapping():
            for name, inner in value.items():
                yield from _flat(f"{path}.{name}", inner, quote)
        case list() | tuple() if all(isinstance(each, str | int | float) for each in value):
            yield path, ", ".join(str(each) for each in value)
        case list() | tuple():
            for number, inner in enumerate(value, start=1):
                yield from _flat(f"{path}[{number}]", inner, quote)
        case _:
            yield path, str(value)


def _texts(value: Any) -> Iterable[str]:
    """Return every text in a nested value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
