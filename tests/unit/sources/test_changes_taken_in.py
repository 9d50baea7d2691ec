"""Changes that senders tell of are kept under our own targets, start nothing, and are told by who may tell them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.engine import Engine
from runbook_engine.errors import InvalidAlert
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, bundle_in, simulated_engine

PIPELINE = json.loads((Path(__file__).parents[2] / "data" / "alerts" / "deployment-codepipeline.json").read_text())
SCOPES = """\
scopes:
  lab: {source: alertmanager}
  deploys: {source: deployments, targets: ["parameter=/lab/*", "function=orders*", "deployment=apps/*"]}
  pipelines:
    source: deployments
    from: ["events:aws.codepipeline"]
    about:
      pipeline=led*: deployment=apps/ledger
      pipeline=ledger: function=ledger@210987654321/eu-west-1
"""


@pytest.fixture
def engine(tmp_path: Path) -> Callable[..., Engine]:
    """Make an engine of an installation with these clusters."""

    def make(*clusters: str) -> Engine:
        old = "scopes:\n  lab: {source: alertmanager}\n  other: {source: alertmanager}\n"
        bundle = bundle_in(tmp_path, config=CONFIG.replace(old, SCOPES))
        configuration = replace(bundle.configuration, clusters=clusters or bundle.configuration.clusters)
        return simulated_engine(Bundle(bundle.runbooks, configuration), SimulatedWorld())

    return make


def tell(engine: Engine, body: dict[str, Any], scope: str = "deploys", origin: str = "") -> Receipt:
    """Deliver a change."""
    now = engine.world.clock.now()
    return engine.ingest(Request(scope, "deployments", {}, json.dumps(body).encode(), now, origin=origin))


def change(**target: str) -> dict[str, Any]:
    """Return our own event about a target."""
    return {"schema": "rb.change.v1", "who": "ci", "what": "release", "target": target}


def recorded(engine: Engine, target: Target) -> list[tuple[str, str]]:
    """Return who changed what in a target."""
    since = engine.world.clock.now() - timedelta(days=80)
    return [(event.who, event.what) for event in engine.journal.recorded_changes(target, since)]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        pytest.param(
            {"kind": "deployment", "namespace": "apps", "name": "web"},
            Target("deployment", "local", "apps", "web"),
            id="in the only cluster",
        ),
        pytest.param(
            {"kind": "deployment", "place": "prod", "namespace": "apps", "name": "web"},
            Target("deployment", "prod", "apps", "web"),
            id="where it says",
        ),
        pytest.param({"kind": "function", "name": "orders"}, Target("function", "", "", "orders"), id="in no cluster"),
        pytest.param({"kind": "parameter", "name": "/lab/a"}, Target("parameter", "local", "", "/lab/a"), id="a path"),
    ],
)
def test_a_change_is_kept_where_runbooks_look(
    told: dict[str, str], kept: Target, engine: Callable[..., Engine]
) -> None:
    """What a deploy workflow tells is what `changes` and `changedWithin` see of the same target."""
    here = engine()

    receipts = [tell(here, change(**told) | {"at": "2026-01-01T00:00:00Z"}) for _ in range(2)]

    since = here.world.clock.now() - timedelta(days=36500)
    assert ["release"] == [event.what for event in here.journal.recorded_changes(kept, since)]
    assert [(0, 1), (0, 1)] == [(receipt.accepted, receipt.changes) for receipt in receipts]
    assert () == here.journal.executions(limit=1)


def test_a_foreign_name_stands_for_what_the_scope_says(engine: Callable[..., Engine]) -> None:
    """A pipeline is nobody's target; what it deploys is, and it may be more than one."""
    here = engine()

    receipt = tell(
        here, PIPELINE | {"time": here.world.clock.now().isoformat()}, "pipelines", "events aws.codepipeline"
    )

    said = [("CodePipeline", "pipeline ledger FAILED (execution ex-5510)")]
    assert 2 == receipt.changes
    assert said == recorded(here, Target("deployment", "local", "apps", "ledger"))
    assert said == recorded(here, Target("function", "210987654321/eu-west-1", "", "ledger"))


def test_a_foreign_name_that_stands_for_nothing_is_kept_as_it_is(engine: Callable[..., Engine]) -> None:
    """Nothing is lost because nobody said what it is about."""
    here = engine()
    now = here.world.clock.now().isoformat()
    body = PIPELINE | {"time": now, "detail": PIPELINE["detail"] | {"pipeline": "web"}}

    tell(here, body, "pipelines", "events aws.codepipeline")

    assert 1 == len(recorded(here, Target("pipeline", "210987654321/eu-west-1", "", "web")))


@pytest.mark.parametrize(
    ("told", "clusters", "sentence"),
    [
        pytest.param(
            {"kind": "deployment", "namespace": "kube-system", "name": "dns"},
            ("local",),
            "not_ours: no change of the delivery is taken: invalid_target: scope deploys may not touch "
            "deployment=kube-system/dns",
            id="a target of somebody else",
        ),
        pytest.param(
            {"kind": "deployment", "namespace": "apps", "name": "web"},
            ("blue", "green"),
            "not_ours: no change of the delivery is taken: invalid_target: apps/deployment/web names no place, and "
            "there are several: blue, green",
            id="one of several clusters",
        ),
    ],
)
def test_a_change_that_is_none_of_the_senders_business_is_refused(
    told: dict[str, str], clusters: tuple[str, ...], sentence: str, engine: Callable[..., Engine]
) -> None:
    """What changed decides what runbooks look at, so a sender speaks for its own targets only."""
    here = engine(*clusters)

    with pytest.raises(InvalidAlert) as caught:
        tell(here, change(**told))

    assert sentence == str(caught.value)
