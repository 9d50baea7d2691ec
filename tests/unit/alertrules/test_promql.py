"""The labels that an expression leaves on its results, where its outside tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.alertrules.carried import UNKNOWN, Carried
from runbook_engine.alertrules.promql import carried_labels

KNOWN = [
    ("sum(rate(x[5m])) > 1", "", ""),
    ("sum by (a, b) (rate(x[5m])) > 1", "a b", "a b"),
    ("sum(rate(x[5m])) by (a) > bool 1", "a", "a"),
    ("1 < max by (a) (x)", "a", "a"),
    ("-(max by (a) (x))", "a", "a"),
    ("time() - max by (job) (last_success) > 3600", "job", "job"),
    ("sum by (a) (sum by (b) (x))", "", ""),
    ("sum by (a) (some_new_function(x, y))", "a", "a"),
    ("sum without (b) (sum by (a, b) (x))", "a", "a"),
    ("topk(3, sum by (a) (x))", "a", "a"),
    ('count_values("version", sum by (a) (x))', "version", "version"),
    ("sum by (a) (x) or sum by (a, b) (y)", "a", "a b"),
    ("sum by (a) (x) and on (b) y", "a", "a"),
    ("sum by (a) (x) unless sum(y)", "a", "a"),
    ("sum by (a, b) (x) / on (a) sum by (a) (y)", "a", "a"),
    ("sum by (a, b) (x) / ignoring (b) sum by (a) (y)", "a", "a"),
    ("sum by (a, b) (x) / on (a) group_left (team) y", "a b", "a b team"),
    ("y * on (a) group_right (team) sum by (a, b) (x)", "a b", "a b team"),
    ("sum by (a, b) (x) / sum by (a, b) (y) > 0.5", "a b", "a b"),
    ("sum by (a) (x) ^ 2 ^ 2", "a", "a"),
    ('absent(up{job="x", env=~"a|b"})', "job", "job"),
    ('absent(up{job="x", job=~"x|y", env=""})', "", ""),
    ('absent(up{job=~"x|y", job="x"})', "job", "job"),
    ("absent(sum(up))", "", ""),
    ("vector(1)", "", ""),
    ("histogram_quantile(0.99, sum by (le, a) (rate(x_bucket[5m]))) > 1", "a", "a"),
    ('label_replace(sum by (a) (x), "b", "$1", "a", "(.*)")', "a", "a b"),
    ("max_over_time(sum by (a) (x)[1h:5m] offset 5m) > 1", "a", "a"),
    ("sum by (a) (x @ start())", "a", "a"),
    ("sum by (a) (x) > # a comment\n 1e-5", "a", "a"),
    ("predict_linear(sum by (a) (x)[1h:], 4 * 3600) < 0", "a", "a"),
]
OPEN = [
    ("up == 0", ""),
    ("sum without (pod) (x)", ""),
    ('x{a="1", b!="", c=~".+", d=~".*", e!="2", f=""} > 1', "a b c"),
    ('rate(x{a="1"}[5m]) > 0', "a"),
    ("x / on (a) group_left (b) y", ""),
    ('x{a="1"} * on (a) group_left (b) y', "a"),
]


@pytest.mark.parametrize(("expression", "sure", "may"), KNOWN, ids=[each[0] for each in KNOWN])
def test_labels_are_listed_when_the_outside_of_an_expression_tells(expression: str, sure: str, may: str) -> None:
    """Those that are there for sure, and all that may be."""
    found = carried_labels(expression)

    assert Carried(frozenset(sure.split()), frozenset(may.split())) == Carried(found.sure, found.may)


@pytest.mark.parametrize(("expression", "sure"), OPEN, ids=[each[0] for each in OPEN])
def test_other_labels_are_possible_when_nothing_aggregates(expression: str, sure: str) -> None:
    """What a selector demands is there, and nobody can say what else."""
    found = carried_labels(expression)

    assert Carried(frozenset(sure.split()), None) == Carried(found.sure, found.may)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "((",
        "sum by",
        "sum by (a",
        "x y",
        "new_function(x)",
        "1 + 1",
        "x{",
        'x{a="',
        "€",
        "(" * 500 + "x",
        "x" * 30_000,
    ],
    ids=lambda expression: expression[:20] or "nothing",
)
def test_an_expression_is_unknown_when_it_is_not_understood(expression: str) -> None:
    """No error, and no claim."""
    assert carried_labels(expression) == UNKNOWN


PARTS = (*'ab(){}[]",=~!<>+-*/^%@# \\\n1', "sum", " by ", " on ", "topk", "absent")


@given(st.lists(st.sampled_from(PARTS)))
def test_any_text_is_read_without_an_error(parts: list[str]) -> None:
    """Rule files are other people's text."""
    found = carried_labels("".join(parts))

    assert found.may is None or found.sure <= found.may
