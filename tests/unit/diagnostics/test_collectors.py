"""The collectors: what an on-call reads before anybody changed anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from runbook_engine.diagnostics import changes, graph, logs
from runbook_engine.diagnostics.sparkline import sparkline
from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced
from runbook_engine.registry import Registry
from runbook_engine.testing import SimulatedWorld

TARGET = Target("deployment", "local", "apps", "checkout")
COLLECTORS = (changes.COLLECTOR, graph.COLLECTOR, logs.COLLECTOR)


def collect(collector: CollectorSpec, simulated: SimulatedWorld, **written: object) -> Evidenced:
    """Collect as an author would write it."""
    arguments = collector.arguments.model_validate(written)
    return collector.collect(arguments, TARGET, simulated.clock.now(), simulated.world)


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)
def test_collector_is_found_when_the_registry_scans(collector: CollectorSpec) -> None:
    """Every collector that ships is found by name."""
    assert Registry().collector(collector.name) is collector


@pytest.mark.parametrize(
    ("collector", "port", "written"),
    [
        pytest.param(graph.COLLECTOR, "metrics", {"query": "up"}, id="graph"),
        pytest.param(logs.COLLECTOR, "logs", {}, id="logs"),
        pytest.param(changes.COLLECTOR, "changes", {}, id="changes"),
    ],
)
def test_collector_says_so_when_unreadable(collector: CollectorSpec, port: str, written: dict[str, object]) -> None:
    """No evidence is not empty evidence."""
    simulated = SimulatedWorld()
    simulated.faults.make_unreadable(port)

    with pytest.raises(Unreadable):
        collect(collector, simulated, **written)


def test_graph_shows_the_way_when_there_is_data() -> None:
    """A line for the pager, and points for the chart."""
    simulated = SimulatedWorld()
    simulated.script("checkout:error_ratio", [0.01, 0.01, 0.12, 0.04], interval=timedelta(minutes=1))
    simulated.push(timedelta(minutes=3))

    seen = collect(graph.COLLECTOR, simulated, title="Error ratio", query="checkout:error_ratio", range="4m")

    assert seen.title == "Error ratio"
    assert seen.text.endswith("  min 0.01, max 0.12, last 0.04")
    assert seen.points[0] == (simulated.clock.start, 0.01)
    assert seen.points[-1] == (simulated.clock.now(), 0.04)


def test_graph_names_each_series_when_there_are_several() -> None:
    """The worst is first, and the points are its."""
    simulated = SimulatedWorld()
    simulated.script('errors{pod="a"}', [0.1])
    simulated.script('errors{pod="b"}', [0.2])

    seen = collect(graph.COLLECTOR, simulated, query="errors", range="1m")

    assert seen.text.splitlines() == [
        '▁  min 0.2, max 0.2, last 0.2  {pod="b"}',
        '▁  min 0.1, max 0.1, last 0.1  {pod="a"}',
    ]
    assert [value for _, value in seen.points] == [0.2]


@pytest.mark.parametrize("samples", ["_x3", "NaN NaN"], ids=["a gap", "not a number"])
def test_graph_says_no_data_when_there_is_none(samples: str) -> None:
    """Nothing is not drawn as zero."""
    simulated = SimulatedWorld()
    simulated.script("errors", samples)

    assert collect(graph.COLLECTOR, simulated, query="errors") == Evidenced(
        title="errors", text="no data in the last 1h"
    )


def test_logs_are_redacted_and_escaped_when_collected() -> None:
    """What a service logs cannot carry a secret into the record or a command into a terminal."""
    simulated = SimulatedWorld()
    simulated.logs.add(TARGET, "checkout-1", ["first", "password=hunter2", "\x1b]0;title\x07red\u202e"])

    seen = collect(logs.COLLECTOR, simulated, lines=2)

    assert seen == Evidenced(
        title="Logs of apps/deployment/checkout", text="password=[redacted]\n\\x1b]0;title\\x07red\\u202e"
    )


def test_logs_name_each_log_when_there_are_several() -> None:
    """Each log stands under its name."""
    simulated = SimulatedWorld()
    simulated.logs.add(TARGET, "checkout-1", ["a"])
    simulated.logs.add(TARGET, "checkout-2", ["b"])

    assert collect(logs.COLLECTOR, simulated).text == "== checkout-1\na\n== checkout-2\nb"


def test_logs_keep_the_newest_when_there_is_too_much() -> None:
    """64 KiB at most, whole lines, the newest."""
    simulated = SimulatedWorld()
    simulated.logs.add(TARGET, "checkout-1", [f"{number:05d} " + "é" * 400 for number in range(1000)])

    seen = collect(logs.COLLECTOR, simulated, lines=1000)

    lines = seen.text.splitlines()
    assert len(seen.text.encode()) <= 64 * 1024
    assert lines[0] == "[older lines left out]"
    assert lines[-1].startswith("00999 ")
    assert lines[1][6:] == "é" * 400


def test_logs_cannot_forge_lines_when_a_line_holds_a_break() -> None:
    """One line of a log is one line of the evidence."""
    simulated = SimulatedWorld()
    simulated.logs.add(TARGET, "checkout-1", ["a\n== checkout-2"])

    assert collect(logs.COLLECTOR, simulated).text == "a\\n== checkout-2"


def test_changes_are_listed_when_there_are_some() -> None:
    """Newest first, with who, what, and how long ago; ours are marked."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=4, released_ago=timedelta(hours=5))
    simulated.push(timedelta(minutes=1))
    simulated.effects.cluster.scale(target, 6, expected=4)
    simulated.changes.add(
        target, ChangeEvent(at=simulated.clock.now() - timedelta(days=2), who="ci/alice", what="release r40")
    )

    assert collect(changes.COLLECTOR, simulated, since="6h").text.splitlines() == [
        "2026-01-05 09:01:00Z  0s ago  this engine: replicas 4 -> 6",
        "2026-01-05 04:00:00Z  5h1m ago  somebody: release 1",
    ]


