"""Freezes and windows as they are written become values, and stand in the way of a run in a RunbookTest too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_engine.loading.bundle import dump_bundle, load_bundle
from runbook_engine.loading.files import load_files, load_valid_files
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.matcher import Matcher
from runbook_engine.registry import Registry
from runbook_engine.testing.runner import run_test_file

ENGINE = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [local]
scopes: {test: {}}
receivers: {chat: {adapter: console}}
teams: {team-batch: {receiver: chat}}
targets: [parameter=/batch/*]
modeCeiling: auto
freezes:
  - {name: black-friday, from: 2026-11-27T00:00, to: 2026-12-01T00:00, timeZone: Europe/Berlin, says: sales days}
  - name: payday
    every: FREQ=MONTHLY;BYMONTHDAY=25
    at: "06:00"
    for: 12h
    timeZone: Europe/Berlin
    matchers: [service = payments]
    except: [__severity__ = critical]
windows:
  - name: lunch
    every: FREQ=DAILY
    at: "09:10"
    for: 1h
    timeZone: UTC
    targets: [parameter=/batch/*]
    runbooks: [batch-*]
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: batch-slow, owner: team-batch}
matchers: [alertname = BatchSlow]
target: {parameter: /batch/size}
mode: auto
verify: [{alert: resolved, timeout: 1h}]
guardrails: {cooldown: 5m, deadline: 1h30m}
steps:
  - {name: shrink, action: degrade, with: {parameter: /batch/size, value: "1"}, compensate: never}
"""
TEST = """
apiVersion: runbook-engine/v1
kind: RunbookTest
runbooks: [batch.yaml]
config: engine.yaml
tests:
  - name: the change waits for the window, which opens ten minutes after the tests begin
    world: {parameters: {/batch/size: "8"}}
    alerts: [{at: 0s, fires: {alertname: BatchSlow}}]
    expect:
      - {at: 9m, status: waiting, parameters: {/batch/size: "8"}}
      - {at: 11m, parameters: {/batch/size: "1"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an installation, a runbook and its test."""
    for name, text in (("engine.yaml", ENGINE), ("batch.yaml", RUNBOOK), ("batch.test.yaml", TEST)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_calendars_are_values_when_compiled(folder: Path, registry: Registry) -> None:
    """What is once has instants, what comes again its rule; and a bundle keeps both."""
    compiled = load_valid_files([folder], registry).bundle
    configuration = load_bundle(dump_bundle(compiled)).configuration

    once, again = configuration.freezes

    expected = CalendarEntry(
        name="black-friday",
        zone="Europe/Berlin",
        says="sales days",
        begins=datetime(2026, 11, 26, 23, tzinfo=UTC),
        ends=datetime(2026, 11, 30, 23, tzinfo=UTC),
    )
    assert expected == once
    assert ("FREQ=MONTHLY;BYMONTHDAY=25", "06:00", timedelta(hours=12)) == (again.every, again.at, again.lasts)
    bare = [Matcher(each.name, each.op, each.value) for each in (*again.matchers, *again.exempt)]
    assert [Matcher("service", "=", "payments"), Matcher("__severity__", "=", "critical")] == bare
    assert (("parameter=/batch/*",), ("batch-*",)) == (
        configuration.windows[0].targets,
        configuration.windows[0].runbooks,
    )


@pytest.mark.parametrize(
    ("calendar", "day", "begins", "ends"),
    [
        pytest.param(
            "freezes", "2026-10-25", (2026, 10, 25, 0, 30), (2026, 10, 25, 1, 45), id="a freeze, shown twice: longer"
        ),
        pytest.param(
            "windows", "2026-10-25", (2026, 10, 25, 1, 30), (2026, 10, 25, 0, 45), id="a window, shown twice: never"
        ),
        pytest.param(
            "freezes", "2026-03-29", (2026, 3, 29, 0, 30), (2026, 3, 29, 1, 45), id="a freeze, skipped: around it all"
        ),
        pytest.param(
            "windows", "2026-03-29", (2026, 3, 29, 1, 30), (2026, 3, 29, 0, 45), id="a window, skipped: never"
        ),
    ],
)
def test_times_that_clocks_show_twice_or_never_are_read_with_caution(
    calendar: str, day: str, begins: tuple[int, ...], ends: tuple[int, ...], tmp_path: Path, registry: Registry
) -> None:
    """In the hours that Berlin's clocks show twice or skip, the reading is the one that changes the least."""
    entry = f"{{name: odd, from: {day}T02:30, to: {day}T02:45, timeZone: Europe/Berlin}}"
    file = tmp_path / "engine.yaml"
    file.write_text(f"apiVersion: runbook-engine/v1\nkind: EngineConfig\n{calendar}: [{entry}]\n")

    found = getattr(load_valid_files([file], registry).bundle.configuration, calendar)[0]

    assert (datetime(*begins, tzinfo=UTC), datetime(*ends, tzinfo=UTC)) == (found.begins, found.ends)


def test_a_runbook_test_meets_the_windows_of_its_config(folder: Path, registry: Registry) -> None:
    """Tests begin on Monday, 5 January 2026, 09:00 UTC: the window opens at ten past."""
    file = folder / "batch.test.yaml"

    results = run_test_file(file, load_valid_files([folder], registry), registry)

    assert [True] == [result.ok for result in results], results


def test_a_runbook_test_begins_when_it_says(folder: Path, registry: Registry) -> None:
    """Within the window of the day, and on a day of the freeze: the run is blocked, as on no Monday of January."""
    frozen = """
start: 2026-11-30T09:30:00Z
tests:
  - name: sales days are left alone
    world: {parameters: {/batch/size: "8"}}
    alerts: [{at: 0s, fires: {alertname: BatchSlow}}]
    expect:
      - at: 1m
        status: blocked
        says: frozen by black-friday (sales days) until 2026-12-01 00:00 Europe/Berlin
        parameters: {/batch/size: "8"}
"""
    file = folder / "batch.test.yaml"
    file.write_text(TEST.partition("tests:")[0].rstrip("\n") + frozen)

    results = run_test_file(file, load_valid_files([folder], registry), registry)

    assert [True] == [result.ok for result in results], results


@pytest.mark.parametrize("start", ["2026-11-31T10:00:00Z", "2026-11-30T10:00:00", "9999-12-31T23:59:00Z", "5"])
def test_a_start_that_is_no_instant_is_told(start: str, folder: Path, registry: Registry) -> None:
    """A day that does not exist, a time without its zone, and years in which the world has ended."""
    file = folder / "batch.test.yaml"
    file.write_text(TEST.replace("\ntests:", f"\nstart: {start}\ntests:"))

    loaded = load_files([file], registry)

    expected = [(f'"{start}" is no instant of these years', "write it in UTC, as in 2026-11-27T10:00:00Z")]
    assert expected == [(found.message, found.hint) for found in loaded.errors]


def test_a_calendar_about_runbooks_that_are_not_there_is_told(folder: Path, registry: Registry) -> None:
    """A window that is about nothing lets everything happen at any time: nobody means that."""
    (folder / "engine.yaml").write_text(ENGINE.replace("runbooks: [batch-*]", "runbooks: [bacth-slow]"))

    loaded = load_files([folder], registry)

    expected = [('no runbook is named "bacth-slow", so this is about none', 'did you mean "batch-slow"?')]
    assert expected == [(each.message, each.hint) for each in loaded.diagnostics]
