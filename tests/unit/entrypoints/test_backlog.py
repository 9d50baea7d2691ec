"""The backlog: nothing new is taken in while too much waits, whatever it is."""

from __future__ import annotations

import pytest

from runbook_engine.entrypoints import backlog as module
from runbook_engine.entrypoints.backlog import Backlog
from runbook_engine.errors import Overloaded
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import bundle_in, simulated_engine


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The lab's installation."""
    return bundle_in(tmp_path_factory.mktemp("backlog"))


@pytest.mark.parametrize(
    ("alerts", "deliveries", "sentence"),
    [
        pytest.param(2, 2, "4 alerts in 0 MiB wait to be decided, the most is 3 in 256 MiB", id="alerts"),
        pytest.param(0, 3, "3 deliveries in 0 MiB wait to be decided, the most is 3 in 256 MiB", id="changes alone"),
    ],
)
def test_there_is_no_room_when_too_much_waits(
    alerts: int, deliveries: int, sentence: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that tells of changes holds no alert, and must be read and counted all the same."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    inbox, now = engine.journal.inbox, simulated.clock.now()
    assert inbox is not None
    for _ in range(deliveries - 1):
        inbox.keep(Request("lab", "deployments", {}, b"{}", now), alerts)
    Backlog(engine, simulated.clock).demand_room()
    inbox.keep(Request("lab", "deployments", {}, b"{}", now), alerts)

    with pytest.raises(Overloaded) as caught:
        Backlog(engine, simulated.clock).demand_room()

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        pytest.param(
            {"MOST_ASIDE": 2},
            "2 deliveries in 3 MiB were set aside, the most is 2 in 256 MiB "
            "(runbook inbox lists them: retry or discard)",
            id="deliveries",
        ),
        pytest.param(
            {"MOST_BYTES": 3 << 20},
            "2 deliveries in 3 MiB were set aside, the most is 50000 in 3 MiB "
            "(runbook inbox lists them: retry or discard)",
            id="bytes",
        ),
    ],
)
def test_there_is_no_room_when_too_much_was_set_aside(
    bounds: dict[str, int], sentence: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays until a person says; and there is room again once one has."""
    for name, most in bounds.items():
        monkeypatch.setattr(module, name, most)
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    inbox, now = engine.journal.inbox, simulated.clock.now()
    assert inbox is not None
    for number in (1, 2):
        Backlog(engine, simulated.clock).demand_room()
        inbox.keep(Request("lab", "alertmanager", {}, b" " * (3 << 19), now), 1)
        inbox.set_aside(number, reason="a scope was renamed", at=now)

    with pytest.raises(Overloaded) as caught:
        Backlog(engine, simulated.clock).demand_room()

    assert sentence == str(caught.value)
    inbox.discard(1)
    Backlog(engine, simulated.clock).demand_room()
