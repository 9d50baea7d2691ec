"""Words of others: whatever the cluster's users wrote, our sentences stay one line, printable and short."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes.autoscalers import Found, paused_because
from runbook_adapters.kubernetes.budgets import budget_of
from runbook_adapters.kubernetes.differences import creation_of, failure_of
from runbook_adapters.kubernetes.events import event_of
from runbook_adapters.kubernetes.gitops import gitops_owner
from runbook_adapters.kubernetes.headroom import headroom
from runbook_adapters.kubernetes.node_facts import node_of
from runbook_adapters.kubernetes.objects import ignored_because
from runbook_adapters.kubernetes.pods import pod_of
from runbook_adapters.kubernetes.releases import said_difference
from runbook_adapters.kubernetes.revisions import deployment_history
from runbook_adapters.kubernetes.rollout import standing_of
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.trouble import failing
from runbook_adapters.kubernetes.wording import LONGEST, one_line

HOSTILE = "approve\x1b[2K\r\n\u202eevil " + "x" * 300_000
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = "2026-03-01T11:00:00Z"


def timed_out() -> Json:
    """Return a deployment that has exceeded its deadline."""
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": HOSTILE}
    return {"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": _observed(condition)}


def unable() -> Json:
    """Return a deployment whose pods cannot be created."""
    condition = {"type": "ReplicaFailure", "status": "True", "message": HOSTILE, "lastTransitionTime": AT}
    return {"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": _observed(condition)}


def waiting() -> Json:
    """Return a pod whose container waits."""
    state = {"waiting": {"reason": "CreateContainerError", "message": HOSTILE}}
    status = {"containerStatuses": [{"name": "app", "state": state}]}
    return {"metadata": {"name": "web-0", "creationTimestamp": AT}, "status": status}


def homeless() -> Json:
    """Return a pod that no node takes."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": HOSTILE}
    return {
        "metadata": {"name": "web-0", "namespace": "apps"},
        "status": {"phase": "Pending", "conditions": [condition]},
    }


def caused() -> str:
    """Return what a revision says of itself."""
    annotations = {"deployment.kubernetes.io/revision": "1", "kubernetes.io/change-cause": HOSTILE}
    (kept,) = deployment_history({}, [{"metadata": {"name": "web-1", "annotations": annotations}}]).kept
    return kept.summary


def imaged(image: str) -> Json:
    """Return a template of this image; the API takes any text for one."""
    return {"spec": {"containers": [{"name": "app", "image": image}]}}


def marked(name: str) -> Json:
    """Return an object with this annotation."""
    return {"metadata": {"name": "web", "annotations": {name: HOSTILE}}}


def _observed(*conditions: Json) -> Json:
    return {"observedGeneration": 1, "conditions": list(conditions)}


def _failure() -> str:
    failure = failure_of(timed_out())
    assert failure is not None
    return failure.reason


def _event() -> str:
    event = event_of({"message": HOSTILE, "lastTimestamp": AT})
    assert event is not None
    return event.message


SENTENCES: dict[str, Any] = {
    "a timed-out rollout": lambda: standing_of("deployment", timed_out(), NOW).reason,
    "pods that cannot be created": lambda: standing_of("deployment", unable(), NOW).reason,
    "a failed release": _failure,
    "a waiting container": lambda: failing(waiting(), NOW),
    "the reason of a wait": lambda: (
        pod_of({"status": {"containerStatuses": [{"state": {"waiting": {"reason": HOSTILE}}}]}}, "test").waiting
    ),
    "a pod without a node": lambda: headroom("node-a", [], [homeless()]).says,
    "a mark that keeps us off": lambda: ignored_because(marked("runbook-engine/ignore")),
    "the cause of a revision": caused,
    "a released image": lambda: said_difference(imaged("old"), imaged(HOSTILE)),
    "the image of what is new": lambda: creation_of({"spec": {"template": imaged(HOSTILE)}}, NOW).what,
    "an application of Argo CD": lambda: gitops_owner(marked("argocd.argoproj.io/tracking-id")),
    "a paused autoscaler": lambda: paused_because(
        Found(kind="scaledobject", scaler=marked("autoscaling.keda.sh/paused-replicas"), hpa=None), 2
    ),
    "a node that is not ready": lambda: (
        node_of(
            {"status": {"conditions": [{"type": "Ready", "status": "False", "message": HOSTILE}]}}, "test"
        ).ready_reason
    ),
    "a budget that does not work": lambda: (
        budget_of(
            {
                "status": _observed(
                    {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": HOSTILE}
                )
            }
        ).problem
    ),
    "an event": _event,
}


@pytest.mark.parametrize("say", SENTENCES.values(), ids=SENTENCES.keys())
def test_sentence_stays_a_sentence_when_the_cluster_holds_hostile_text(say: Any) -> None:
    """An annotation may be a quarter of a million characters, and hold what a terminal obeys."""
    said = say()

    assert "approve" in said
    assert said.isprintable()
    assert len(said) <= LONGEST + 200


@given(st.text(max_size=300), st.integers(1, 200))
def test_line_is_printable_and_bounded_whatever_it_was(text: str, most: int) -> None:
    """And what was fit already is not touched."""
    line = one_line(text, most)

    assert line.isprintable()
    assert len(line) <= most
    assert one_line(line, most) == line


def test_line_ends_in_dots_when_it_was_cut() -> None:
    """A reader sees that there was more."""
    assert "ab..." == one_line("abcdefgh", 5)
