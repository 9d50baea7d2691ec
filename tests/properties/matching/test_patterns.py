"""What is read from a pattern is true of every text that RE2 accepts for it."""

from __future__ import annotations

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_engine.matching.conditions import pattern_test
from runbook_engine.matching.patterns import beginnings, endings, finite, inner_text, read_branches
from runbook_engine.model.matcher_grammar import MatcherError
from tests.length import examples

pytestmark = pytest.mark.slow

ATOMS = ("a", "b", "c", "1", "-", " ", "é", ",", "]", "{", "}", ".", "^", "$", "[ab]", "[^a]", "[a-c]", "[]a]", "[a-]")
ESCAPED = (
    "\\.",
    "\\d",
    "\\w",
    "\\n",
    "\\b",
    "\\-",
    "\\_",
    "\\é",
    "\\x61",
    "\\pL",
    "\\Qa\\E",
    "[[:alpha:]]",
    "(?i)",
    "(?s)",
)
atoms = st.sampled_from((*ATOMS, *ESCAPED))
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "*?", "??", "{b}", "{"])
patterns = st.recursive(
    st.lists(st.tuples(atoms, repeats).map("".join), max_size=5).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(st.sampled_from(["(", "(?:"]), inner, repeats).map(lambda parts: f"{parts[0]}{parts[1]}){parts[2]}"),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=5,
)
texts = st.text(alphabet="abcABC1-. \n{}],é_", max_size=6)


def accepted(pattern: str) -> object:
    """Return the pattern as RE2 compiles it, None where it does not."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


@settings(max_examples=examples(120), deadline=None)
@given(patterns, st.lists(texts, min_size=5, max_size=20))
@example("xyza{b|c}", ["c}", "xyzab"])
@example("abc^*", ["abc"])
@example("a\\.b.*", ["a.b", "axb", "a.bc\n", "a.b-"])
@example(".+\\-1", ["-1", "a-1", "\n-1"])
def test_a_condition_agrees_with_re2_when_the_pattern_is_anything(pattern: str, asked: list[str]) -> None:
    """Short cuts and RE2 give the same answer, and what RE2 refuses is refused."""
    compiled = accepted(pattern)
    if compiled is None:
        with pytest.raises(MatcherError):
            pattern_test(pattern)
        return

    test = pattern_test(pattern)

    assert [bool(test(text)) for text in asked] == [compiled.fullmatch(text) is not None for text in asked]


@settings(max_examples=examples(120), deadline=None)
@given(patterns, st.lists(texts, min_size=5, max_size=20))
@example("xyza{b|c}", ["c}", "xyzab"])
def test_literals_are_in_every_match_when_the_pattern_is_anything(pattern: str, asked: list[str]) -> None:
    """A text that RE2 accepts has one of the beginnings and endings, and contains the inner text."""
    compiled = accepted(pattern)
    if compiled is None:
        return
    branches = read_branches(pattern)
    every = finite(branches)

    for text in [*asked, *(every or ())]:
        if compiled.fullmatch(text) is None:
            continue
        assert not (found := beginnings(branches)) or any(text.startswith(start) for start in found)
        assert not (found := endings(branches)) or any(text.endswith(end) for end in found)
        assert inner_text(branches) in text


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        pytest.param("critical|high", {"critical", "high"}, id="alternatives"),
        pytest.param("db-(1|2)", {"db-1", "db-2"}, id="a group"),
        pytest.param("^eu\\.west$", {"eu.west"}, id="superfluous anchors"),
        pytest.param("colou?r", {"color", "colour"}, id="an optional letter"),
        pytest.param("[ab]x", {"ax", "bx"}, id="a small class"),
        pytest.param("a.*", None, id="anything after"),
        pytest.param("(?i)a", None, id="flags"),
        pytest.param("[a-z]", None, id="a range"),
        pytest.param("(" * 40 + "a" + ")" * 40, None, id="too deep to read"),
    ],
)
def test_a_pattern_is_listed_when_it_accepts_few_texts(pattern: str, values: set[str] | None) -> None:
    """Small sets become exact keys; everything else stays a pattern."""
    assert finite(read_branches(pattern)) == values


def test_the_literal_parts_are_found_when_a_pattern_has_them() -> None:
    """The parts that the index files rules under."""
    branches = read_branches("(ip|host)-10-.*-disk-.*(full|ro)")

    assert beginnings(branches) == {"ip-10-", "host-10-"}
    assert endings(branches) == {"full", "ro"}
    assert inner_text(branches) == "-disk-"
