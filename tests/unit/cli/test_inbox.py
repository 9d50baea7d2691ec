"""The inbox at the command line: what waits, what could not be decided, and what a person does with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.model.delivery import Request
from tests.scenario.rig import MINUTE
from tests.unit.cli.desks import Sitting


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody in front of an inbox in which two deliveries wait, and one was set aside."""
    made = Sitting(tmp_path)
    inbox = made.rig.journal.inbox
    for alerts in (1, 2, 3):
        now = made.rig.now
        request = Request(scope="main", source="alertmanager", headers={}, body=b"very private", received_at=now)
        inbox.keep(request, alerts)
        made.rig.simulated.push(MINUTE)
    inbox.set_aside(1, reason="an unexpected ZeroDivisionError, 5 times (see the log)", at=made.rig.now)
    return made


def test_inbox_shows_what_waits_and_what_could_not_be_decided(sitting: Sitting) -> None:
    """The body is shown to nobody."""
    result = sitting.run("inbox")

    assert (0, "") == (result.code, result.err)
    assert result.out == (
        "2 deliveries with 5 alerts wait to be decided, the oldest for 2m\n"
        "\n"
        "SET ASIDE   1 delivery could not be decided, so no run was opened for what was in it; "
        "runbook inbox shows why, runbook inbox retry NUMBER decides it again\n"
        "\n"
        "NUMBER                     SCOPE  REASON\n"
        "1       received 09:00:00  main   an unexpected ZeroDivisionError, 5 times (see the log)\n"
    )


def test_inbox_has_stable_keys_for_scripts(sitting: Sitting) -> None:
    """Keys may be added, none is ever renamed."""
    record = sitting.run("inbox", "--format", "json").record["inbox"]

    waiting = {"deliveries": 2, "alerts": 5, "bytes": 24, "since": "2026-01-05T09:01:00Z", "set_aside": 1}
    assert waiting == record["waiting"]
    [aside] = record["set_aside"]
    assert {"number", "scope", "received_at", "set_aside_at", "reason", "bytes"} == set(aside)
    assert (1, "2026-01-05T09:03:00Z", 12) == (aside["number"], aside["set_aside_at"], aside["bytes"])


def test_an_empty_inbox_says_so(tmp_path: Path) -> None:
    """Also where nothing was ever received."""
    result = Sitting(tmp_path).run("inbox")

    assert (0, "No delivery waits to be decided.\n") == (result.code, result.out)


def test_retry_lets_it_wait_again_behind_the_others(sitting: Sitting) -> None:
    """Under a number of its own."""
    result = sitting.run("inbox", "retry", "1")

    assert (0, "delivery 1 waits again, as 4: the worker decides it\n") == (result.code, result.out)
    assert (3, 0) == (sitting.rig.journal.inbox.fill().deliveries, sitting.rig.journal.inbox.fill().set_aside)


def test_discard_throws_it_away(sitting: Sitting) -> None:
    """A second person hears that it is gone."""
    first = sitting.run("inbox", "discard", "1", "--format", "json")
    second = sitting.run("inbox", "discard", "1")

    assert {"delivery": 1, "recorded": "delivery 1 is thrown away"} == first.record
    assert (1, "runbook: no delivery 1 was set aside\n") == (second.code, second.err)


def test_which_one_is_asked_for(sitting: Sitting) -> None:
    """A wish without a number is nobody's."""
    result = sitting.run("inbox", "retry")

    sentence = "runbook: which one? runbook inbox retry NUMBER (runbook inbox lists what was set aside)\n"
    assert (2, sentence) == (result.code, result.err)


def test_the_first_screen_says_what_could_not_be_decided(sitting: Sitting) -> None:
    """And that deliveries wait, although a worker decides each within a moment."""
    out = sitting.run().out

    assert "INBOX   2 deliveries with 5 alerts wait to be decided, the oldest for 2m: does the worker run?\n" in out
    assert "SET ASIDE   1 delivery could not be decided" in out
    assert "Nothing needs you." not in out
