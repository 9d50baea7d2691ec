"""What the index and the memory of a comparison save must not be seen: it equals judging every pair by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.backtest.difference import compare
from runbook_engine.engine import parse_request
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Input, ModeRule, Runbook
from runbook_engine.model.target import TargetTemplate
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import simulated_engine
from tests.length import examples
from tests.scenario.rig import configuration, runbook
from tests.unit.backtest.histories import REGISTRY, fires

pytestmark = pytest.mark.slow

WORDS = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(st.sampled_from(["part", "zone", "alertname"]), WORDS, min_size=1)
MATCHERS = st.lists(
    st.builds(
        lambda name, op, value: Matcher(name, op, value),
        st.sampled_from(["part", "zone", "alertname"]),
        st.sampled_from(["=", "!=", "=~"]),
        st.sampled_from(["a", "b", "a|c"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
MODES = st.sampled_from(["propose", "auto"]).map(lambda mode: (ModeRule(mode=mode),)) | MATCHERS.map(
    lambda matchers: (ModeRule(mode="approve", matchers=matchers), ModeRule(mode="auto"))
)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Runbook, ...]:
    """Return some runbooks whose plans hang on labels."""
    return tuple(
        runbook(
            name=f"runbook-{number}",
            digest=f"{number}-{draw(st.integers())}",
            matchers=draw(MATCHERS),
            mode=draw(MODES),
            inputs=(Input(name="part", type="workload", path=("alert", "labels", "part"), default="none"),),
            target=TargetTemplate(kind="deployment", name="{{ inputs.part }}", namespace=draw(st.sampled_from("xy"))),
        )
        for number in range(draw(st.integers(1, 3)))
    )


@settings(max_examples=examples(60), deadline=None)
@given(sides(), sides(), st.lists(LABELS, min_size=1, max_size=12))
def test_every_alert_is_counted_as_if_it_were_alone(
    old: tuple[Runbook, ...], new: tuple[Runbook, ...], told: list[dict[str, str]]
) -> None:
    """Gained, lost, changed and the same, by the engine's own matching and its own plan of each alert."""
    installation = configuration(targets=("deployment=*/*",))
    before, after = Bundle(old, installation), Bundle(new, installation)
    history = [fires(number, **labels) for number, labels in enumerate(told)]
    engines = [simulated_engine(bundle, SimulatedWorld()) for bundle in (before, after)]
    expected: Counter[tuple[str, str]] = Counter()
    for recorded in history:
        (alert,) = parse_request(recorded.request("local"), installation, REGISTRY).alerts
        ours, theirs = ({each.runbook.name: each for each in engine.match(alert)} for engine in engines)
        for name in ours.keys() | theirs.keys():
            expected[name, _kind(name, ours, theirs)] += 1

    found = compare(before, after, history, REGISTRY, names=("old", "new"), scope="local")

    counted = {
        (each.runbook, kind): getattr(each, kind)
        for each in found.runbooks
        for kind in ("gained", "lost", "changed", "same")
        if getattr(each, kind)
    }
    differing = {name for name, kind in expected if kind != "same"}
    assert {key: number for key, number in expected.items() if key[0] in differing} == counted


def _kind(name: str, ours: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    if name not in theirs:
        return "lost"
    if name not in ours:
        return "gained"
    return "same" if _decided(ours[name]) == _decided(theirs[name]) else "changed"


def _decided(matched: object) -> tuple[str, str]:
    return matched.mode, matched.runbook.target.namespace  # type: ignore[attr-defined]  # a Matched
