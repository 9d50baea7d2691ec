"""What the web page makes of values: charts, links, and runbooks in words."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from runbook_engine.entrypoints.server.web.figures import HEIGHT, Figure, Moment, Points, draw
from runbook_engine.entrypoints.server.web.links import safe_link
from runbook_engine.entrypoints.server.web.rules import list_guardrails, list_step, say_mode, say_target
from runbook_engine.model.check import DoNoHarm, QueryCheck, ReadyCheck
from runbook_engine.model.guardrail import BlastRadius, BudgetRule, Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Approval, GroupRule, ModeRule, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.testing.clock import EPOCH

MINUTE = timedelta(minutes=1)
BELOW = QueryCheck(query="errors", comparison="below", value=0.02)


def at(*values: float, start: int = 0) -> Points:
    """Return one value a minute."""
    return [(EPOCH + MINUTE * (start + index), value) for index, value in enumerate(values)]


def drawn(points: Points, check: QueryCheck = BELOW, *moments: Moment) -> Figure:
    """Return the figure, which there is."""
    figure = draw("it", check, points, moments)
    assert figure is not None
    return figure


def moment(minute: float, sign: str) -> Moment:
    """Return something that happened."""
    return Moment(EPOCH + MINUTE * minute, sign, "ours", f"{sign} happened")


def test_figure_says_in_a_sentence_what_it_shows() -> None:
    """Who cannot see it hears the ends, the extremes and the goal."""
    figure = drawn(at(0.004, 0.12, 0.08))

    assert figure.says == "errors from 0.004 to 0.08, between 0.004 and 0.12; the goal is below 0.02."
    assert [value for _, value in figure.rows] == ["0.004", "0.12", "0.08"]
    assert (figure.lowest, figure.highest) == ("0", "0.12")


def test_figure_stays_inside_its_frame() -> None:
    """A larger value stands higher; zero is the floor."""
    figure = drawn(at(0.0, 0.12))
    (line,) = figure.lines

    assert line == f"{figure.left}.0,{figure.bottom}.0 {figure.right}.0,{figure.top}.0"


@pytest.mark.parametrize(
    ("comparison", "above_goal"),
    [
        pytest.param("below", False, id="below: the band lies under the goal"),
        pytest.param("above", True, id="above: it lies over it"),
    ],
)
def test_band_lies_where_the_goal_is_met(comparison: str, above_goal: bool) -> None:
    """It is shaded."""
    check = QueryCheck(query="errors", comparison=comparison, value=0.05)  # type: ignore[arg-type]
    figure = drawn(at(0.0, 0.1), check)

    assert figure.aim is not None
    top, height = figure.aim
    assert (top < figure.goal_y) is above_goal
    assert top + height == (figure.goal_y if above_goal else figure.bottom)


def test_equal_goal_has_a_line_and_no_band() -> None:
    """There is no side of it on which it is met."""
    assert drawn(at(1, 2), QueryCheck(query="errors", comparison="equals", value=1)).aim is None


def test_gap_is_not_drawn_over() -> None:
    """Nobody knows what was between."""
    figure = drawn([*at(1, 1, 1), *at(2, 2, start=60), *at(3, start=120)])

    assert len(figure.lines) == 2
    assert len(figure.dots) == 1


def test_what_is_no_number_is_left_out() -> None:
    """Nothing at all is no figure."""
    assert len(drawn(at(1, math.nan, 2, math.inf)).rows) == 2
    assert draw("it", BELOW, at(math.nan)) is None
    assert draw("it", BELOW, ()) is None


def test_one_value_and_a_flat_line_can_be_drawn() -> None:
    """Also where everything is zero."""
    assert len(drawn(at(0)).dots) == 1
    assert drawn(at(0, 0), QueryCheck(query="errors", comparison="below", value=0)).goal_y <= HEIGHT


def test_long_series_has_a_short_table() -> None:
    """With its first and its last value."""
    figure = drawn(at(*range(1000)))

    assert len(figure.rows) <= 25
    assert (figure.rows[0][1], figure.rows[-1][1]) == ("0", "999")


def test_signs_close_together_stand_one_above_the_other() -> None:
    """And what happened outside of the chart has none."""
    figure = drawn(at(*[1.0] * 61), BELOW, moment(-5, "x"), moment(10, "1"), moment(10.5, "2"), moment(50, "3"))

    assert [(mark.moment.sign, mark.row) for mark in figure.marks] == [("1", 0), ("2", 1), ("3", 0)]


@pytest.mark.parametrize(
    "address", ["http://prometheus.example:9090/graph?g0.expr=up", "https://grafana.example/d/x#panel"]
)
def test_address_of_the_web_is_a_link(address: str) -> None:
    """As it is."""
    assert safe_link(address) == address


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("JaVaScRiPt:alert(1)", id="script in any spelling"),
        pytest.param("data:text/html,<script>", id="data"),
        pytest.param("//evil.example/", id="without a scheme"),
        pytest.param("/do/pause", id="a path of ours"),
        pytest.param("http://", id="no host"),
        pytest.param("https://bank.example@evil.example/", id="a name before the host"),
        pytest.param("https://exa\u202emple/", id="reversed"),
        pytest.param("https://bаnk.example/", id="letters that look alike"),
        pytest.param("https://x/\njavascript:", id="line break"),
        pytest.param("https://[x/", id="broken"),
        pytest.param("https://x/" + "y" * 3000, id="very long"),
        pytest.param("", id="nothing"),
    ],
)
def test_any_other_address_is_text(address: str) -> None:
    """Nobody is led there by pressing on it."""
    assert safe_link(address) == ""


def test_every_guardrail_is_told_in_words() -> None:
    """Those that are absent are not."""
    step = Step(name="go", action="scale")
    plain = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)
    strict = Guardrails(
        cooldown=30 * MINUTE,
        deadline=40 * MINUTE,
        budget=BudgetRule(changes=1, per="service", window=timedelta(hours=1)),
        minimum_fault_age=2 * MINUTE,
        blast_radius=BlastRadius(
            limits={"nodesUnavailable": {"max": 1, "maxPercent": 10}}, protect={"nodeLabels": ("master",)}
        ),
        gitops="allowDrift",
    )
    common = {"name": "it", "owner": "team", "matchers": (), "target": TargetTemplate(kind="none"), "steps": (step,)}
    few = Runbook(**common, guardrails=plain)  # type: ignore[arg-type]
    many = Runbook(
        **common,  # type: ignore[arg-type]
        guardrails=strict,
        group=GroupRule(wait=MINUTE, max_targets=2),
        do_no_harm=DoNoHarm(query="latency", rises_by=0.25, floor=1.0),
    )

    assert [name for name, _ in list_guardrails(few)] == ["cooldown", "deadline", "stepCap", "gitops"]
    assert list_guardrails(many)[2:] == (
        ("budget", "no more than 1 change of each service within 1h, whichever runbook makes them"),
        ("minimumFaultAge", "nothing before the alert fires for 2m"),
        ("group", "no more than 2 targets at once; above that everything is held and somebody is paged"),
        ("stepCap", "one change moves a number by no more than 100% up or 50% down"),
        ("blastRadius", "nodesUnavailable: no more than 1 or 10 %"),
        ("blastRadius", "never nodeLabels: master"),
        ("doNoHarm", "stop and undo when latency rises by more than 25% to 1 or more"),
        ("gitops", "what is owned by git is changed all the same"),
    )


def test_step_is_told_in_words() -> None:
    """What it is given, on what terms, and what becomes of it afterwards."""
    step = Step(
        name="go",
        action="scale",
        arguments={"by": "50%", "tags": ["a", 1]},
        target=TargetTemplate(kind="deployment", namespace="apps", name="{{ inputs.name }}", cluster="prod"),
        when=(ReadyCheck(share=0.5),),
        approval=Approval(by="team", timeout=10 * MINUTE, on_timeout="abort"),
        verify=(BELOW,),
        settle=30 * timedelta(seconds=1),
    )

    assert list_step(step) == (
        ("by", "50%"),
        ("tags", '["a", 1]'),
        ("target", "deployment apps/{{ inputs.name }} in prod"),
        ("only when", "ready 50%"),
        ("asks", "team, within 10m; without an answer what was changed is undone"),
        ("verified by", "errors below 0.02"),
        ("waits", "30s before anybody looks"),
        ("afterwards", "never undone"),
    )
    assert say_target(TargetTemplate(kind="none")) == "none"


def test_mode_by_matchers_is_told_rule_by_rule() -> None:
    """The first that matches wins."""
    rules = (
        ModeRule(mode="auto", matchers=(Matcher("cluster", "=", "dev", text="cluster = dev"),)),
        ModeRule(mode="approve"),
    )
    runbook = Runbook(
        name="it",
        owner="team",
        matchers=(),
        target=TargetTemplate(kind="none"),
        steps=(),
        guardrails=Guardrails(cooldown=MINUTE, deadline=MINUTE),
        mode=rules,
    )

    assert say_mode(runbook) == "auto for cluster = dev; approve"
