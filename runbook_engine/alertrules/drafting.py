"""Draft first runbooks from alert rules: they observe, they pass lint and their tests, and every number says why.

What a rule says of itself is hostile text: it is only ever written quoted, and no path or template is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from runbook_engine.alertrules.coverage import HEARTBEATS
from runbook_engine.alertrules.guessing import NO_TARGET, TYPES, Guess, guess_target
from runbook_engine.alertrules.naming import file_name, matcher_line, named, quoted
from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.templating import is_template

HEADER: Final = "apiVersion: runbook-engine/v1\n"
OTHER_ALERT: Final = "SomethingElse"
_SAMPLES: Final[Mapping[str, str]] = {
    "cluster": "local",
    "namespace": "apps",
    "deployment": "web",
    "statefulset": "web",
    "daemonset": "web",
    "pod": "web-0",
    "node": "worker-1",
}
_WORKLOAD: Final = "deployments: [{{cluster: {cluster}, namespace: {namespace}, name: {deployment}, replicas: 2}}]"
_NODE: Final = "nodes: [{{cluster: {cluster}, name: {node}}}]"
_POD: Final = (
    "pods: [{{cluster: {cluster}, namespace: {namespace}, name: {pod}, node: {node}, workload: {deployment}}}]"
)
_PRESENT: Final[Mapping[str, Sequence[str]]] = {
    "deployment": (_WORKLOAD,),
    "workloadOf": (_NODE, _WORKLOAD, _POD),
    "node": (_NODE,),
}
_ROLLOUT: Final = (
    ("strategy: sequence", ""),
    ("verify:", ""),
    ("  - ready: 100%", ""),
    ("    for: 1m", "what crashes is ready for seconds between two crashes"),
    ("    timeout: 10m", "longer than a usual rollout takes"),
)
_OVER: Final = (
    ("strategy: sequence", ""),
    ("verify:", ""),
    ("  - alert: resolved", ""),
    ("    timeout: 30m", "rules look back over minutes, and wait before they resolve"),
)
_RESTART: Final = (
    ("steps:", ""),
    ("  - name: restart", "a first suggestion: is it what a person would do?"),
    ("    action: restart", ""),
    ("    settle: 30s", "new replicas need a moment before anybody looks"),
    ("    compensate: never", "nobody can undo a restart"),
)
_CORDON: Final = (
    ("  blastRadius:", ""),
    ("    nodesUnavailable: {max: 1}", "one node out of service at a time"),
    ("steps:", ""),
    ("  - name: stop-new-pods", "a first suggestion: is it what a person would do?"),
    ("    action: cordon", ""),
    ("    compensate: {when: resolved, holdFor: 10m}", "a node that is well for less is not well"),
)
_ACTING: Final = (
    ("guardrails:", ""),
    ("  cooldown: 2h", "the same remedy again so soon would hide the cause"),
    ("  deadline: 2h", "then a person has it, whatever came of it"),
    ("  minimumFaultAge: 5m", "what heals by itself in 5m is left alone"),
    ("  budget: {changes: 3, per: fleet, window: 1h}", "more than 3 have one cause, which is elsewhere"),
)
_TELLING: Final = (
    ("guardrails:", ""),
    ("  cooldown: 30m", "nothing is changed; a message every half hour is enough"),
    ("  deadline: 30m", "telling takes seconds"),
)
_COLUMN: Final = 48  # where comments begin


class Draft(msgspec.Struct, frozen=True):
    """One file to be: its name without a suffix, the names of its runbooks, and the texts of both files."""

    name: str
    runbooks: tuple[str, ...]
    text: str
    test: str


class Place(msgspec.Struct, frozen=True):
    """The installation that the runbooks are for."""

    owner: str
    receiver: str
    clusters: tuple[str, ...] = ()


def draft_runbooks(rules: Sequence[AlertRule], place: Place, *, by_group: bool = False) -> tuple[Draft, ...]:
    """Return one file for each alert, or for each group of rules; what fires by design gets none."""
    alerts = _alerts([rule for rule in rules if rule.name not in HEARTBEATS])
    names: dict[int, str] = {}
    for index, alert in enumerate(alerts):
        names[index] = file_name(_title(alert, alerts), names.values())
    shelves: dict[str, list[int]] = {}
    for index, alert in enumerate(alerts):
        shelves.setdefault(alert[0].group if by_group else names[index], []).append(index)
    drafts: list[Draft] = []
    for title, indices in shelves.items():
        name = file_name(title, [draft.name for draft in drafts])
        chosen = [(names[index], alerts[index]) for index in indices]
        drafts.append(_draft(name, chosen, place))
    return tuple(drafts)


def _alerts(rules: Sequence[AlertRule]) -> list[tuple[AlertRule, ...]]:
    """Return the rules that one runbook is for: of one name, and of one severity where each writes its own."""
    by_name: dict[str, list[AlertRule]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    alerts: dict[tuple[str, str], list[AlertRule]] = {}
    for name, same in by_name.items():
        told_apart = all(rule.severity for rule in same)
        for rule in same:
            alerts.setdefault((name, rule.severity if told_apart else ""), []).append(rule)
    return [tuple(same) for same in alerts.values()]


def _title(alert: Sequence[AlertRule], alerts: Sequence[Sequence[AlertRule]]) -> str:
    alone = sum(1 for other in alerts if other[0].name == alert[0].name) == 1
    return alert[0].name if alone else f"{alert[0].name} {alert[0].severity}"


def _draft(name: str, chosen: Sequence[tuple[str, Sequence[AlertRule]]], place: Place) -> Draft:
    runbooks = [_runbook(each, alert, place) for each, alert in chosen]
    known = {alert[0].name for _, alert in chosen}
    other = next(
        name for name in (OTHER_ALERT + "Again" * count for count in range(len(known) + 1)) if name not in known
    )
    tests = "\n".join(_test(each, alert, other, place) for each, alert in chosen)
    head = f"{HEADER}kind: RunbookTest\nrunbooks: [{name}.yaml]\ninterval: 1m\ntests:\n"
    return Draft(name, tuple(each for each, _ in chosen), "---\n".join(runbooks), f"{head}{tests}")


def _severity(alert: Sequence[AlertRule]) -> str:
    """Return the severity that all the rules write; empty where they differ, or leave it to a template."""
    written = {rule.severity for rule in alert}
    return written.pop() if len(written) == 1 else ""


def _runbook(name: str, alert: Sequence[AlertRule], place: Place) -> str:
    guess = guess_target(alert, place.clusters)
    severity = _severity(alert)
    about = "its alert" if is_template(alert[0].name) else alert[0].name
    matchers = [matcher_line("alertname", alert[0].name)]
    matchers += [matcher_line("severity", severity)] if severity else []
    inputs = "".join(f"  {label}: {{type: {TYPES[label]}, from: alert.labels.{label}}}\n" for label in guess.labels)
    return (
        f"# A first runbook, made from an alert rule. It observes: it records what it would do, and changes nothing.\n"
        f"# Make it yours: correct target and steps, then raise mode to propose, approve, and one day auto.\n"
        f"{HEADER}kind: Runbook\n"
        f"metadata:\n  name: {name}\n  owner: {named(place.owner)}\n"
        f"  summary: {quoted(f'Observe {about}; say here what it does once it acts.')}\n"
        f"matchers:\n{''.join(f'  - {matcher}' + chr(10) for matcher in matchers)}"
        f"{f'inputs:{chr(10)}{inputs}' if inputs else ''}"
        f"target: {guess.written}\n"
        f"mode: observe\n{_deeds(guess, place)}"
        f"notify:\n  - {{receiver: {named(place.receiver)}, events: [started, changed, approval, ended]}}\n"
    )


def _deeds(guess: Guess, place: Place) -> str:
    """Return how it knows that it helped, what stops it, and the first step."""
    if guess.kind == "node":
        return _commented((*_OVER, *_ACTING, *_CORDON))
    if guess.kind != NO_TARGET:
        return _commented((*_ROLLOUT, *_ACTING, *_RESTART))
    tell = (
        ("steps:", ""),
        ("  - name: tell", "its rule names nothing that could be changed"),
        ("    action: notify", ""),
        ("    with:", ""),
        (f"      receiver: {named(place.receiver)}", ""),
        ('      title: "{{ alert.name }}"', ""),
        ('      text: "It fires. Say here what a person should look at first."', ""),
    )
    return _commented((*_TELLING, *tell))


def _commented(lines: Sequence[tuple[str, str]]) -> str:
    """Return lines of YAML with what stands behind them, in one column."""
    return "".join(f"{line:<{_COLUMN}}# {why}\n" if why else f"{line}\n" for line, why in lines)


def _test(name: str, alert: Sequence[AlertRule], other: str, place: Place) -> str:
    guess = guess_target(alert, place.clusters)
    severity = _severity(alert)
    samples = {**_SAMPLES, "cluster": (*place.clusters, "local")[0]}
    samples |= {label: alert[0].labels[label] for label in guess.labels if label in alert[0].labels}
    labels = {label: samples[label] for label in guess.labels}
    labels |= {"alertname": alert[0].name, **({"severity": severity} if severity else {})}
    written = {label: quoted(value) for label, value in samples.items()}
    present = "".join(f"      {line.format_map(written)}\n" for line in _PRESENT.get(guess.kind, ()))
    return (
        f"  - name: {name} is there for its alert, and changes nothing\n"
        f"{f'    world:{chr(10)}{present}' if present else ''}"
        f"    alerts: [{{at: 0s, fires: {_flow(labels)}}}]\n"
        f"    expect: [{{at: 30m, matched: [{name}], changes: 0}}]\n\n"
        f"  - name: {name} leaves another alert alone\n"
        f"    alerts: [{{at: 0s, fires: {_flow({**labels, 'alertname': other})}}}]\n"
        f"    expect: [{{at: 1m, matched: [], changes: 0}}]\n"
    )


def _flow(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{label}: {quoted(value)}" for label, value in labels.items()) + "}"
