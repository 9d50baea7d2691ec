"""Matching beside engines that others have written: the same rules, the same alerts, the same answers demanded.

Runs those that are installed, each in its turn and in a number of alerts that it can do in seconds: `make bench-peers`
makes environments for them, since none is a dependency of this project; Robusta has its own, since it asks for older
libraries than the others. Drools runs in a JVM, so it wants Java. What counts is the CPU that is spent, by all threads
of the process together.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean
from time import process_time
from typing import Any

from benchmarks.mixes import Labels, alerts, runbooks
from benchmarks.record import head
from benchmarks.timing import seconds, table
from runbook_engine.matching.conditions import condition
from runbook_engine.matching.index import Index
from runbook_engine.matching.patterns import beginnings, read_branches
from runbook_engine.matching.placement import Entry
from runbook_engine.model.matcher import Matcher

SIZES, QUICK_SIZES = (10, 100, 1_000, 10_000), (10, 100)
Find = Callable[[Labels], tuple[str, ...]]


def rule_engine(entries: Sequence[Entry]) -> Find:
    """Rules of `rule-engine`, compiled once and tried in turn."""
    module = importlib.import_module("rule_engine")
    words = {"=": "==", "!=": "!=", "=~": "=~", "!~": "!~"}

    def clause(matcher: Matcher) -> str:
        value = f"^(?:{matcher.value})$" if matcher.is_regex else matcher.value
        return f"{matcher.name} {words[matcher.op]} {json.dumps(value)}"

    rules = [(entry.name, module.Rule(" and ".join(map(clause, entry.matchers)))) for entry in entries]
    return lambda labels: tuple([name for name, rule in rules if rule.matches(labels)])


def _cel(entry: Entry) -> str:
    """Return the matchers of an entry as an expression of CEL."""

    def clause(matcher: Matcher) -> str:
        if matcher.is_regex:
            test = f"labels.{matcher.name}.matches({json.dumps(f'^(?:{matcher.value})$')})"
            return f"!{test}" if matcher.is_negative else test
        return f"labels.{matcher.name} {'!=' if matcher.is_negative else '=='} {json.dumps(matcher.value)}"

    return " && ".join(map(clause, entry.matchers))


def cel_python(entries: Sequence[Entry]) -> Find:
    """Programs of `cel-python`, compiled once and evaluated in turn."""
    module = importlib.import_module("celpy")
    environment = module.Environment()
    programs = [(entry.name, environment.program(environment.compile(_cel(entry)))) for entry in entries]

    def find(labels: Labels) -> tuple[str, ...]:
        told = {"labels": module.json_to_cel(labels)}
        return tuple([name for name, program in programs if program.evaluate(told)])

    return find


def common_expression_language(entries: Sequence[Entry]) -> Find:
    """Programs of `common-expression-language`, which is CEL in Rust, compiled once and executed in turn."""
    module = importlib.import_module("cel")
    programs = [(entry.name, module.compile(_cel(entry))) for entry in entries]

    def find(labels: Labels) -> tuple[str, ...]:
        told = {"labels": labels}
        return tuple([name for name, program in programs if program.execute(told)])

    return find


def drools(entries: Sequence[Entry]) -> Find:
    """One rule set of Drools, as ansible-rulebook drives it: JSON text in, JSON text out."""
    module = importlib.import_module("drools.ruleset")
    rule = importlib.import_module("drools.rule")
    found: list[str] = []
    written = {"name": "bench", "match_multiple_rules": True, "rules": [_drools_rule(entry) for entry in entries]}
    rules = module.Ruleset(name="bench", serialized_ruleset=json.dumps(written))
    for entry in entries:
        rules.add_rule(rule.Rule(entry.name, lambda matches, name=entry.name: found.append(name)))
    order = {entry.name: entry.order for entry in entries}

    def find(labels: Labels) -> tuple[str, ...]:
        found.clear()
        rules.assert_event(json.dumps(labels))
        return tuple(sorted(found, key=order.__getitem__))

    return find


def _drools_rule(entry: Entry) -> dict[str, Any]:
    def clause(matcher: Matcher) -> dict[str, Any]:
        left = {"Event": matcher.name}
        if not matcher.is_regex:
            kind = "NotEqualsExpression" if matcher.is_negative else "EqualsExpression"
            return {kind: {"lhs": left, "rhs": {"String": matcher.value}}}
        pattern = {"kind": {"String": "match"}, "pattern": {"String": f"^(?:{matcher.value})$"}, "options": []}
        kind = "SearchNotMatchesExpression" if matcher.is_negative else "SearchMatchesExpression"
        return {kind: {"lhs": left, "rhs": {"SearchType": pattern}}}

    clauses = [clause(matcher) for matcher in entry.matchers]
    whole = clauses[0]
    for one in clauses[1:]:
        whole = {"AndExpression": {"lhs": whole, "rhs": one}}
    return {"Rule": {"name": entry.name, "condition": {"AllCondition": [whole]}, "action": {}, "enabled": True}}


def robusta(entries: Sequence[Entry]) -> Find:
    """Triggers of Robusta, asked in turn. They know a name and beginnings; what else a rule wants is compared here."""
    module = importlib.import_module("robusta.integrations.prometheus.trigger")
    prefixes = {"pod": "pod_name_prefix", "namespace": "namespace_prefix", "instance": "instance_name_prefix"}

    def trigger(entry: Entry) -> tuple[Any, list[tuple[str, Callable[[str], object]]]]:
        wanted, rest = {}, []
        for matcher in entry.matchers:
            if (matcher.name, matcher.op) == ("alertname", "="):
                wanted["alert_name"] = matcher.value
                continue
            first = beginnings(read_branches(matcher.value)) if matcher.op == "=~" else ()
            if matcher.name in prefixes and len(first) == 1:
                (wanted[prefixes[matcher.name]],) = first
            rest.append((matcher.name, condition(matcher)))
        return module.PrometheusAlertTrigger(**wanted), rest

    triggers = [(entry.name, *trigger(entry)) for entry in entries]

    def find(labels: Labels) -> tuple[str, ...]:
        event = module.PrometheusTriggerEvent(alert=module.PrometheusAlert.construct(labels=labels, status="firing"))
        return tuple(
            [
                name
                for name, fires, rest in triggers
                if fires.should_fire(event, "", {}) and all(test(labels.get(label, "")) for label, test in rest)
            ]
        )

    return find


# How many rules each may try in one round, so that a round takes about a second.
PEERS: Mapping[str, tuple[Callable[[Sequence[Entry]], Find], int, int]] = {
    "rule-engine": (rule_engine, 60_000, 10_000),
    "cel-python": (cel_python, 2_000, 100),
    "common-expression-language": (common_expression_language, 100_000, 10_000),
    "drools_jpy": (drools, 100_000_000, 10_000),
    "Robusta's triggers": (robusta, 500_000, 10_000),
}


def run(*, quick: bool = False) -> str:
    """Return for each size what the index does, and how many times as fast it is as each peer."""
    sizes = QUICK_SIZES if quick else SIZES
    return table(("matcher", *[f"{size:,}" for size in sizes]), list(_rows(sizes)))


def _rows(sizes: Sequence[int]) -> Iterator[tuple[object, ...]]:
    mixes = {size: runbooks(size) for size in sizes}
    yield ("the index, alerts/s", *[1 / _ours(Index.build(entries), entries) for entries in mixes.values()])
    for name, (make, budget, most) in PEERS.items():
        ratios: list[object]
        try:
            ratios = [_ratio(make, mixes[size], budget) if size <= most else "-" for size in sizes]
        except ImportError:
            ratios = ["not installed", *["-" for _ in sizes[1:]]]
        yield (f"x {name}", *ratios)


def _ours(index: Index, entries: Sequence[Entry]) -> float:
    asked = alerts(1_000, entries)
    return seconds(lambda: [index.match(labels) for labels in asked], clock=process_time) / len(asked)


def _ratio(make: Callable[[Sequence[Entry]], Find], entries: Sequence[Entry], budget: int) -> float:
    """Return how many times as long a peer takes as the index, which is measured before and after it.

    Raises ValueError when the peer answers differently.
    """
    index, find = Index.build(entries), make(entries)
    asked = alerts(max(5, min(500, budget // len(entries))), entries)
    for labels in asked:
        if find(labels) != index.match(labels):
            raise ValueError(f"{make.__name__} answers {find(labels)}, the index {index.match(labels)} for {labels}")
    before = _ours(index, entries)
    theirs = seconds(lambda: [find(labels) for labels in asked], 2, process_time) / len(asked)
    return theirs / mean((before, _ours(index, entries)))


if __name__ == "__main__":
    wished = "--quick" in sys.argv
    print(f"{head(quick=wished)}\n\n== peers\n{run(quick=wished)}\n")
