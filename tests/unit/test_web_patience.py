"""Reading over HTTP: what failed on its way is asked again, a few times, and everything else is not."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_adapters.web import Answer, NoAnswer, NoConnection, Web

GOOD = Answer(200, {}, b"good")
ADDRESS = "http://host.example/"


class Line(Web):
    """A line on which each request comes to what the test says, in turn."""

    def __init__(self, *outcomes: Answer | NoAnswer) -> None:
        super().__init__()
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _request(self, method: str, url: str, **named: Any) -> Answer:
        self.asked.append((url, named))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_read_is_answered_when_the_connection_breaks_less_than_three_times(broken: int) -> None:
    """Each time it asks for the same."""
    line = Line(*(NoConnection("broken") for _ in range(broken)), GOOD)

    answer = line.get(ADDRESS, fields={"query": "up"}, headers={"Accept": "text/plain"})

    asked = (ADDRESS, {"fields": {"query": "up"}, "headers": {"Accept": "text/plain"}})
    assert (GOOD, [asked] * (broken + 1)) == (answer, line.asked)


def test_the_last_failure_is_raised_when_the_connection_breaks_three_times() -> None:
    """Patience has an end, and the sentence is the newest one."""
    line = Line(*(NoConnection(f"broken {number}") for number in range(3)), GOOD)

    with pytest.raises(NoConnection, match="broken 2"):
        line.get(ADDRESS)

    assert 3 == len(line.asked)


def test_what_came_but_cannot_be_used_is_not_asked_for_again() -> None:
    """Asking again would bring the same, and only cost time."""
    line = Line(NoAnswer("too slow"), GOOD)

    with pytest.raises(NoAnswer, match="too slow"):
        line.get(ADDRESS)

    assert 1 == len(line.asked)


def test_what_is_sent_is_sent_once() -> None:
    """It may have arrived."""
    line = Line(NoConnection("broken"), GOOD)

    with pytest.raises(NoConnection):
        line.post(ADDRESS, b"{}", headers={})

    assert 1 == len(line.asked)
