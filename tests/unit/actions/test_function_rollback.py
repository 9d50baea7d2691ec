"""Rollback of a function: its alias points to an older version again, and nothing else will do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runbook_engine.actions.rollback import ACTION, RollbackParams
from runbook_engine.errors import InvalidTarget, Permanent, RunbookError, Unreadable
from runbook_engine.model.observation import ChangeEvent, Revision
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

VERSIONS = (Revision(number=9, healthy=False), Revision(number=7), Revision(number=5, healthy=True, summary="r5"))
LIVE = Target("function", "", "", "orders:live")


def world(version: int = 9, versions: tuple[Revision, ...] = VERSIONS, **state: Any) -> SimulatedWorld:
    """Return a world with one function behind an alias."""
    simulated = SimulatedWorld()
    target = simulated.add_function("orders", aliases={"live": version}, versions=versions)
    simulated.functions.alias_of(target).canary = state.pop("canary", "")
    for name, value in state.items():
        setattr(simulated.functions.state_of(target), name, value)
    return simulated


def prepare(simulated: SimulatedWorld, to: str | int = "previous", target: Target = LIVE) -> Change | None:
    """Prepare a rollback."""
    return ACTION.prepare(RollbackParams.model_validate({"to": to}), target, simulated.world)


@pytest.mark.parametrize(
    ("to", "version"),
    [
        pytest.param("previous", 7, id="the newest older version, numbers may have gaps"),
        pytest.param("lastHealthy", 5, id="the newest older one that is known to be healthy"),
        pytest.param(5, 5, id="a number"),
    ],
)
def test_prepare_chooses_an_older_version(to: str | int, version: int) -> None:
    """The change names both versions, and binds from which one."""
    change = prepare(world(), to)

    assert change is not None
    assert (change.target, change.field, change.before, change.after) == (LIVE, "version", 9, version)
    assert change.arguments["from"] == 9


def test_prepare_believes_what_was_recorded_of_a_version() -> None:
    """A release that was watched counts with what Lambda itself still knows."""
    simulated = world(versions=(Revision(number=9), Revision(number=7, released_at=SimulatedWorld().clock.now())))
    healthy = ChangeEvent(
        at=simulated.clock.now(), who="pipeline", what="release 7 is well", kind="healthy", revision=7
    )
    simulated.changes.add(LIVE.whole, healthy)

    change = prepare(simulated, "lastHealthy")

    assert change is not None
    assert change.after == 7


def test_prepare_returns_none_when_the_alias_points_there_already() -> None:
    """Nothing to do, whatever lies between."""
    assert prepare(world(), 9) is None


def test_prepare_binds_the_canary_that_ends_with_it() -> None:
    """Pointing an alias ends its canary, so a yes to the one is a yes to the other."""
    change = prepare(world(version=9, canary="7=5"))

    assert change is not None
    assert change.arguments == {"from": 9, "endsCanary": "7=5"}


@pytest.mark.parametrize(
    ("simulated", "to", "target", "sentence"),
    [
        pytest.param(
            world(),
            "previous",
            Target("function", "", "", "orders"),
            "cannot roll back function/orders: the target names no alias, and unpublished code has nothing to return "
            "to (write alias: NAME, and let every caller use it)",
            id="no alias",
        ),
        pytest.param(
            world(version=0),
            "previous",
            LIVE,
            "cannot roll back function/orders:live: its alias points to the unpublished code (publish a version, and "
            "point the alias to it)",
            id="an alias of unpublished code",
        ),
        pytest.param(
            world(bypassed="API abc123 calls it without the alias"),
            "previous",
            LIVE,
            "cannot roll back function/orders:live: API abc123 calls it without the alias (let every caller use the "
            "alias)",
            id="callers that go past the alias",
        ),
        pytest.param(
            world(version=7, canary="9=10"),
            "previous",
            LIVE,
            "cannot roll back function/orders:live from version 7: 10% of its calls go to version 9, which is newer "
            "and may be at fault (end that first, with the action canary and percent: 0, or name a version)",
            id="a canary that may be at fault",
        ),
        pytest.param(
            world(version=5),
            "previous",
            LIVE,
            "cannot roll back function/orders:live from version 5: no older version is kept (raise the number of "
            "versions that are kept)",
            id="nothing older",
        ),
        pytest.param(
            world(version=7, versions=(*VERSIONS[:2], Revision(number=5))),
            "lastHealthy",
            LIVE,
            "cannot roll back function/orders:live from version 7: none of the older versions (5) is known to have "
            "been healthy (name one, as in to: previous)",
            id="nothing known to be healthy",
        ),
        pytest.param(
            world(versions=(Revision(number=9), Revision(number=7, healthy=False))),
            "previous",
            LIVE,
            "cannot roll back function/orders:live from version 9: version 7 is known to have been unhealthy (use to: "
            "lastHealthy)",
            id="the one before was no better",
        ),
        pytest.param(
            world(),
            6,
            LIVE,
            "cannot roll back function/orders:live from version 9: there is no older version 6 (kept: 7, 5)",
            id="a number that is not there",
        ),
    ],
)
def test_prepare_refuses_when_it_would_not_help(
    simulated: SimulatedWorld, to: str | int, target: Target, sentence: str
) -> None:
    """Each refusal says why, and what to do instead."""
    with pytest.raises(Permanent) as refused:
        prepare(simulated, to, target)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("arrange", "error"),
    [
        pytest.param(lambda simulated: simulated.functions.remove(LIVE), InvalidTarget, id="no such function"),
        pytest.param(lambda simulated: simulated.faults.make_unreadable("functions"), Unreadable, id="unreadable"),
    ],
)
def test_prepare_guesses_nothing_when_it_cannot_look(arrange: Any, error: type[RunbookError]) -> None:
    """What is not there and what cannot be read are told apart by who asked."""
    simulated = world()
    arrange(simulated)

    with pytest.raises(error):
        prepare(simulated)


def test_apply_points_once_when_sent_twice() -> None:
    """A repeat after a lost answer finds the alias there."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None

    first, second = (ACTION.apply(change, "key", simulated.effects) for _ in range(2))

    assert (first.status, second.status) == ("done", "noop")
    assert simulated.functions.seen(LIVE).version == 7


