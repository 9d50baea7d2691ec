"""Patterns are RE2's, and a bad one is refused with a sentence when it is loaded."""

from __future__ import annotations

import sys

import pytest
import re2

from benchmarks.hostile import VALUES, entries
from runbook_engine.matching.conditions import pattern_test
from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry
from runbook_engine.matching.prepared import load_index, prepare_index
from runbook_engine.matching.regexes import compile_pattern
from runbook_engine.matching.shapes import shape_of
from runbook_engine.model.matcher_grammar import MatcherError


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        pytest.param(
            "(?!web).*",
            '"(?!web).*" is not a valid RE2 pattern: invalid perl operator: (?!'
            " (RE2 has no look-around; write two matchers, one of them with !~)",
            id="look-around",
        ),
        pytest.param(
            "(a)\\1",
            '"(a)\\1" is not a valid RE2 pattern: invalid escape sequence: \\1 (RE2 has no back-references)',
            id="a back-reference",
        ),
        pytest.param(
            "*-prod",
            '"*-prod" is not a valid RE2 pattern: no argument for repetition operator: *'
            " (this is a regular expression and not a glob; any text is .*)",
            id="a glob",
        ),
        pytest.param("(a", '"(a" is not a valid RE2 pattern: missing ): (a', id="an open group"),
        pytest.param("a++", '"a++" is not a valid RE2 pattern: bad repetition operator: ++', id="a possessive plus"),
    ],
)
def test_a_pattern_is_refused_when_re2_does_not_take_it(pattern: str, sentence: str) -> None:
    """The sentence says what is wrong and what to write instead."""
    with pytest.raises(MatcherError) as caught:
        pattern_test(pattern)

    assert str(caught.value) == sentence


def test_a_pattern_is_refused_when_re2_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no stand-in for RE2."""
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(MatcherError) as caught:
        compile_pattern("a[0-9]+")

    assert str(caught.value) == (
        'the pattern "a[0-9]+" needs the RE2 library, which is not installed (pip install google-re2)'
    )


def test_a_hostile_value_is_refused_quickly_when_a_backtracker_would_hang() -> None:
    """(a+)+ on thirty thousand letters is linear work, so this ends at all."""
    matches = compile_pattern("(a+)+")

    assert not matches("a" * 30_000 + "b")


@pytest.mark.parametrize("hostile", entries(), ids=lambda entry: entry.matchers[0].value)
def test_a_hostile_pattern_runs_on_re2_when_the_index_is_built(hostile: Entry) -> None:
    """No pattern that makes a backtracker hang is tested by anything else, and its answer is RE2's."""
    (matcher,) = hostile.matchers
    index = Index.build([hostile])

    found = [bool(index.match({matcher.name: value})) for value in VALUES]

    assert shape_of(matcher).kind == "matches"
    assert found == [re2.fullmatch(matcher.value, value) is not None for value in VALUES]


@pytest.mark.parametrize("hostile", entries(), ids=lambda entry: entry.matchers[0].value)
def test_a_hostile_pattern_is_refused_when_re2_is_not_installed(
    hostile: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the index is built, and when a prepared one is loaded: not when the first alert comes."""
    prepared = prepare_index([hostile])
    monkeypatch.setitem(sys.modules, "re2", None)

    for load in (lambda: Index.build([hostile]), lambda: load_index(prepared, [hostile])):
        with pytest.raises(MatcherError) as caught:
            load()

        assert str(caught.value) == (
            f'the pattern "{hostile.matchers[0].value}" needs the RE2 library, which is not installed '
            "(pip install google-re2)"
        )


def test_a_pattern_matches_the_whole_text_only() -> None:
    """Anchored at both ends, a dot is no line break, and a final line break is not the end."""
    matches = compile_pattern("db-[0-9].*")

    assert [bool(matches(text)) for text in ("db-1", "xdb-1", "db-1\n", "db-1\nx", "")] == [
        True,
        False,
        False,
        False,
        False,
    ]
