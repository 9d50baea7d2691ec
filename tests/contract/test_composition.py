"""Composition: which adapter answers for what, and what is said when engine.yaml cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import (
    build_effects,
    build_engine,
    build_journal,
    build_pause,
    build_runner,
    build_world,
)
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.errors import NoAdapter, Permanent
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import AdapterChoice, Configuration, Receiver
from runbook_engine.model.observation import Message, Pause
from runbook_engine.model.target import Target
from runbook_engine.registry import Registry
from tests.lab import install

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def parameter(place: str) -> Target:
    """Return a parameter somewhere."""
    return Target("parameter", place, "", "/lab/all")


def flags(place: str, path: str, **settings: Any) -> AdapterChoice:
    """Return a flag store for a place."""
    return AdapterChoice(adapter="files", place=place, settings={"path": path, "create": True, **settings})


def test_a_target_is_looked_at_and_touched_where_it_is(tmp_path: Path) -> None:
    """The place of the target picks the adapter; an adapter without a place stands for all the others."""
    configuration = Configuration(adapters={"flags": (flags("eu", "eu.json"), flags("", "rest.json"))})
    settings = Settings(runbooks=tmp_path, state=tmp_path / "state")
    effects = build_effects(configuration, settings, Registry(), SystemClock())
    world = build_world(configuration, settings, Registry(), SystemClock())

    effects.flags.write(parameter("eu"), "one", expected=None)
    effects.flags.write(parameter("us"), "two", expected=None)

    assert "one" == json.loads((tmp_path / "eu.json").read_text())["flags"]["/lab/all"]["value"]
    assert "two" == json.loads((tmp_path / "rest.json").read_text())["flags"]["/lab/all"]["value"]
    found = world.flags.flag(parameter("eu"))
    assert found is not None
    assert "one" == found.value


def test_a_place_that_nothing_serves_is_refused_with_the_setting_that_is_missing(tmp_path: Path) -> None:
    """Neither another place's adapter nor silence answers for it."""
    configuration = Configuration(adapters={"flags": (flags("eu", "eu.json"),)})
    settings = Settings(runbooks=tmp_path, state=tmp_path / "state")
    world = build_world(configuration, settings, Registry(), SystemClock())

    with pytest.raises(NoAdapter) as of_place:
        world.flags.flag(parameter("us"))
    with pytest.raises(NoAdapter) as of_port:
        world.logs.logs(parameter("eu"), 10)
    with pytest.raises(NoAdapter) as of_metrics:
        world.metrics.query("up", {}, NOW)

    assert "nothing serves flags at us (name an adapter under adapters.flags)" == str(of_place.value)
    assert "nothing serves logs at eu (name an adapter under adapters.logs)" == str(of_port.value)
    assert "nothing serves metrics (name an adapter under adapters.metrics)" == str(of_metrics.value)


def test_metric_sources_are_named_by_adapter_and_by_place(tmp_path: Path) -> None:
    """A check that names a source gets that one; one that names none gets the one without a place."""
    prometheus = AdapterChoice(adapter="prometheus", place="eu", settings={"url": "http://127.0.0.1:1"})
    scrape = AdapterChoice(adapter="scrape", settings={"url": "http://127.0.0.1:2/metrics"})
    configuration = Configuration(adapters={"metrics": (prometheus, scrape)})

    world = build_world(configuration, Settings(runbooks=tmp_path, state=tmp_path), Registry(), SystemClock())

    assert {"prometheus", "eu", "scrape"} == set(world.metric_sources)
    assert world.metric_reader("prometheus") is world.metric_reader("eu")
    with pytest.raises(NoAdapter):
        world.metric_reader("cloudwatch")


def test_clusters_are_watched_unless_they_are_not_to_be(tmp_path: Path) -> None:
    """Whoever serves the cluster watches it; nothing is asked of it before somebody starts to watch."""
    token = {"auth": "token", "server": "http://127.0.0.1:1", "token": {"env": "NO_SUCH_TOKEN"}}
    clusters = (
        AdapterChoice(adapter="kubernetes", place="eu", settings=token),
        AdapterChoice(adapter="kubernetes", place="us", settings={**token, "watch": False}),
    )
    configuration = Configuration(adapters={"cluster": clusters})
    settings = Settings(runbooks=tmp_path, state=tmp_path / "state")

    runner = build_runner(settings, bundle=Bundle(configuration=configuration))

    assert ["kubernetes eu"] == list(runner.watchers)