def test_apply_overwrites_nothing_when_somebody_has_released_since() -> None:
    """A newer release may be the remedy."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    simulated.publish(LIVE)

    outcome = ACTION.apply(change, "key", simulated.effects)

    assert outcome == Outcome.conflict("function/orders:live points to version 10, not 9: nothing was written")


@pytest.mark.parametrize(
    ("version", "receipt", "expected"),
    [
        pytest.param(7, {"version": 7}, Progress.done("function/orders:live points to version 7"), id="there"),
        pytest.param(9, {}, Progress.absent("version of function/orders:live is still 9"), id="never written"),
        pytest.param(
            10,
            {"version": 7},
            Progress.superseded("version of function/orders:live is 10, not 7: somebody else has changed it"),
            id="released again since",
        ),
    ],
)
def test_observe_tells_where_the_alias_points(version: int, receipt: dict[str, Any], expected: Progress) -> None:
    """An alias moves at once, or somebody else has moved it."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    simulated.functions.alias_of(LIVE).version = version

    assert ACTION.observe(change, receipt, simulated.world) == expected


def test_observe_is_superseded_when_the_function_is_gone() -> None:
    """Somebody removed it."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    simulated.functions.remove(LIVE)

    assert ACTION.observe(change, {}, simulated.world).status == "superseded"


def test_recorded_health_is_no_obstacle_when_changes_cannot_be_read() -> None:
    """Unreadable: nothing more is known than Lambda says."""
    simulated = world()
    simulated.faults.make_unreadable("changes")

    change = prepare(simulated, "lastHealthy")

    assert change is not None
    assert (change.after, simulated.clock.now() - simulated.clock.start) == (5, timedelta(0))
