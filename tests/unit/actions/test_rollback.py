"""Rollback: to a release that is known to be good, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from runbook_engine.actions.rollback import ACTION, RollbackParams
from runbook_engine.errors import EffectUnknown, NoAdapter, Permanent, RunbookError, Unreadable
from runbook_engine.model.observation import ChangeEvent, Revision
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

REVISIONS = (
    Revision(number=44, healthy=None),
    Revision(number=43, healthy=False),
    Revision(number=42),
    Revision(number=41, healthy=True, summary="r41"),
    Revision(number=40, healthy=True),
)


def deployed(revisions: tuple[Revision, ...] = REVISIONS, **more: bool) -> tuple[SimulatedWorld, Target]:
    """Return a world with one deployment at its newest revision."""
    simulated = SimulatedWorld()
    return simulated, simulated.deploy(
        "apps", "checkout", replicas=3, revisions=revisions, paused=more.get("paused", False)
    )


def prepare(simulated: SimulatedWorld, target: Target, to: str | int = "lastHealthy") -> Change | None:
    """Prepare a rollback."""
    return ACTION.prepare(RollbackParams.model_validate({"to": to}), target, simulated.world)


@pytest.mark.parametrize(
    ("to", "chosen"),
    [
        pytest.param("lastHealthy", 41, id="the newest older one that is known to be healthy"),
        pytest.param(42, 42, id="a number, about which nothing bad is known"),
    ],
)
def test_prepare_chooses_a_revision_when_one_is_good_enough(to: str | int, chosen: int) -> None:
    """The change names both revisions."""
    change = prepare(*deployed(), to)

    assert change is not None
    assert (change.field, change.before, change.after) == ("revision", 44, chosen)


def test_prepare_chooses_the_one_before_when_asked_for_previous() -> None:
    """Unknown health is good enough for an author who says previous."""
    change = prepare(*deployed((Revision(number=3), Revision(number=2), Revision(number=1, healthy=True))), "previous")

    assert change is not None
    assert change.after == 2


def test_prepare_returns_none_when_already_there() -> None:
    """The named revision runs already."""
    assert prepare(*deployed(), 44) is None


@pytest.mark.parametrize(
    ("revisions", "to", "sentence"),
    [
        pytest.param(
            (Revision(number=1),),
            "lastHealthy",
            "cannot roll back apps/deployment/checkout from revision 1: no older revision is kept "
            "(raise the number of revisions that are kept)",
            id="nothing older",
        ),
        pytest.param(
            (Revision(number=3), Revision(number=2), Revision(number=1, healthy=False)),
            "lastHealthy",
            "cannot roll back apps/deployment/checkout from revision 3: none of the older revisions (2, 1) is known to "
            "have been healthy (name one, as in to: previous)",
            id="nothing known to be healthy",
        ),
        pytest.param(
            REVISIONS,
            "previous",
            "cannot roll back apps/deployment/checkout from revision 44: revision 43 is known to have been unhealthy "
            "(use to: lastHealthy)",
            id="the one before is bad",
        ),
        pytest.param(
            REVISIONS,
            7,
            "cannot roll back apps/deployment/checkout from revision 44: there is no older revision 7 "
            "(kept: 43, 42, 41, 40)",
            id="a number that is not kept",
        ),
    ],
)
def test_prepare_is_refused_when_nothing_is_good_enough(
    revisions: tuple[Revision, ...], to: str | int, sentence: str
) -> None:
    """A rollback into the unknown is no remedy."""
    with pytest.raises(Permanent) as caught:
        prepare(*deployed(revisions), to)

    assert str(caught.value) == sentence


def test_prepare_is_refused_when_paused() -> None:
    """A paused workload would not roll."""
    with pytest.raises(Permanent) as caught:
        prepare(*deployed(paused=True))

    assert str(caught.value) == (
        "cannot roll back apps/deployment/checkout: its rollouts are paused (resume them first)"
    )


def test_rollback_happens_once_when_applied_twice() -> None:
    """The second apply finds the revision and sends nothing."""
    simulated, target = deployed()
    change = prepare(simulated, target)
    assert change is not None

    first = ACTION.apply(change, "key", simulated.effects)
    simulated.settle()
    second = ACTION.apply(change, "key", simulated.effects)

    assert (first.status, second.status) == ("done", "noop")
    assert len(simulated.effects_made) == 1
    assert ACTION.observe(change, first.receipt, simulated.world) == Progress.done("3 of 3 replicas ready and updated")


def test_rollback_is_a_conflict_when_somebody_released() -> None:
    """A newer release is not swept away."""
    simulated, target = deployed()
    change = prepare(simulated, target)
    assert change is not None
    simulated.release(target)

    outcome = ACTION.apply(change, "key", simulated.effects)

    assert outcome == Outcome.conflict("apps/deployment/checkout is at revision 45, not 44: nothing was rolled back")
    assert simulated.seen(target).revision == 45


def test_observe_believes_the_receipt_when_the_cluster_renumbers() -> None:
    """Some clusters give the older release a new number; the receipt carries it."""
    simulated, target = deployed()
    change = prepare(simulated, target)
    assert change is not None
    number = simulated.release(target, by="runbook-engine")
    simulated.settle()

    renumbered = ACTION.observe(change, {"revision": number}, simulated.world)
    somebody = ACTION.observe(change, {"revision": 99}, simulated.world)

    assert renumbered.status == "done"
    assert somebody.status == "superseded"


def test_prepare_is_refused_when_updated_by_hand() -> None:
    """Another template would change nothing."""
    simulated, target = deployed()
    simulated.cluster.state(target).manual_updates = True

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target)

    assert str(caught.value) == (
        "cannot roll back apps/deployment/checkout: it is updated by hand, so nothing would roll "
        "(roll its template back by hand, then use deletePod on its pods)"
    )


def test_observe_knows_the_revision_by_its_former_number_when_the_receipt_is_lost() -> None:
    """A cluster gives what is returned to a new number, and remembers the old one."""
    simulated, target = deployed()
    simulated.cluster.state(target).renumbers = True
    change = prepare(simulated, target)
    assert change is not None
    simulated.fail_next("cluster.rollback", EffectUnknown("connection reset"), after_effect=True)

    with pytest.raises(EffectUnknown):
        ACTION.apply(change, "key", simulated.effects)
    simulated.settle()

    assert simulated.seen(target).revision == 45
    assert ACTION.observe(change, {}, simulated.world) == Progress.done("3 of 3 replicas ready and updated")
    assert ACTION.apply(change, "key", simulated.effects).status == "noop"
    assert prepare(simulated, target, 41) is None


@dataclass
class Blocked:
    """A writer whose newer replicas stand in the way, so many times."""

    stuck: list[int]

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        left = self.stuck.pop(0)
        return {"generation": 9, "revision": 45, "unchanged": left < 2, "stuck": left}


def test_rollback_asks_again_when_replicas_are_in_the_way() -> None:
    """One call takes one of them away, and the engine asks until none is left."""
    simulated, target = deployed()
    change = prepare(simulated, target)
    assert change is not None
    effects = replace(simulated.effects, cluster=Blocked([2, 1, 0]))  # type: ignore[arg-type]  # one method is asked

    outcomes = [ACTION.apply(change, "key", effects) for _ in range(3)]

    assert outcomes == [
        Outcome.partial(
            timedelta(seconds=5),
            "2 of the newer revision still in the way, which are taken away one by one",
            generation=9,
            revision=45,
        ),
        Outcome.partial(
            timedelta(seconds=5),
            "1 of the newer revision still in the way, which are taken away one by one",
            generation=9,
            revision=45,
        ),
        Outcome(
            status="noop",
            reason="already so",
            receipt={"generation": 9, "revision": 45, "unchanged": True, "stuck": 0},
        ),
    ]


RELEASED = timedelta(days=9)  # ago
SEEN = {
    "healthy": (("healthy", 42, 2),),
    "healthy under a number that it bore before": (("healthy", 39, 2),),
    "failed, and healthy later": (("failed", 42, 3), ("healthy", 42, 2)),
    "healthy before a newer one that failed": (("healthy", 42, 3), ("failed", 43, 2)),
}
UNSEEN = {
    "nothing": (),
    "healthy, and failed later": (("healthy", 42, 3), ("failed", 42, 2)),
    "healthy before it was released, of a workload that was deleted since": (("healthy", 42, 10),),
    "changes of its revision": (("change", 42, 2), ("autoscaled", 42, 2)),
    "another revision healthy": (("healthy", 44, 2),),
    "healthy, of a revision that is known to be unhealthy": (("healthy", 43, 2),),
}


def watched(told: tuple[tuple[str, int, int], ...], **known: bool | None) -> tuple[SimulatedWorld, Target]:
    """Return a world whose older revisions nobody but the watcher knows; told: kind, revision, days ago."""
    released_at = SimulatedWorld().clock.now() - RELEASED
    simulated, target = deployed(
        (
            Revision(number=44, released_at=released_at),
            Revision(number=43, released_at=released_at, healthy=False),
            Revision(number=42, formerly=(39,), released_at=released_at, healthy=known.get("healthy")),
        )
    )
    for kind, revision, days in told:
        at = simulated.clock.now() - timedelta(days=days)
        event = ChangeEvent(at=at, who="kubernetes", what=f"{kind} {revision}", kind=kind, revision=revision)  # type: ignore[arg-type]  # of the table
        simulated.changes.add(target, event)
    return simulated, target


@pytest.mark.parametrize("told", SEEN.values(), ids=SEEN)
def test_prepare_chooses_what_was_seen_healthy(told: tuple[tuple[str, int, int], ...]) -> None:
    """The cluster has forgotten how it did; whoever watched it has not."""
    change = prepare(*watched(told))

    assert change is not None
    assert change.after == 42


@pytest.mark.parametrize("told", UNSEEN.values(), ids=UNSEEN)
def test_prepare_refuses_when_nothing_was_seen_healthy_last(told: tuple[tuple[str, int, int], ...]) -> None:
    """The newest that is told of a revision counts, and only of this very revision."""
    with pytest.raises(Permanent) as refused:
        prepare(*watched(told))

    assert str(refused.value) == (
        "cannot roll back apps/deployment/checkout from revision 44: none of the older revisions (43, 42) is known to "
        "have been healthy (name one, as in to: previous)"
    )


def test_prepare_refuses_a_named_revision_when_it_was_seen_to_fail() -> None:
    """Even if some of its pods are available now, which is all that the cluster can say."""
    with pytest.raises(Permanent) as refused:
        prepare(*watched((("failed", 42, 2),), healthy=True), to=42)

    assert str(refused.value) == (
        "cannot roll back apps/deployment/checkout from revision 44: revision 42 is known to have been unhealthy "
        "(use to: lastHealthy)"
    )


class Forgetful:
    """A history that cannot be read."""

    def __init__(self, error: RunbookError) -> None:
        self._error = error

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        raise self._error


@pytest.mark.parametrize("error", [Unreadable("away"), NoAdapter("nothing serves changes", "name one")])
def test_prepare_goes_by_the_cluster_when_the_history_cannot_be_read(error: RunbookError) -> None:
    """Nothing more is known, and nothing less."""
    simulated, target = watched((("failed", 42, 2),), healthy=True)
    world = replace(simulated.world, changes=Forgetful(error))

    change = ACTION.prepare(RollbackParams(), target, world)

    assert change is not None
    assert change.after == 42
