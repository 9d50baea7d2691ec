"""The rollout observer: what counts as done, and what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from runbook_engine.actions.rollout import observe_count, observe_rollout
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

TARGET = Target("deployment", "local", "apps", "checkout", uid="u1")


def workload(**changed: object) -> Workload:
    """Return a workload of three replicas at rest, with some fields changed."""
    fields: dict[str, object] = {
        "target": TARGET,
        "replicas": 3,
        "ready": 3,
        "updated": 3,
        "generation": 7,
        "observed_generation": 7,
        **changed,
    }
    return Workload(**fields)  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("changed", "receipt", "status", "reason"),
    [
        pytest.param({}, {"generation": 7}, "done", "3 of 3 replicas ready and updated", id="at rest"),
        pytest.param(
            {"generation": 6, "observed_generation": 6},
            {"generation": 7},
            "progressing",
            "apps/deployment/checkout has not been looked at by its controller yet",
            id="a status from before our write",
        ),
        pytest.param(
            {"observed_generation": 6},
            {},
            "progressing",
            "apps/deployment/checkout has not been looked at by its controller yet",
            id="a status from before somebody's write",
        ),
        pytest.param(
            {"replicas": 2, "ready": 3, "updated": 3},
            {},
            "progressing",
            "3 ready and 3 updated of 2 replicas",
            id="more than wanted, on the way down",
        ),
        pytest.param(
            {"updated": 1}, {}, "progressing", "3 ready and 1 updated of 3 replicas", id="old replicas still serve"
        ),
        pytest.param({"ready": 2}, {}, "progressing", "2 ready and 3 updated of 3 replicas", id="one is not ready"),
        pytest.param(
            {"rollout": "progressing"}, {}, "progressing", "3 ready and 3 updated of 3 replicas", id="still rolling"
        ),
        pytest.param(
            {"rollout": "failed", "rollout_reason": "ProgressDeadlineExceeded"},
            {},
            "failed",
            "the rollout of apps/deployment/checkout failed: ProgressDeadlineExceeded",
            id="failed with a reason",
        ),
        pytest.param(
            {"rollout": "failed", "observed_generation": 6},
            {},
            "progressing",
            "apps/deployment/checkout has not been looked at by its controller yet",
            id="an old failure, left standing",
        ),
        pytest.param(
            {"paused": True},
            {},
            "failed",
            "apps/deployment/checkout is paused, so nothing rolls out (resume it)",
            id="paused meanwhile",
        ),
    ],
)
def test_rollout_is_done_only_when_equal_to_what_is_wanted(
    changed: Mapping[str, object], receipt: Mapping[str, Value], status: str, reason: str
) -> None:
    """Equality with what is wanted, of the generation that we wrote."""
    seen = observe_rollout(workload(**changed), receipt)

    assert (seen.status, seen.reason) == (status, reason)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param({"updated": 1}, "done", id="updates wait while paused"),
        pytest.param({"ready": 2}, "progressing", id="readiness does not"),
        pytest.param({"observed_generation": 6}, "progressing", id="nor does the controller's look"),
    ],
)
def test_count_is_done_when_paused_and_ready(changed: Mapping[str, object], status: str) -> None:
    """A paused workload scales, but is never updated."""
    assert observe_count(workload(paused=True, **changed), {}).status == status
