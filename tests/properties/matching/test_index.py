"""The index finds exactly what trying every matcher would find."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.counting import count
from benchmarks.matching import by_alert_name, compiled_loop, naive_loop
from benchmarks.mixes import alerts, runbooks
from runbook_engine.matching.explain import explain_labels
from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import parse_matchers
from tests.length import LONG, examples

pytestmark = pytest.mark.slow

NAMES = ("alertname", "pod", "team", "__severity__", "k8s.pod")
VALUES = ("", "a", "ab", "abc", "b", "a\n", "\n", "db-1", "db-2", "db-1-x", "x-db-1", "critical", "high", "é", "A")
PATTERNS = (
    "a|b",
    "critical|high",
    "a?",
    "(a|b)c?",
    "db-.*",
    "db-.+",
    ".*",
    ".+",
    ".*-1",
    ".+-x",
    ".*db.*",
    "db-[0-9]+",
    "[ab]+",
    "[a-c]*",
    "",
    "a.*|db-.*",
    "^db-1$",
    "(db|x)-.*",
    "(?i)A",
    "a\\.b",
    "[^a]",
    "(?s).*",
    "db-(1|2)(-x)?",
    "a{1,2}",
    ".*(1|x)",
    "\\x61",
    "(?:)",
    "a|",
    "x-db-1|.*b-1",
    "db-[a-z0-9]+",
    "db-[-0-9]*",
    "a[b-]+",
    "db-1[-0-9a-fx_]*",
    "(db|x)-[a-z]+.*",
)

matchers = st.builds(
    lambda name, operator_and_value: Matcher(name=name, op=operator_and_value[0], value=operator_and_value[1]),
    st.sampled_from(NAMES),
    st.one_of(
        st.tuples(st.sampled_from(("=", "!=")), st.sampled_from(VALUES)),
        st.tuples(st.sampled_from(("=~", "!~")), st.sampled_from(PATTERNS)),
    ),
)
rules = st.lists(st.lists(matchers, max_size=4).map(tuple), max_size=12)
labelsets = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES[1:]), max_size=5)


def naive(entries: list[Entry], labels: dict[str, str]) -> tuple[str, ...]:
    """Try every matcher of every entry, with RE2 alone and no cleverness."""

    def holds(matcher: Matcher) -> bool:
        value = labels.get(matcher.name, "")
        if matcher.op in ("=", "!="):
            return (value == matcher.value) == (matcher.op == "=")
        return (re2.fullmatch(matcher.value, value) is not None) == (matcher.op == "=~")

    found = [entry for entry in entries if all(holds(matcher) for matcher in entry.matchers)]
    return tuple(entry.name for entry in sorted(found, key=lambda entry: entry.order))


def entry(name: str, text: str, order: int = 0) -> Entry:
    """Return an entry whose matchers are written as text."""
    return Entry(name, order, parse_matchers(text))


@settings(max_examples=examples(120), deadline=None)
@given(rules, st.lists(labelsets, min_size=1, max_size=6))
def test_match_agrees_with_trying_every_matcher_when_rules_are_anything(
    written: list[tuple[Matcher, ...]], asked: list[dict[str, str]]
) -> None:
    """Absent labels, negatives, anchoring, newlines and priority are the naive loop's."""
    entries = [Entry(f"r{number}", -number, matchers) for number, matchers in enumerate(written)]

    index = Index.build(entries)

    for labels in asked:
        assert index.match(labels) == naive(entries, labels)


@settings(max_examples=examples(60), deadline=None)
@given(rules, labelsets)
def test_explain_agrees_with_the_index_when_rules_are_anything(
    written: list[tuple[Matcher, ...]], labels: dict[str, str]
) -> None:
    """A runbook is explained as matched exactly when the index finds it."""
    entries = [Entry(f"r{number}", number, matchers) for number, matchers in enumerate(written)]

    explained = tuple(entry.name for entry in entries if explain_labels(labels, entry.matchers).matched)

    assert explained == Index.build(entries).match(labels)


