"""Rollback: to a release that is known to be good, or not at all."""

from __future__ import annotations

import pytest

from runbook_engine.actions.rollback import ACTION, RollbackParams
from runbook_engine.errors import Permanent
from runbook_engine.model.observation import Revision
from runbook_engine.model.plan import Change, Outcome, Progress
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