def test_changes_tell_of_revisions_and_how_they_did_when_that_is_known() -> None:
    """A release with its number; what became of it says the number itself."""
    simulated, now = SimulatedWorld(), SimulatedWorld().clock.now()
    for minutes, kind, what in (
        (9, "change", "image a:1 -> a:2"),
        (5, "failed", "the rollout of revision 2 failed: late"),
        (1, "autoscaled", "replicas 2 -> 3"),
    ):
        at, revision = now - timedelta(minutes=minutes), 0 if kind == "autoscaled" else 2
        simulated.changes.add(TARGET, ChangeEvent(at=at, who="x", what=what, kind=kind, revision=revision))  # type: ignore[arg-type]  # of the table

    assert [line.split("ago  ")[1] for line in collect(changes.COLLECTOR, simulated).text.splitlines()] == [
        "x: replicas 2 -> 3",
        "x: the rollout of revision 2 failed: late",
        "x: revision 2: image a:1 -> a:2",
    ]


def test_changes_say_so_when_there_are_none() -> None:
    """That nobody changed anything is evidence as well."""
    assert collect(changes.COLLECTOR, SimulatedWorld()).text == "no change in the last 1d"


@pytest.mark.parametrize(
    ("collector", "written", "sentence"),
    [
        pytest.param(
            graph.COLLECTOR,
            {"query": "up", "range": "60"},
            'Value error, a duration is written like 15s, 2m or 1h30m, not "60"',
            id="a span without unit",
        ),
        pytest.param(
            changes.COLLECTOR,
            {"since": "60d"},
            "Value error, evidence goes back by more than 0s and by 30d at most, not by 60d",
            id="a span too long",
        ),
        pytest.param(
            logs.COLLECTOR, {"lines": 5000}, "Input should be less than or equal to 1000", id="too many lines"
        ),
        pytest.param(logs.COLLECTOR, {"line": 5}, "Extra inputs are not permitted", id="a misspelled key"),
    ],
)
def test_arguments_are_refused_when_wrong(collector: CollectorSpec, written: dict[str, object], sentence: str) -> None:
    """A wrong argument is found by lint, and not at 3 am."""
    with pytest.raises(ValidationError) as caught:
        collector.arguments.model_validate(written)

    assert [error["msg"] for error in caught.value.errors()] == [sentence]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([float("nan")], "", id="nothing that is a number"),
        pytest.param([3, 3, 3], "▁▁▁", id="a flat line"),
        pytest.param([0, 7, 14], "▁▅█", id="a rise"),
        pytest.param([0.0, float("inf"), 1.0], "▁█", id="infinity is left out"),
        pytest.param([0] * 60 + [9] + [0] * 60, "▁" * 20 + "█" + "▁" * 19, id="a peak survives being squeezed"),
    ],
)
def test_sparkline_draws_the_shape_when_given_values(values: list[float], drawn: str) -> None:
    """A small chart shows the shape and loses no peak."""
    assert sparkline(values) == drawn
