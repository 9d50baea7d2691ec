"""What lint knows of a set of runbooks: every seeded defect is found, and a clean set has none."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.loading.files import load_files
from runbook_engine.loading.set_analysis.analysis import analyse
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.shelves import Shelves
from runbook_engine.matching.regexes import compile_pattern
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import MatcherError
from runbook_engine.registry import Registry
from runbook_engine.resolution import VALIDATORS
from runbook_engine.templating import Templates
from tests.length import examples
from tests.unit.loading.clean_runbooks import write_clean_runbooks

DEFECTS = Path(__file__).parents[2] / "data" / "defects"
CONFIG = "engine.yaml"
NAMES = sorted(path.name for path in DEFECTS.glob("*.yaml") if path.name != CONFIG)
HARMLESS = DEFECTS.parent / "harmless"
HARMLESS_NAMES = sorted(path.name for path in HARMLESS.glob("*.yaml") if path.name != CONFIG)
SHIPPED = Path(__file__).parents[3] / "runbooks"

VALUES = ("", "a", "ab", "abc", "b", "ba", "cab", "prod", "a\n", "a\nb", "A", "a.b", "é", "éa", "a$", "^a", "-", "]")
TEXTS = st.sampled_from(("", "a", "ab", "b", "ba", "prod"))
PATTERNS = st.sampled_from(("a.*", "a.+", "ab.*", ".*", ".+", "a|b", "b.+", "(a|b)b?", ".*a", "prod|a", "[ab]+"))
PIECES = (
    *("a", "b", "ab", "é", ".", "^", "$", "|", "*", "+", "?", "+?", "-", "{", "a{2}", "a{0}", "b{0,1}", "[ab]", "[^b]"),
    *("[a-c]", "[]a]", "(a|b)", "(?:a|)", "(?i:a)", "(?s:.)", "(?i)", "(?s)", "(?m)^", r"\.", r"\w", r"\n", r"\$"),
    *(r"\Qa.b\E", r"\x61", r"\pL", r"\ba", r"\z"),
)


def _is_pattern(text: str) -> bool:
    try:
        compile_pattern(text)
    except MatcherError:
        return False
    return True


WRITTEN = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join).filter(_is_pattern)
MATCHERS = st.one_of(
    st.builds(Matcher, st.sampled_from(("x", "y")), st.sampled_from(("=", "!=")), TEXTS),
    st.builds(Matcher, st.sampled_from(("x", "y")), st.sampled_from(("=~", "!~")), PATTERNS | WRITTEN),
)
SETS = st.lists(MATCHERS, min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize("name", NAMES)
def test_seeded_defect_is_found_and_told_whole(name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly the codes in its first line, and the sentences beside it."""
    monkeypatch.chdir(DEFECTS)
    codes = Path(name).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split()

    loaded = load_files([name], registry, CONFIG, judge_set=analyse)

    assert codes == sorted({diagnostic.code for diagnostic in loaded.diagnostics})
    assert Path(name).with_suffix(".txt").read_text(encoding="utf-8") == "".join(
        f"{diagnostic}\n" for diagnostic in loaded.diagnostics
    )


def test_seeded_defects_are_many_when_counted() -> None:
    """At least forty, and no expectation is left without its file."""
    assert {path.stem for path in DEFECTS.glob("*.txt")} == {Path(name).stem for name in NAMES}
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_harmless_pair_has_no_finding_when_it_only_looks_like_a_defect(name: str, registry: Registry) -> None:
    """Told apart by what matchers, inputs, modes or guardrails say."""
    loaded = load_files([HARMLESS / name], registry, HARMLESS / CONFIG, judge_set=analyse)

    assert () == loaded.diagnostics
    assert loaded.bundle.runbooks


def test_clusters_may_be_one_when_an_input_has_a_default(registry: Registry, tmp_path: Path) -> None:
    """Matchers of a label do not tell all where the label may be absent."""
    text = (HARMLESS / "clusters-told-apart-by-matchers.yaml").read_text(encoding="utf-8")
    first, second = text.replace("= prod-a", "!= prod-b").split("---")
    defaulted = first.replace("from: alert.labels.cluster", "from: alert.labels.cluster, default: prod-b")
    (tmp_path / "runbooks.yaml").write_text(f"{defaulted}---{second}", encoding="utf-8")

    loaded = load_files([tmp_path], registry, HARMLESS / CONFIG, judge_set=analyse)

    assert ["two-owners"] == [found.code for found in loaded.diagnostics]


def test_clean_set_has_no_finding_when_it_comes_near_many(tmp_path: Path, registry: Registry) -> None:
    """Sixty runbooks, among them near misses of most kinds."""
    write_clean_runbooks(tmp_path)

    loaded = load_files([tmp_path], registry, judge_set=analyse)

    assert () == loaded.diagnostics
    assert 60 == len(loaded.bundle.runbooks)


def test_shipped_runbooks_have_no_finding_as_a_set(registry: Registry) -> None:
    """What we ship stands up to our own analysis."""
    loaded = load_files([SHIPPED], registry, SHIPPED / CONFIG, judge_set=analyse)

    assert () == loaded.diagnostics


