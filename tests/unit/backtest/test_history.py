"""A recorded history is read strictly, line by line, and every complaint says where."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_engine.backtest.history import FORMAT, InvalidHistory
from runbook_engine.model.delivery import SourceSettings
from runbook_engine.sources.alertmanager import SOURCE
from tests.unit.backtest.histories import read, write

LINE = {"at": "2026-03-01T12:00:00Z", "status": "firing", "labels": {"alertname": "Hot", "part": "a"}}
BODY = {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Hot"}}]}


def test_an_alert_is_the_delivery_that_brought_it(tmp_path: Path) -> None:
    """Labels, annotations and times come out of the sender's own parser as they were written down."""
    line = {
        **LINE,
        "status": "resolved",
        "annotations": {"summary": "too hot"},
        "starts_at": "2026-03-01T13:30:00+02:00",
        "ends_at": "2026-03-01T11:59:00Z",
    }

    (recorded,) = read(write(tmp_path, line))
    (alert,) = SOURCE.parse(recorded.request("shop"), SourceSettings()).alerts

    assert ("shop", "resolved", "Hot", {"summary": "too hot"}) == (
        alert.scope,
        alert.status,
        alert.name,
        alert.annotations,
    )
    assert datetime(2026, 3, 1, 11, 30, tzinfo=UTC) == alert.starts_at
    assert datetime(2026, 3, 1, 11, 59, tzinfo=UTC) == alert.ends_at
    assert datetime(2026, 3, 1, 12, tzinfo=UTC) == alert.received_at


def test_a_delivery_is_kept_to_the_byte(tmp_path: Path) -> None:
    """A whole webhook with its own scope and source."""
    text = json.dumps(BODY, indent=None).replace(" ", "  ")
    recorded = read(
        write(tmp_path, f'{{"at": "2026-03-01T12:00:00Z", "source": "grafana", "scope": "g", "body": {text}}}')
    )[0]

    request = recorded.request("shop")

    assert ("g", "grafana", text.encode()) == (request.scope, request.source, request.body)


def test_a_delivery_without_a_scope_is_of_the_one_given(tmp_path: Path) -> None:
    """Whoever looks back says whose it is."""
    (recorded,) = read(write(tmp_path, {"at": LINE["at"], "source": "alertmanager", "body": BODY}))

    assert "shop" == recorded.request("shop").scope


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param([], f"no alert in it ({FORMAT})", id="nothing"),
        pytest.param(["", "  "], f"no alert in it ({FORMAT})", id="blank lines alone"),
        pytest.param([LINE, "{"], f":2: the line is not JSON: Input data was truncated ({FORMAT})", id="half a line"),
        pytest.param(["[]"], f":1: expected object, got array ({FORMAT})", id="a list"),
        pytest.param(
            [{**LINE, "lables": {}}], f":1: object contains unknown field lables ({FORMAT})", id="a misspelt key"
        ),
        pytest.param(
            [{"at": LINE["at"], "status": "firing"}],
            f":1: object missing required field labels ({FORMAT})",
            id="no labels",
        ),
        pytest.param(
            [{**LINE, "labels": {"a": 1}}], f":1: labels[...]: expected str, got int ({FORMAT})", id="a number as label"
        ),
        pytest.param(
            [{**LINE, "status": "hot"}], f":1: status: invalid enum value 'hot' ({FORMAT})", id="an unknown status"
        ),
        pytest.param([{**LINE, "at": "noon"}], f":1: at: invalid RFC3339 encoded datetime ({FORMAT})", id="no time"),
        pytest.param(
            [{**LINE, "at": "2026-03-01T12:00:00"}],
            ":1: at has no time zone (write it as 2026-01-05T09:00:00Z)",
            id="a time without a zone",
        ),
        pytest.param(
            [{**LINE, "starts_at": "2026-03-01T12:00:00"}],
            ":1: starts_at has no time zone (write it as 2026-01-05T09:00:00Z)",
            id="a start without a zone",
        ),
        pytest.param(
            [{**LINE, "at": "0001-01-01T00:00:00Z"}],
            ":1: at is not between the years 1970 and 2999 (write it as 2026-01-05T09:00:00Z)",
            id="a time before there were clocks",
        ),
        pytest.param(
            [{**LINE, "at": "9999-12-31T23:59:59-12:00"}],
            ":1: at is not between the years 1970 and 2999 (write it as 2026-01-05T09:00:00Z)",
            id="a time that has no form in UTC",
        ),
        pytest.param(
            [{**LINE, "starts_at": "0001-01-01T00:00:00+14:00"}],
            ":1: starts_at is not between the years 1970 and 2999 (write it as 2026-01-05T09:00:00Z)",
            id="a start that has no form in UTC",
        ),
        pytest.param(
            [LINE, {**LINE, "at": "2026-03-01T11:59:59Z"}],
            ":2: it is older than FILE:1 (sort the lines by their time)",
            id="out of order",
        ),
    ],
)
def test_a_line_is_refused_with_its_place(lines: list[object], says: str, tmp_path: Path) -> None:
    """File, line, what is wrong with it, and what a line looks like."""
    file = write(tmp_path, *lines)

    with pytest.raises(InvalidHistory) as refusal:
        read(file)

    said = str(refusal.value).replace(str(file), "FILE").removeprefix("FILE").removeprefix(": ")
    assert says == said


def test_a_line_of_brackets_is_refused(tmp_path: Path) -> None:
    """Nesting without end is no reason to break off with anything but a sentence."""
    file = write(tmp_path, '{"at": "2026-03-01T12:00:00Z", "source": "alertmanager", "body": ' + "[" * 200_000)

    with pytest.raises(InvalidHistory, match=r"history\.jsonl:1: the line is not JSON: "):
        read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(InvalidHistory) as refusal:
        read(tmp_path / "none")

    assert f"the history {tmp_path / 'none'} cannot be read: No such file or directory (name a file)" == str(
        refusal.value
    )


def test_an_alert_may_say_that_it_does_not_end_as_senders_do(tmp_path: Path) -> None:
    """Senders write the year 1 for a time that there is not."""
    never = "0001-01-01T00:00:00Z"

    (recorded,) = read(write(tmp_path, {**LINE, "starts_at": never, "ends_at": never}))

    assert b'"startsAt":"0001-01-01T00:00:00Z"' in recorded.request("shop").body