def test_receivers_are_told_by_their_own_adapter(tmp_path: Path) -> None:
    """A message reaches the receiver that was named, and an unknown name is refused with those that exist."""
    receivers = tuple(
        Receiver(name=name, adapter="console", settings={"path": f"{name}.log"}) for name in ("chat", "oncall")
    )
    configuration = Configuration(receivers=receivers)
    settings = Settings(runbooks=tmp_path, state=tmp_path)
    notifier = build_effects(configuration, settings, Registry(), SystemClock()).notifier
    message = Message(id="1", event="started", title="began", text="now", at=NOW)

    notifier.send("oncall", message)
    with pytest.raises(Permanent) as caught:
        notifier.send("onkall", message)

    assert "began" in (tmp_path / "oncall.log").read_text()
    assert not (tmp_path / "chat.log").exists()
    sentence = "unknown receiver 'onkall'; known are chat, oncall (add it under receivers in engine.yaml)"
    assert sentence == str(caught.value)


def test_journal_and_kill_switch_work_without_being_named(tmp_path: Path) -> None:
    """A host without a configuration keeps both in its state folder."""
    settings = Settings(runbooks=tmp_path, state=tmp_path / "state")
    reader, writer = build_pause(Configuration(), settings, Registry(), SystemClock())

    before = reader.pause(NOW)
    writer.throw(Pause(until=NOW + timedelta(hours=1), by="ann"))
    journal = build_journal(Configuration(), settings, Registry(), SystemClock())

    assert before is None
    seen = reader.pause(NOW)
    assert seen is not None
    assert "ann" == seen.by
    assert 0 == journal.counts()["incidents.open"]
    assert {"pause.json", "journal.sqlite3"} <= {path.name for path in (tmp_path / "state").iterdir()}


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        pytest.param(
            Configuration(adapters={"flags": (AdapterChoice(adapter="files", settings={"pth": "x"}),)}),
            "adapters.flags[0] (files): unknown setting 'pth' (did you mean 'path'?)",
            id="a setting with a typing error",
        ),
        pytest.param(
            Configuration(adapters={"flags": (AdapterChoice(adapter="files", settings={"path": "x", "zzz": 1}),)}),
            "adapters.flags[0] (files): unknown setting 'zzz' (it takes path, create)",
            id="a setting that is nothing like any",
        ),
        pytest.param(
            Configuration(adapters={"flags": (AdapterChoice(adapter="files"),)}),
            "adapters.flags[0] (files): setting 'path' is missing (add it)",
            id="a setting that is missing",
        ),
        pytest.param(
            Configuration(adapters={"flags": (AdapterChoice(adapter="files", settings={"path": 7}),)}),
            "adapters.flags[0] (files): setting 'path': expected str, got int",
            id="a setting of another type",
        ),
        pytest.param(
            Configuration(adapters={"metrics": (AdapterChoice(adapter="files", settings={"path": "x"}),)}),
            "adapters.metrics[0]: adapter files does not serve metrics; it serves flags, pause (name another adapter)",
            id="an adapter of another port",
        ),
        pytest.param(
            Configuration(adapters={"flags": (flags("eu", "a"), flags("eu", "b"))}),
            "adapters.flags: two adapters serve place eu (give each a place of its own)",
            id="two adapters in one place",
        ),
        pytest.param(
            Configuration(adapters={"pause": (flags("", "a"), flags("", "b"))}),
            "adapters.pause: an installation has one kill switch (keep one)",
            id="two kill switches",
        ),
    ],
)
def test_an_adapter_that_cannot_be_used_is_refused_at_the_start(
    configuration: Configuration, sentence: str, tmp_path: Path
) -> None:
    """Every mistake is found before an alert arrives, and says where it stands."""
    with pytest.raises(InvalidSettings) as caught:
        build_world(configuration, Settings(runbooks=tmp_path, state=tmp_path), Registry(), SystemClock())

    assert sentence == str(caught.value)


def test_planning_needs_no_server_and_no_sdk(tmp_path: Path) -> None:
    """Building the engine of a local installation loads neither Flask nor the metrics nor anybody's SDK."""
    settings = install(tmp_path)
    code = (
        "import sys\n"
        "from runbook_engine.entrypoints.composition import build_engine\n"
        "from runbook_engine.entrypoints.settings import read_settings\n"
        f"build_engine(read_settings(runbooks={str(settings.runbooks)!r}, state={str(settings.state)!r}))\n"
        "print([name for name in ('flask', 'gunicorn', 'prometheus_client', 'boto3', 'kubernetes', 'urllib3')"
        " if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "[]\n" == done.stdout, done.stderr


def test_a_built_engine_knows_its_runbooks(tmp_path: Path) -> None:
    """From files to a running engine in one call."""
    engine = build_engine(install(tmp_path))

    assert "shed" == engine.runbook("shed").name
    assert () == engine.due(NOW)