def test_runbooks_are_not_analysed_when_they_are_only_loaded(registry: Registry, tmp_path: Path) -> None:
    """What lint doubts, an engine still loads: only lint asks for the analysis."""
    text = (DEFECTS / "two-names-at-once.yaml").read_text(encoding="utf-8")
    (tmp_path / "one.yaml").write_text(text)

    assert () == load_files([tmp_path], registry).diagnostics
    assert ["never-matches"] == [found.code for found in load_files([tmp_path], registry, judge_set=analyse).errors]


def test_meta_labels_have_few_values_when_they_are_compared() -> None:
    """An alert has some severity of ours, and cannot have another."""
    name = Matcher("alertname", "=", "A")
    grave, any_, strange = (Matcher("__severity__", "=~", pattern) for pattern in ("critical|high", ".+", "crit"))

    assert Conjunction([name]).implies(Conjunction([any_]))
    assert not Conjunction([name]).implies(Conjunction([grave]))
    assert Conjunction([grave]).excludes(Conjunction([Matcher("__severity__", "!~", "critical|high|warning")]))
    assert "__severity__" == Conjunction([name, strange]).impossible


@pytest.mark.slow
def test_few_are_tried_when_a_thousand_are_alike_but_for_their_names() -> None:
    """The time that lint takes grows with the number of runbooks, not with its square."""
    sets = [[Matcher("alertname", "=~", f"Alert{number}x.+"), Matcher("team", "=", "a")] for number in range(1000)]
    pairs = [(number, Conjunction(matchers)) for number, matchers in enumerate(sets)]

    shelves = Shelves(pairs)

    assert 1000 == sum(len(list(shelves.that_may_hold(conjunction))) for _, conjunction in pairs)


@pytest.mark.slow
@given(SETS, SETS)
@settings(max_examples=examples(300), deadline=None)
def test_proof_is_true_when_every_alert_is_tried(one: tuple[Matcher, ...], other: tuple[Matcher, ...]) -> None:
    """What is proven of two sets of matchers holds for every alert; nothing that is possible is called impossible."""
    mine, theirs = Conjunction(one), Conjunction(other)
    by_one, by_other = _accepted(one), _accepted(other)

    if mine.implies(theirs):
        assert by_one <= by_other
    if mine.excludes(theirs):
        assert by_one.isdisjoint(by_other)
    if mine.impossible is not None:
        assert not by_one


@pytest.mark.slow
@given(st.lists(SETS, min_size=1, max_size=6))
@settings(max_examples=examples(150), deadline=None)
def test_shelves_lose_nobody_when_one_is_proven_to_hold(sets: list[tuple[Matcher, ...]]) -> None:
    """Whoever is proven to accept every alert of another one is among those that are tried for it."""
    pairs = [(number, Conjunction(matchers)) for number, matchers in enumerate(sets)]
    possible = [pair for pair in pairs if pair[1].impossible is None]
    shelves = Shelves(possible)

    for _, conjunction in possible:
        wanted = {number for number, theirs in possible if conjunction.implies(theirs)}

        assert wanted <= {number for number, _ in shelves.that_may_hold(conjunction)}


def _accepted(matchers: tuple[Matcher, ...]) -> set[tuple[str, str]]:
    """Return the values of both labels that all hold for, by RE2 itself, and not by what we read in a pattern."""
    first, second = (
        [value for value in VALUES if all(_holds(matcher, value) for matcher in matchers if matcher.name == label)]
        for label in ("x", "y")
    )
    return set(product(first, second))


def _holds(matcher: Matcher, value: str) -> bool:
    same = value == matcher.value if matcher.op in ("=", "!=") else re2.fullmatch(matcher.value, value) is not None
    return same is not matcher.is_negative


@pytest.mark.parametrize(
    ("parameter", "typed", "tenant", "changes"),
    [
        pytest.param("/shop/{{ inputs.feature }}", "namespace", "acme", "/shop/acme", id="a part of the path"),
        pytest.param("{{ inputs.feature }}", "parameter", "/shop/acme", "/shop/acme", id="the whole path"),
        pytest.param("{{ inputs.feature }}/limit", "parameter", "/shop", "/shop/limit", id="its beginning"),
    ],
)
def test_the_type_that_is_advised_takes_what_is_meant(
    parameter: str, typed: str, tenant: str, changes: str, tmp_path: Path, registry: Registry
) -> None:
    """Whoever does as the hint says is not warned again, and the run finds the name."""
    written = (DEFECTS / "parameter-of-any-text.yaml").read_text().replace("/shop/{{ inputs.feature }}", parameter)
    file = tmp_path / "shop.yaml"
    file.write_text(written)
    [warning] = load_files([tmp_path], registry, judge_set=analyse).diagnostics
    file.write_text(written.replace("type: string", f"type: {typed}"))

    mended = load_files([tmp_path], registry, judge_set=analyse)

    assert warning.hint.startswith(f"declare an input of type {typed}, ")
    assert () == tuple(mended.diagnostics)
    assert VALIDATORS[mended.bundle.runbooks[0].inputs[0].type][0].fullmatch(tenant)
    assert changes == Templates().render(parameter, {"inputs": {"feature": tenant}})
