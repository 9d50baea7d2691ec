"""Asking one pod to leave, and what the server says to it, as one of four answers.

The uid goes along, so that a namesake which has taken the pod's place is never hit; and the pod is looked at first,
because an eviction with a stale uid takes from the disruption budget before it fails. Asking twice is harmless.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Literal

import msgspec

from runbook_adapters.kubernetes.objects import is_deleting, pod_path, uid_of
from runbook_adapters.kubernetes.problems import (
    ApiProblem,
    Blocked,
    Invalid,
    LostAnswer,
    MoreThanOneBudget,
    NamespaceTerminating,
    NotFound,
    NotSent,
    PolicyDenied,
    RbacForbidden,
    Throttled,
    WebhookDown,
    WriteConflict,
)
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_engine.errors import Unreadable
from runbook_engine.model.target import Target


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking. `hush`: the server, not the pod, is the reason; ask no other pod now."""

    verb: Literal["leaving", "gone", "wait", "never"]
    says: str = ""
    after: timedelta | None = None
    hush: bool = False
    problem: ApiProblem | None = None


LEAVING = Answer(verb="leaving")
GONE = Answer(verb="gone")


def still_there(transport: Transport, pod: Target) -> Json | None:
    """Return the very pod, None when it is gone or a namesake has taken its place. Raises Unreadable."""
    try:
        found = transport.get(pod_path(pod))
    except NotFound as problem:
        if not problem.served:
            raise
        return None
    return None if pod.uid and uid_of(found) != pod.uid else found


def ask_to_leave(transport: Transport, pod: Target, grace: timedelta | None) -> Answer:
    """Evict one pod, whose uid is known. Raises Permanent when we may not evict anything at all."""
    who = f"pod {pod.namespace}/{pod.name}"
    try:
        transport.post(pod_path(pod, "eviction"), eviction_of(pod, grace))
    except NotFound as problem:
        if not problem.served:
            raise
        return GONE
    except (LostAnswer, WriteConflict) as problem:
        return _looked_again(transport, pod, problem)
    except (Blocked, NamespaceTerminating, WebhookDown) as problem:
        return Answer(verb="wait", says=f"{who} waits: {_sentence(problem)}", after=problem.after, problem=problem)
    except Throttled as problem:
        return _put_off(who, problem)
    except NotSent as problem:
        return Answer(verb="wait", says=f"{who} was not asked: {problem}", hush=True, problem=problem)
    except MoreThanOneBudget as problem:
        says = f"{who} is covered by more than one disruption budget, and no eviction can obey both"
        return Answer(verb="never", says=says, problem=problem)
    except (PolicyDenied, Invalid) as problem:
        return Answer(verb="never", says=f"{who} is not let go: {problem}", problem=problem)
    return LEAVING


def denial_of(transport: Transport, pod: Target, grace: timedelta | None) -> str:
    """Return why an eviction of this pod would be denied, from a dry run of it; empty when rights and rules allow it.

    Every other answer, that of a budget for instance, has passed both.
    """
    try:
        transport.post(pod_path(pod, "eviction"), eviction_of(pod, grace), dry_run=True)
    except (RbacForbidden, PolicyDenied) as problem:
        return f"pod {pod.namespace}/{pod.name} is not let go: {problem}"
    except ApiProblem:
        return ""
    return ""


def eviction_of(pod: Target, grace: timedelta | None) -> Json:
    """Return the body of an eviction of this very pod."""
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": deletion_of(pod, grace),
    }


def deletion_of(pod: Target, grace: timedelta | None) -> Json:
    """Return the conditions under which this very pod is deleted; without a grace it takes its own."""
    seconds = {} if grace is None else {"gracePeriodSeconds": math.ceil(grace.total_seconds())}
    return {"preconditions": {"uid": pod.uid}, **seconds}


def _looked_again(transport: Transport, pod: Target, problem: ApiProblem) -> Answer:
    """Return what has become of a pod after a lost answer or a conflict; one that is untouched is asked again later."""
    lost = isinstance(problem, LostAnswer)
    says = f"pod {pod.namespace}/{pod.name} is asked again: {'its answer was lost' if lost else _sentence(problem)}"
    try:
        found = still_there(transport, pod)
    except Unreadable:
        return Answer(verb="wait", says=says, hush=True, problem=problem)
    if found is None:
        return LEAVING if lost else GONE
    return LEAVING if is_deleting(found) else Answer(verb="wait", says=says, problem=problem)


def _put_off(who: str, problem: Throttled) -> Answer:
    """A refusal in Kubernetes' own form is about the pod (a webhook's); any other is the server's, which is busy."""
    if problem.said.is_status:
        return Answer(verb="wait", says=f"{who} waits: {_sentence(problem)}", after=problem.after, problem=problem)
    says = f"{who} was not asked: the API server is busy"
    return Answer(verb="wait", says=says, after=problem.after, hush=True, problem=problem)


def _sentence(problem: ApiProblem) -> str:
    """Return the server's own words, the cause's if there is one: it holds the name and the numbers of a budget."""
    return next((cause.message for cause in problem.causes if cause.message), problem.message) or str(problem)
