"""`runbook alerts`: a payload of any sender, read as its scope or the command line says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.unit.cli.desks import Result, Stream

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
scopes:
  lab: {source: alertmanager}
  ours: {source: mapped, mapping: ours}
mappings:
  ours:
    name: /title
    status: {from: /state, words: {bad: firing}}
    labelMaps: [{from: /labels}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an engine.yaml, which we stand in."""
    (tmp_path / "engine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def alerts(*argv: str, payload: Any = None, file: Path | str = "-") -> Result:
    """Run the command, with a payload as its standard input or from a file."""
    out, err = Stream(), Stream()
    typed = Stream("" if payload is None else json.dumps(payload))
    desk = Desk(stdin=typed, stdout=out, stderr=err, environment={"NO_COLOR": "1"})
    code = main(("alerts", "--alert", str(file), "--config", "engine.yaml", *argv), desk)
    return Result(code, out.getvalue(), err.getvalue())


def test_a_mapped_scope_reads_by_its_mapping() -> None:
    """Also a body that looks like one alert of Alertmanager."""
    payload = {"title": "Hot", "state": "bad", "labels": {"team": "payments"}}

    told = alerts("--scope", "ours", "--format", "json", payload=payload)

    assert (0, "") == (told.code, told.err)
    (read,) = told.record["accepted"]
    assert ("Hot", "firing", {"alertname": "Hot", "team": "payments"}) == (read["name"], read["status"], read["labels"])


def test_what_a_mapping_misses_is_said_with_its_place() -> None:
    """An author sees what to change."""
    told = alerts("--scope", "ours", payload={"state": "bad"})

    assert 0 != told.code
    assert "no alert of the delivery is valid: nothing stands at /title, and it is needed as name" in told.err


@pytest.mark.parametrize(
    ("source", "file", "name"),
    [
        pytest.param("grafana", "grafana-firing.json", "QueueAge", id="grafana"),
        pytest.param("pagerduty", "pagerduty-triggered.json", "ledger-api burn rate", id="pagerduty"),
        pytest.param("datadog", "datadog-re-triggered.json", "p99 above 2s", id="datadog"),
    ],
)
def test_the_command_line_may_say_the_format(source: str, file: str, name: str) -> None:
    """To look at a payload before there is a scope for it."""
    told = alerts("--source", source, "--format", "json", file=ALERTS / file)

    assert (0, [name]) == (told.code, [each["name"] for each in told.record["accepted"]])


def test_a_lone_alert_of_grafana_is_a_body_of_one() -> None:
    """As people copy it."""
    told = alerts("--source", "grafana", "--format", "json", payload={"labels": {"alertname": "Hot"}})

    assert [("Hot", "firing")] == [(each["name"], each["status"]) for each in told.record["accepted"]]


def test_an_unknown_format_is_told_what_it_may_be() -> None:
    """The nearest name is most likely meant."""
    told = alerts("--source", "grafna", payload={})

    assert 0 != told.code
    assert "unknown source 'grafna': did you mean 'grafana'?" in told.err
