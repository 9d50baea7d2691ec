"""A deployment is told in an event that the engine understands, whatever was typed into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from runbook_engine.model.delivery import Request, SourceSettings
from runbook_engine.sources import deployments
from tests.scripts.rig import Rig
from tests.tools import find_tool

CHANGE = ("--kind", "function", "--name", "runbook-sandbox", "--who", "ana", "--what", "deployed (deploy-lambda run 7)")


@pytest.fixture(autouse=True)
def needs_jq() -> None:
    """The script writes its JSON with jq."""
    find_tool("jq")


def entries_of(rig: Rig) -> list[dict[str, str]]:
    """Return the entries of the one call of put-events."""
    (call,) = (call for call in rig.calls if call.startswith("aws events put-events"))
    entries: list[dict[str, str]] = json.loads(call.partition("--entries ")[2])
    return entries


def test_event_is_the_one_that_the_engine_reads(rig: Rig) -> None:
    """Source, type and detail are as the source `deployments` expects them."""
    rig.answer("aws events put-events*", '{"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}')

    said = rig.run("publish-change.sh", *CHANGE, "--revision", "0123abc", "--bus", "default")

    assert (said.code, said.out) == (0, "told the engine: event e-1\n"), said.err
    (entry,) = entries_of(rig)
    detail = json.loads(entry.pop("Detail"))
    at = datetime.fromisoformat(detail.pop("at"))
    assert entry == {"Source": "runbook-engine.deploys", "DetailType": "Deployment", "EventBusName": "default"}
    assert detail == {
        "schema": "rb.change.v1",
        "who": "ana",
        "what": "deployed (deploy-lambda run 7)",
        "target": {"kind": "function", "name": "runbook-sandbox"},
        "revision": "0123abc",
    }
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


def test_engine_takes_the_event_as_a_change_of_the_function(rig: Rig) -> None:
    """What EventBridge makes of the entry is a change in the engine's own words."""
    rig.answer("aws events put-events*", '{"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}')
    rig.run("publish-change.sh", *CHANGE, "--revision", "0123abc")
    (entry,) = entries_of(rig)
    now = datetime.now(UTC)
    event = {
        "version": "0",
        "id": "e-1",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": "123456789012",
        "region": "eu-central-1",
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }
    body = json.dumps(event).encode()
    request = Request("deployments", "deployments", {"content-type": "application/json"}, body, now, origin="rule")

    parsed = deployments.parse(request, SourceSettings())

    assert parsed.rejected == ()
    ((target, change),) = parsed.changes
    assert (target.kind, target.name) == ("function", "runbook-sandbox")
    assert change.what == "deployed (deploy-lambda run 7) (revision 0123abc)"


@pytest.mark.parametrize(
    "what",
    [
        pytest.param('", "schema": "other', id="a key of its own"),
        pytest.param("$(touch touched) `id` ; \\", id="a command"),
        pytest.param("Zeile 1\nline 2 \N{SNOWMAN}", id="several lines and a snowman"),
    ],
)
def test_text_stays_text(rig: Rig, what: str) -> None:
    """Nothing that somebody types becomes part of the event's structure, or is run."""
    said = rig.run(
        "publish-change.sh", "--kind", "function", "--name", "n", "--who", "ana", "--what", what, "--dry-run"
    )

    assert said.code == 0, said.err
    detail = json.loads(json.loads(said.out)[0]["Detail"])
    assert (detail["what"], detail["schema"]) == (what, "rb.change.v1")
    assert not (rig.folder / "touched").exists()
    assert rig.calls == []


def test_a_refused_event_is_a_failure(rig: Rig) -> None:
    """PutEvents answers 200 and tells in the body that it took nothing."""
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorizedForSource", "ErrorMessage": "no"}]}
    rig.answer("aws events put-events*", json.dumps(refused))

    said = rig.run("publish-change.sh", *CHANGE)

    assert (said.code, said.err) == (1, "publish-change: the bus refused the event: NotAuthorizedForSource: no\n")


@pytest.mark.parametrize("missing", ["--kind", "--name", "--who", "--what"])
def test_a_half_told_change_is_refused(rig: Rig, missing: str) -> None:
    """Who, what and which target are told, or nothing is."""
    place = CHANGE.index(missing)

    said = rig.run("publish-change.sh", *CHANGE[:place], *CHANGE[place + 2 :])

    assert (said.code, said.err) == (2, f"publish-change: {missing} is missing (--help lists the options)\n")
    assert rig.calls == []
