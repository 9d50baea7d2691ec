"""What is installed is found by name; what is not gets a sentence with the remedy."""

from __future__ import annotations

import errno
from collections import defaultdict
from datetime import timedelta
from importlib.metadata import EntryPoint

import pytest

from runbook_engine import registry as module
from runbook_engine.actions.notify import ACTION
from runbook_engine.errors import NoAdapter, UnknownAction, UnknownSource, Unreadable
from runbook_engine.model.runbook import Step
from runbook_engine.registry import ACTIONS, ADAPTERS, Registry

STRANGER = EntryPoint(name="tell", value="runbook_engine.actions.notify:ACTION", group=ACTIONS)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points that are installed, by group: none until a test adds some."""
    points: dict[str, tuple[EntryPoint, ...]] = {}
    monkeypatch.setattr(module, "_entry_points", lambda: defaultdict(tuple, points))
    return points


def test_one_look_at_what_is_installed_serves_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens two files of each installed package."""
    looks: list[str] = []
    monkeypatch.setattr(module, "_entry_points", lambda: looks.append("one") or defaultdict(tuple))
    registry = Registry()

    registry.load()
    with pytest.raises(NoAdapter):
        registry.adapter("sqlite")

    assert ["one"] == looks


def test_our_actions_are_found_by_name() -> None:
    """By a scan of the package, each file once."""
    names = set(Registry().actions)

    assert {"degrade", "notify", "restart", "rollback", "scale", "ticket"} <= names
    assert "degrade" == Registry().action("degrade").name


@pytest.mark.parametrize(
    ("kind", "name", "error", "says"),
    [
        pytest.param("action", "scael", UnknownAction, "unknown action 'scael': did you mean 'scale'?", id="an action"),
        pytest.param(
            "collector", "grph", UnknownAction, "unknown diagnostics 'grph': did you mean 'graph'?", id="a collector"
        ),
        pytest.param(
            "source",
            "alertmanger",
            UnknownSource,
            "unknown source 'alertmanger': did you mean 'alertmanager'?",
            id="a source",
        ),
        pytest.param(
            "collector",
            "zzz",
            UnknownAction,
            "unknown diagnostics 'zzz'; known are changes, events, graph, logs, rollouts",
            id="nothing is near",
        ),
    ],
)
def test_an_unknown_name_gets_a_suggestion(
    installed: dict[str, tuple[EntryPoint, ...]], kind: str, name: str, error: type[Exception], says: str
) -> None:
    """Did you mean, or all there are."""
    with pytest.raises(error) as caught:
        getattr(Registry(), kind)(name)

    assert says == str(caught.value)


def test_a_strangers_action_is_found_as_ours_are(installed: dict[str, tuple[EntryPoint, ...]]) -> None:
    """The same mechanism, by entry point."""
    installed[ACTIONS] = (STRANGER,)

    assert "notify" in Registry().actions


def test_a_stranger_cannot_take_a_name_of_ours(
    installed: dict[str, tuple[EntryPoint, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `notify` means does not depend on what else is installed."""
    installed[ACTIONS] = (STRANGER,)
    impostor = object()
    monkeypatch.setattr(EntryPoint, "load", lambda point: impostor)

    assert Registry().action("notify") is ACTION


def test_an_adapter_without_dist_info_gets_the_hint(installed: dict[str, tuple[EntryPoint, ...]]) -> None:
    """A zip that lost its metadata has no entry points at all."""
    with pytest.raises(NoAdapter) as caught:
        Registry().adapter("sqlite")

    assert (
        "no adapter 'sqlite': no entry points of group runbook_engine.adapters are installed "
        "(install the package itself, and keep its *.dist-info folder in a zip)" == str(caught.value)
    )


def test_an_unknown_adapter_gets_a_suggestion(installed: dict[str, tuple[EntryPoint, ...]]) -> None:
    """Loading no other adapter to say so."""
    installed[ADAPTERS] = (EntryPoint(name="sqlite", value="nothing.there:ADAPTER", group=ADAPTERS),)

    with pytest.raises(NoAdapter) as caught:
        Registry().adapter("sqllite")

    assert "no adapter 'sqllite': did you mean 'sqlite'? (name one that is installed)" == str(caught.value)


@pytest.mark.parametrize(
    ("action", "arguments", "limit"),
    [
        pytest.param("scale", {"by": "50%"}, timedelta(minutes=5), id="the action's own"),
        pytest.param("degrade", {"parameter": "/a", "value": "b"}, timedelta(minutes=1), id="without a rollout"),
        pytest.param("degrade", {"env": "A", "value": "b"}, timedelta(minutes=15), id="with a rollout"),
        pytest.param("nobody knows", {}, timedelta(0), id="an unknown action's"),
    ],
)
def test_time_limit_is_that_of_the_action_with_these_arguments(
    action: str, arguments: dict[str, str], limit: timedelta
) -> None:
    """What the worst case of a run is made of."""
    step = Step(name="a", action=action, arguments=arguments)

    assert limit == Registry().time_limit(step)


@pytest.mark.parametrize(
    ("kind", "name", "package"),
    [
        pytest.param("action", "scale", "runbook_engine.actions", id="an action"),
        pytest.param("collector", "graph", "runbook_engine.diagnostics", id="a collector"),
        pytest.param("source", "alertmanager", "runbook_engine.sources", id="a source"),
    ],
)
def test_what_cannot_be_listed_is_not_taken_for_nothing(
    monkeypatch: pytest.MonkeyPatch, kind: str, name: str, package: str
) -> None:
    """A process that is out of descriptors would know no action from then on, and every run would fail."""
    registry = Registry()

    def refuse(path: str) -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files", path)

    with monkeypatch.context() as out_of_descriptors:
        out_of_descriptors.setattr("os.listdir", refuse)
        with pytest.raises(Unreadable) as raised:
            getattr(registry, kind)(name)

    assert str(raised.value) == (
        f"cannot list what is in {package} "
        "(see whether this process is out of file descriptors: ulimit -n; else install the package again)"
    )
    assert getattr(registry, kind)(name).name == name


def test_what_was_loaded_needs_no_further_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker loads everything at its start."""
    registry = Registry()

    count = registry.load()

    assert count == len(registry.actions) + len(registry.collectors) + len(registry.sources) > 10
    monkeypatch.setattr("os.listdir", lambda path: [])
    assert registry.action("scale").name == "scale"
