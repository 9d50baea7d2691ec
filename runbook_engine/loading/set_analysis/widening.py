"""Templates that may widen a target: free text of an alert where a name stands that is acted on.

Label values in `where` are left out: they are added as escaped matchers, which only ever narrow a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from runbook_engine.loading.rules import as_map, steps_of
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.loading.yaml_tree import Path, Plain, scalars
from runbook_engine.model.runbook import InputType
from runbook_engine.templating import is_template, variables_of

NAMING: Final = frozenset({"parameter", "env", "container", "configMap", "key", "job", "automation", "to"})
TYPES: Final[Mapping[str, InputType]] = {
    "cluster": "cluster",
    "namespace": "namespace",
    "deployment": "workload",
    "statefulset": "workload",
    "daemonset": "workload",
    "pod": "pod",
    "node": "node",
    "instance": "instance",
    "parameter": "parameter",
    "function": "function",
    "alias": "alias",
    "queue": "queue",
    "to": "queue",
    "place": "place",
    "configMap": "workload",
}


def report_widening(subject: Subject, conjunction: Conjunction) -> None:
    """Report free text in a target, or in an argument that names what is changed; what matchers list is not free."""
    listed = {("alert", "labels", label) for label, each in conjunction.labels.items() if each.values is not None}
    free = {
        each.name for each in subject.runbook.inputs if each.type == "string" and each.path and each.path not in listed
    }
    for path, text in _naming_fields(subject):
        field = str(path[-1])
        hint = _hint(field, text)
        for variable in variables_of(text):
            if variable[0] == "alert" and variable not in listed:
                _report(subject, path, f"{'.'.join(variable)} is taken from the alert as it comes", hint)
            elif variable[0] == "inputs" and variable[-1] in free:
                _report(subject, path, f'the input "{variable[-1]}" is of type string, which is any text', hint)


def _report(subject: Subject, path: Path, why: str, hint: str) -> None:
    message = f'an alert may name anything in "{path[-1]}": {why}'
    subject.warn(path, "widening-template", message, hint)


def _hint(field: str, text: str) -> str:
    """Return which type keeps a value to a name; within a parameter's path no value of type parameter fits."""
    typed = TYPES.get(field)
    if typed == "parameter" and not text.startswith("{{"):
        return "declare an input of type namespace, which is one name of a-z, 0-9 and -, or list its values in matchers"
    return f"declare an input of type {typed}, which refuses what is no such name" if typed else "write the name out"


def _naming_fields(subject: Subject) -> Iterator[tuple[Path, str]]:
    """Yield every template that names what is acted on, with its place."""
    content = as_map(subject.findings.content)
    yield from _templates(subject, ("target",), content.get("target"))
    for index, step in steps_of(subject.findings):
        path: Path = ("steps", index)
        yield from _templates(subject, (*path, "target"), step.get("target"))
        for name, value in as_map(step.get("with")).items():
            names = name in NAMING and (name != "to" or step.get("action") == "redrive")  # elsewhere a number
            if names and isinstance(value, str) and is_template(value):
                yield (*path, "with", name), value


def _templates(subject: Subject, path: Path, target: Plain) -> Iterator[tuple[Path, str]]:
    node = subject.findings.node(path) if isinstance(target, dict) else None
    for inner, found in scalars(node, path) if node is not None else ():
        if isinstance(found.value, str) and is_template(found.value):
            yield inner, found.value
