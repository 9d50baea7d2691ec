"""The rollout observer: what counts as done, and what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from runbook_engine.actions.rollout import LOOK_AGAIN, find_workload, observe_count, observe_rollout
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Progress, Value
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
    assert observe_count(workload(paused=True, **changed), {}, grown=True).status == status


@pytest.mark.parametrize(
    ("changed", "receipt", "progress"),
    [
        pytest.param(
            {"replicas": 5, "ready": 5, "updated": 2, "partition": 3},
            {},
            Progress.done("5 of 5 replicas ready; 3 keep the older revision, as the partition says"),
            id="a partition keeps some on the older revision",
        ),
        pytest.param(
            {"replicas": 5, "ready": 5, "updated": 1, "partition": 3},
            {},
            Progress.progressing("5 ready and 1 updated of 5 replicas", LOOK_AGAIN),
            id="a partition lets one more be updated",
        ),
        pytest.param(
            {"updated": 0, "partition": 9},
            {},
            Progress.done("3 of 3 replicas ready; 3 keep the older revision, as the partition says"),
            id="a partition above the count keeps all",
        ),
        pytest.param(
            {"rollout": "failed", "rollout_reason": "quota", "failure_mark": "09:00", "updated": 1},
            {"failureMark": "09:00"},
            Progress.progressing(
                "3 ready and 1 updated of 3 replicas; the failure that is told of is older than this change", LOOK_AGAIN
            ),
            id="a failure from before our write, left standing",
        ),
        pytest.param(
            {"rollout": "failed", "rollout_reason": "quota", "failure_mark": "09:10"},
            {"failureMark": "09:00"},
            Progress.failed("the rollout of apps/deployment/checkout failed: quota"),
            id="a failure after the one before our write",
        ),
        pytest.param(
            {"rollout": "failed", "rollout_reason": "quota"},
            {"failureMark": ""},
            Progress.failed("the rollout of apps/deployment/checkout failed: quota"),
            id="a failure that bears no mark",
        ),
        pytest.param(
            {"manual_updates": True},
            {},
            Progress.failed(
                "apps/deployment/checkout is updated by hand, so nothing rolls out (use deletePod on its pods)"
            ),
            id="made to be updated by hand meanwhile",
        ),
    ],
)
def test_rollout_is_judged_by_its_own_rules_when_they_differ(
    changed: Mapping[str, object], receipt: Mapping[str, Value], progress: Progress
) -> None:
    """A partition, updates by hand, and a failure that is not ours."""
    assert observe_rollout(workload(**changed), receipt) == progress


@pytest.mark.parametrize(
    ("changed", "grown", "progress"),
    [
        pytest.param(
            {"replicas": 4, "ready": 4, "updated": 1, "rollout": "progressing"},
            True,
            Progress.done("4 of 4 replicas ready; rollout incomplete: 1 of 4 updated"),
            id="grown while old replicas still serve",
        ),
        pytest.param(
            {"replicas": 4, "ready": 5, "updated": 1, "rollout": "progressing"},
            True,
            Progress.done("5 of 4 replicas ready; rollout incomplete: 1 of 4 updated"),
            id="grown while the rollout has one more",
        ),
        pytest.param(
            {"replicas": 4, "ready": 3, "updated": 3, "rollout": "progressing"},
            True,
            Progress.progressing("3 ready and 3 updated of 4 replicas", LOOK_AGAIN),
            id="still growing",
        ),
        pytest.param(
            {"replicas": 4, "ready": 3, "updated": 1, "rollout": "failed", "rollout_reason": "quota"},
            True,
            Progress.failed("the rollout of apps/deployment/checkout failed: quota"),
            id="cannot grow",
        ),
        pytest.param(
            {"replicas": 2, "ready": 5, "updated": 5, "rollout": "progressing"},
            False,
            Progress.progressing("5 ready and 5 updated of 2 replicas", LOOK_AGAIN),
            id="right after a shrink, with all of them still there",
        ),
        pytest.param(
            {"replicas": 2, "ready": 3, "updated": 1, "rollout": "progressing"},
            False,
            Progress.progressing("3 ready and 1 updated of 2 replicas", LOOK_AGAIN),
            id="shrinking while a rollout goes on",
        ),
        pytest.param(
            {"replicas": 2, "ready": 2, "updated": 1, "rollout": "progressing"},
            False,
            Progress.done("2 of 2 replicas ready; rollout incomplete: 1 of 2 updated"),
            id="shrunk while a rollout goes on",
        ),
        pytest.param(
            {"replicas": 2, "ready": 1, "updated": 2, "rollout": "progressing"},
            False,
            Progress.progressing("1 ready and 2 updated of 2 replicas", LOOK_AGAIN),
            id="shrunk, and one is broken",
        ),
        pytest.param(
            {"paused": True, "replicas": 2, "ready": 1, "updated": 5},
            False,
            Progress.progressing("1 ready of 2 replicas", LOOK_AGAIN),
            id="shrinking while paused, with broken replicas that are still there",
        ),
        pytest.param(
            {"manual_updates": True, "replicas": 4, "ready": 4, "updated": 4},
            True,
            Progress.done("4 of 4 replicas ready and updated"),
            id="updated by hand, and all are",
        ),
        pytest.param(
            {"manual_updates": True, "replicas": 4, "ready": 4, "updated": 3},
            True,
            Progress.done("4 of 4 replicas ready; rollout incomplete: 3 of 4 updated, the rest is updated by hand"),
            id="updated by hand, and one is not",
        ),
        pytest.param(
            {"manual_updates": True, "replicas": 4, "ready": 3, "updated": 4},
            True,
            Progress.progressing("3 ready of 4 replicas", LOOK_AGAIN),
            id="updated by hand, and one is not ready",
        ),
        pytest.param(
            {"observed_generation": 6},
            True,
            Progress.progressing("apps/deployment/checkout has not been looked at by its controller yet", LOOK_AGAIN),
            id="not looked at yet",
        ),
    ],
)
def test_count_is_done_when_reached_though_a_rollout_goes_on(
    changed: Mapping[str, object], grown: bool, progress: Progress
) -> None:
    """A scaling does not wait for a rollout that is not its own, and says that there is one."""
    assert observe_count(workload(**changed), {}, grown=grown) == progress


def test_a_workload_that_is_being_deleted_is_not_ours_any_more() -> None:
    """Whatever its counts say."""
    change = Change(target=TARGET, field="replicas", before=2, after=3)

    assert find_workload(change, lambda target: workload(deleting=True)) == Progress.superseded(
        "apps/deployment/checkout is being deleted: somebody else is removing it"
    )
