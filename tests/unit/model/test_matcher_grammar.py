"""Matchers are written in Alertmanager's UTF-8 grammar; what only its older grammar takes is refused with a remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import MatcherError, parse_matcher, parse_matchers, render_matcher

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def triples(text: str) -> list[tuple[str, str, str]]:
    """Return what was read, without where it stood."""
    return [(matcher.name, matcher.op, matcher.value) for matcher in parse_matchers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{a="b",}', [("a", "=", "b")], id="braces and a trailing comma"),
        pytest.param("a=b, c!=d", [("a", "=", "b"), ("c", "!=", "d")], id="bare"),
        pytest.param("{}", [], id="an empty set"),
        pytest.param("", [], id="nothing"),
        pytest.param(" alertname =~ .+ ", [("alertname", "=~", ".+")], id="space between tokens"),
        pytest.param("a !~ critical|high", [("a", "!~", "critical|high")], id="a pattern without quotes"),
        pytest.param('a="x\\ty"', [("a", "=", "x\ty")], id="a tab escape"),
        pytest.param('a="\\xf0\\x9f\\x99\\x82"', [("a", "=", "🙂")], id="bytes that add up to a character"),
        pytest.param('a="\\u00e9\\U0001F642\\101"', [("a", "=", "é🙂A")], id="runes and octal"),
        pytest.param("k8s.pod=x", [("k8s.pod", "=", "x")], id="a dotted name"),
        pytest.param("équipe=x", [("équipe", "=", "x")], id="a name beyond ASCII"),
        pytest.param('"k8s pod"="x y"', [("k8s pod", "=", "x y")], id="a quoted name"),
        pytest.param('a=""', [("a", "=", "")], id="an empty value in quotes"),
        pytest.param('a="}"', [("a", "=", "}")], id="a brace in quotes"),
        pytest.param("a=b\u2003", [("a", "=", "b")], id="an em space is space"),
        pytest.param("a=b\x1cc", [("a", "=", "b\x1cc")], id="a file separator is no space"),
    ],
)
def test_matchers_are_read_when_the_text_is_in_the_grammar(text: str, expected: list[tuple[str, str, str]]) -> None:
    """The readings of the reference sheet's table."""
    assert triples(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence", "offset"),
    [
        pytest.param("{,}", 'expected a label name, found ","', 1, id="only a comma"),
        pytest.param("a=b,,c=d", 'expected a label name, found "," (did you mean a="b", c="d")', 4, id="two commas"),
        pytest.param("a=", 'expected a value after =, found the end (did you mean a="")', 2, id="no value"),
        pytest.param(
            '{a="b"', 'expected a comma or the end, found the end (did you mean a="b")', 6, id="an open brace"
        ),
        pytest.param('a="b"}', 'expected a comma or the end, found "}" (did you mean a="b")', 5, id="a stray brace"),
        pytest.param(
            "{a=b}}",
            'expected nothing after the closing brace, found "}" (did you mean a="b}")',
            5,
            id="a brace too many",
        ),
        pytest.param("a=~~~", '~ must be inside double quotes (did you mean a=~"~~")', 3, id="tildes"),
        pytest.param(
            'a="\\d+"',
            '\\d is not an escape (a backslash itself is written \\\\) (did you mean a="\\\\d+")',
            3,
            id="a pattern's escape",
        ),
        pytest.param(
            "a=~x.{2}",
            'expected a comma or the end, found "{" (did you mean a=~"x.{2}")',
            5,
            id="a repetition without quotes",
        ),
        pytest.param(
            "alertname = Disk Full",
            'expected a comma or the end, found "Full" (did you mean alertname="Disk Full")',
            17,
            id="a value of two words",
        ),
        pytest.param("a='b'", '\' must be inside double quotes (did you mean a="b")', 2, id="single quotes"),
        pytest.param("a == b", 'expected a value after =, found "=" (did you mean a="b")', 3, id="two equals signs"),
        pytest.param("a", 'expected =, !=, =~ or !~ after "a", found the end', 1, id="only a name"),
        pytest.param("a ! b", "! must be followed by = or ~", 2, id="half an operator"),
        pytest.param('""=x', "a label name cannot be empty", 0, id="an empty name"),
        pytest.param('a="b', "the double quote is not closed", 2, id="an open quote"),
        pytest.param(
            'a="b\nc"',
            'a line break inside double quotes is written \\n (did you mean a="b\\nc")',
            4,
            id="a line break",
        ),
        pytest.param(
            'a="\\xff"',
            'the escapes inside the double quotes do not add up to valid UTF-8 (did you mean a="\\\\xff")',
            2,
            id="bytes that are no character",
        ),
        pytest.param(
            'a="\\ud800"',
            'the escape does not name a Unicode character (did you mean a="\\\\ud800")',
            3,
            id="half a surrogate pair",
        ),
        pytest.param('a="b" c="d"', 'expected a comma or the end, found "c"', 6, id="no comma"),
    ],
)
def test_a_set_is_refused_with_a_remedy_when_it_is_not_in_the_grammar(text: str, sentence: str, offset: int) -> None:
    """The offset points at the character, the hint is the text in the grammar."""
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)

    assert (str(caught.value), caught.value.offset) == (sentence, offset)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{a=b}", 'a single matcher is written without braces (did you mean a="b")', id="braces"),
        pytest.param('a="b"}', 'a single matcher is written without braces (did you mean a="b")', id="a last brace"),
        pytest.param(
            "a=b, c=d", "expected one matcher, found 2 matchers (write one list item for each matcher)", id="two"
        ),
        pytest.param("", "expected one matcher, found no matcher (write one list item for each matcher)", id="none"),
    ],
)
def test_a_single_matcher_is_refused_when_it_is_not_exactly_one(text: str, sentence: str) -> None:
    """A list item of a runbook is one matcher."""
    with pytest.raises(MatcherError) as caught:
        parse_matcher(text)

    assert str(caught.value) == sentence


@given(texts.filter(bool), st.sampled_from(("=", "!=", "=~", "!~")), texts)
def test_a_matcher_is_read_back_when_it_was_rendered(name: str, op: str, value: str) -> None:
    """Any name and any value survive the round trip."""
    rendered = render_matcher(Matcher(name=name, op=op, value=value))

    assert triples(rendered) == [(name, op, value)]
    assert triples("{" + rendered + "," + rendered + ",}") == [(name, op, value)] * 2


@given(st.text(st.sampled_from("ab{}!=~,\\\"'` \n$(|x0"), max_size=14))
def test_any_text_is_read_or_refused_with_a_hint_that_can_be_read(text: str) -> None:
    """Nothing else is ever raised, and following the hint works."""
    error = refusal(text)
    if error is None:
        return

    assert 0 <= error.offset <= len(text)
    assert not error.hint or parse_matchers(error.hint.removeprefix("did you mean "))


def refusal(text: str) -> MatcherError | None:
    """Return the error with which the text is refused, None where it is read."""
    try:
        parse_matchers(text)
    except MatcherError as error:
        return error
    return None


def test_a_matcher_keeps_the_text_that_its_author_wrote() -> None:
    """Explanations show the author's own words."""
    first, second = parse_matchers('{ alertname = A , pod=~"x.*" }')

    assert (first.text, second.text) == ("alertname = A", 'pod=~"x.*"')