@settings(max_examples=examples(60), deadline=None)
@given(
    rules, st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.lists(matchers, max_size=3)), max_size=8), labelsets
)
def test_a_changed_index_agrees_with_one_built_anew_when_entries_come_and_go(
    written: list[tuple[Matcher, ...]], changes: list[tuple[bool, int, list[Matcher]]], labels: dict[str, str]
) -> None:
    """Adding, replacing and removing one entry at a time ends where building from the result does."""
    entries = {f"r{number}": Entry(f"r{number}", number, matchers) for number, matchers in enumerate(written)}
    index = Index.build(entries.values())

    for adds, number, changed in changes:
        name = f"r{number}"
        if adds:
            entries[name] = Entry(name, number, tuple(changed))
            index = index.with_added(entries[name])
        else:
            entries.pop(name, None)
            index = index.without(name)

    assert index.match(labels) == Index.build(entries.values()).match(labels)


def test_a_reader_keeps_its_index_when_another_is_made_from_it() -> None:
    """An index is a value: the old one still answers as before."""
    before = Index.build([entry("old", "alertname=A")])

    after = before.without("old").with_added(entry("new", "alertname=A"))

    assert before.match({"alertname": "A"}) == ("old",)
    assert after.match({"alertname": "A"}) == ("new",)


def test_names_come_in_order_of_priority_when_rules_are_filed_apart() -> None:
    """An exact rule, a pattern and a match-all come in the authors' order, not in that of the tables."""
    entries = [
        entry("all", "alertname =~ .+", 1),
        entry("prefix", "pod =~ db-.*", 2),
        entry("exact", "alertname = A", 3),
        entry("negative", "team != web", 0),
    ]

    assert Index.build(entries).match({"alertname": "A", "pod": "db-1"}) == ("negative", "all", "prefix", "exact")


@pytest.mark.parametrize("skewed", [False, True], ids=["uniform", "skewed"])
@pytest.mark.parametrize("most", [3_000, 100_000 if LONG else 10_000], ids=str)
def test_work_stays_flat_when_there_are_many_more_runbooks(most: int, skewed: bool) -> None:
    """Counted, not timed: look-ups grow by less than half, and few rules are tried in vain."""
    sizes = (100 if skewed else 10, most)
    counts = {}
    for size in sizes:
        entries = runbooks(size, skewed=skewed)
        counts[size] = count(entries, alerts(400, entries))

    assert counts[most].probes <= 1.5 * counts[sizes[0]].probes
    assert all(found.candidates <= 2 * found.matches + 1 for found in counts.values())


def test_a_crowd_behind_one_label_is_told_apart_by_its_patterns() -> None:
    """A thousand rules on one severity are not all tried: their patterns' beginnings find the one."""
    entries = [entry(f"r{number}", f'severity=critical, pod=~"svc-{number:04}-.*"') for number in range(1000)]

    counted = count(entries, [{"severity": "critical", "pod": "svc-0042-x"}])

    assert (counted.candidates, counted.matches) == (1, 1)


def test_a_huge_crowd_is_told_apart_by_inner_texts_when_its_patterns_have_no_edges() -> None:
    """Two hundred rules on one severity, each wanting a text in the middle: three characters of it find the few."""
    entries = [entry(f"r{number}", f'severity=critical, pod=~".*<{number:03}>.*"') for number in range(200)]

    counted = count(entries, [{"severity": "critical", "pod": "web<042>x"}])

    assert counted.matches == 1
    assert counted.candidates <= 20


def test_very_long_beginnings_still_find_their_rules() -> None:
    """A beginning longer than what is looked up is cut for the look-up and tested whole."""
    long = "x" * 60
    index = Index.build([entry("one", f"pod =~ {long}1.*"), entry("two", f'pod =~ "{long}2.*|y.*"')])

    assert index.match({"pod": long + "1z"}) == ("one",)
    assert index.match({"pod": long + "2z"}) == ("two",)
    assert index.match({"pod": "yes"}) == ("two",)


@pytest.mark.parametrize("skewed", [False, True], ids=["uniform", "skewed"])
def test_the_benchmarks_peers_give_the_indexs_answers(skewed: bool) -> None:
    """So what the benchmark compares is the cost of one and the same answer."""
    entries = runbooks(300, skewed=skewed)
    index = Index.build(entries)
    peers = [make(entries) for make in (naive_loop, compiled_loop, by_alert_name)]
    asked = alerts(200, entries)

    answers = [[find(labels) for labels in asked] for find in (index.match, *peers)]

    assert any(answers[0])
    assert answers[1:] == [answers[0]] * 3
