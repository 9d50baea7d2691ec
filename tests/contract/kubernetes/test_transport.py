"""The transport against a scripted server: every row of the table of answers, as callers and people see it."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes import in_cluster, problems
from runbook_adapters.kubernetes.answers import problem_of, said_of
from runbook_adapters.kubernetes.calls import call_of, checked_path, is_name, path_of
from runbook_adapters.kubernetes.credentials import GivenToken, NoCredential
from runbook_adapters.kubernetes.settings import KubernetesSettings, checked_server, connect
from runbook_adapters.kubernetes.tls import ca_of_data, ca_of_file, trust
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Times, Wire
from runbook_engine.errors import (
    Conflict,
    EffectUnknown,
    InvalidTarget,
    NoAdapter,
    Permanent,
    Retryable,
    RunbookError,
    Unreadable,
)
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.ports import AdapterContext
from tests.contract.http_service import Asked, HttpService, Told, http_service
from tests.contract.kubernetes.raw_service import Answer, chunked, cut, raw_service, reset

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
SECRET = "canary-0f3b5c-token"
CHECKOUT = path_of("apis/apps/v1", "shop", "deployments", "checkout")
EVICTION = path_of("api/v1", "shop", "pods", "checkout-1", "eviction")
GUARDED = [{"op": "test", "path": "/metadata/uid", "value": "u1"}, {"op": "add", "path": "/spec/paused", "value": True}]


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


class Tokens:
    """Credentials that count how often they were renewed."""

    def __init__(self) -> None:
        self.number = 0

    def authorization(self, now: datetime) -> str:
        return f"Bearer {SECRET}-{self.number}"

    def refresh(self) -> None:
        self.number += 1


class Line:
    """A transport to a scripted server, with the waits that it would have taken."""

    def __init__(self, url: str, *, patience: float = 5.0, **wire: object) -> None:
        self.waits: list[float] = []
        self.tokens = Tokens()
        self.transport = Transport(
            Wire(url, times=wire.pop("times", Times(connect=30.0, read=30.0, write=30.0)), **wire),
            self.tokens,
            FixedClock(),
            patience=timedelta(seconds=patience),
            sleep=self.waits.append,
            jitter=lambda low, high: low,
        )


@pytest.fixture
def service() -> Iterator[HttpService]:
    """A server that answers what it is told."""
    with http_service() as running:
        yield running


@pytest.fixture
def line(service: HttpService) -> Line:
    """A transport to that server."""
    return Line(service.url)


def told(status: int = 200, document: object = None, **headers: str) -> Told:
    """Return an answer in JSON."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Told(status, json.dumps({} if document is None else document).encode(), named)


def deployment(**fields: object) -> dict[str, object]:
    """Return the object that is asked for, as far as it matters here."""
    return {"kind": "Deployment", "metadata": {"name": "checkout"}, **fields}


def pod_list(*items: object, **metadata: str) -> dict[str, object]:
    """Return a page of a list."""
    return {"kind": "PodList", "metadata": metadata, "items": list(items)}


def refusal(
    status: int,
    reason: str | None,
    message: str,
    *causes: dict[str, str],
    kind: str = "",
    seconds: int | None = None,
    **headers: str,
) -> Told:
    """Return an answer that is a Status of Kubernetes."""
    details = {"kind": kind, "causes": list(causes), "retryAfterSeconds": seconds}
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return told(status, {**body, "code": status, "details": details}, **headers)


Do = Callable[[Transport], object]


def look(transport: Transport) -> object:
    """Read one object."""
    return transport.get(CHECKOUT)


def patch(transport: Transport) -> object:
    """Change one object, guarded."""
    return transport.patch(CHECKOUT, GUARDED, kind="json")


def evict(transport: Transport) -> object:
    """Evict a pod."""
    return transport.post(EVICTION, {"kind": "Eviction"})


def remove(transport: Transport) -> object:
    """Delete a pod."""
    return transport.delete(path_of("api/v1", "shop", "pods", "checkout-1"))


RBAC = (
    'deployments.apps "checkout" is forbidden: User "system:serviceaccount:ops:runbook" cannot {0} resource '
    '"deployments" in API group "apps" in the namespace "shop"'
)
PDB = "Cannot evict pod as it would violate the pod's disruption budget."
MOVED = 'Operation cannot be fulfilled on deployments.apps "checkout": the object has been modified'
DENIED = (
    "deployments.apps \"checkout\" is forbidden: ValidatingAdmissionPolicy 'caps' with binding 'caps' denied request"
)
HOOK = (
    'Internal error occurred: failed calling webhook "guard.shop.example": failed to call webhook: Post '
    '"https://guard.shop.svc:443/": dial tcp 10.0.0.9:443: connect: connection refused'
)
CALL = "patch deployments checkout in namespace shop"
EVICT = "create pods/eviction checkout-1 in namespace shop"
GET = "get deployments checkout in namespace shop"
NEVER_READ = "what cannot be read is not guessed; look at the API server"
NOT_TAKEN = "the server does not take such a request; check server in engine.yaml, and report it if that is right"
WRITES = [
    pytest.param(
        patch,
        refusal(400, "BadRequest", "error decoding patch"),
        (problems.RejectedOnWrite, Permanent),
        f"cannot {CALL}: HTTP 400 BadRequest: error decoding patch ({NOT_TAKEN})",
        id="a request that is wrong",
    ),
    pytest.param(
        patch,
        Told(302, b"", (("Location", "https://login.example/"),)),
        (problems.LostAnswer, EffectUnknown),
        f"nobody knows whether this was done: {CALL}: HTTP 302 (look at it before doing it again)",
        id="a redirect, which is not followed, and not of an API server",
    ),
    pytest.param(
        patch,
        refusal(403, "Forbidden", RBAC.format("patch"), kind="deployments"),
        (problems.RbacForbiddenOnWrite, Permanent),
        f"cannot {CALL}: HTTP 403 Forbidden: {RBAC.format('patch')} (grant patch on deployments to "
        "system:serviceaccount:ops:runbook; runbook permissions lists what is needed)",
        id="RBAC says no",
    ),
    pytest.param(
        patch,
        refusal(403, "Forbidden", 'deployments.apps "checkout" is forbidden: exceeded quota: team, requested: pods=1'),
        (problems.PolicyDenied, Permanent),
        f'cannot {CALL}: HTTP 403 Forbidden: deployments.apps "checkout" is forbidden: exceeded quota: team, '
        "requested: pods=1 (a rule of the cluster forbids it; change the runbook or the rule)",
        id="a quota says no",
    ),
    pytest.param(
        patch,
        refusal(422, "Invalid", DENIED + ": at most 20 replicas", {"message": "at most 20 replicas"}),
        (problems.PolicyDenied, Permanent),
        f"cannot {CALL}: HTTP 422 Invalid: {DENIED}: at most 20 replicas "
        "(a rule of the cluster forbids it; change the runbook or the rule)",
        id="an admission policy says no with its default status",
    ),
    pytest.param(
        patch,
        refusal(403, "Forbidden", DENIED + ": at most 20 replicas", kind="deployments"),
        (problems.PolicyDenied, Permanent),
        f"cannot {CALL}: HTTP 403 Forbidden: {DENIED}: at most 20 replicas "
        "(a rule of the cluster forbids it; change the runbook or the rule)",
        id="an admission policy says no as forbidden",
    ),
    pytest.param(
        patch,
        refusal(400, None, 'admission webhook "guard.shop.example" denied the request: frozen'),
        (problems.PolicyDenied, Permanent),
        f'cannot {CALL}: HTTP 400: admission webhook "guard.shop.example" denied the request: frozen '
        "(a rule of the cluster forbids it; change the runbook or the rule)",
        id="an admission webhook says no",
    ),
    pytest.param(
        evict,
        refusal(
            403,
            "Forbidden",
            'pods "checkout-1" is forbidden: unable to create new content because it is being terminated',
            {"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"},
        ),
        (problems.NamespaceTerminating, Retryable),
        f'cannot {EVICT}: HTTP 403 Forbidden: pods "checkout-1" is forbidden: unable to create new content because '
        "it is being terminated; cause: namespace shop is being terminated "
        "(the namespace is being deleted; its pods end by themselves)",
        id="the namespace is being deleted",
    ),
    pytest.param(
        patch,
        refusal(404, "NotFound", 'deployments.apps "checkout" not found'),
        (problems.NotFoundOnWrite, Permanent),
        f'cannot {CALL}: HTTP 404 NotFound: deployments.apps "checkout" not found '
        "(it is gone; check the name, the namespace and the cluster)",
        id="the object is gone",
    ),
    pytest.param(
        patch,
        refusal(409, "Conflict", MOVED),
        (problems.WriteConflict, Conflict),
        f"cannot {CALL}: HTTP 409 Conflict: {MOVED} (somebody changed it in between; nothing was overwritten)",
        id="a stale resource version",
    ),
    pytest.param(
        lambda transport: transport.post(path_of("apis/batch/v1", "shop", "jobs"), {}),
        refusal(409, "AlreadyExists", 'jobs.batch "repair-1" already exists'),
        (problems.AlreadyExists, Conflict),
        'cannot create jobs in namespace shop: HTTP 409 AlreadyExists: jobs.batch "repair-1" already exists '
        "(an object of that name is there; nothing was overwritten)",
        id="an object of that name exists",
    ),
    pytest.param(
        patch,
        refusal(422, "Invalid", "the server rejected our request due to an error in our request"),
        (problems.PatchTestFailed, Conflict),
        f"cannot {CALL}: HTTP 422 Invalid: the server rejected our request due to an error in our request "
        "(it is not as the change expects; nothing was overwritten)",
        id="a test of a JSON patch fails",
    ),
    pytest.param(
        patch,
        refusal(
            422,
            "Invalid",
            'Deployment.apps "checkout" is invalid',
            {"field": "spec.replicas", "message": "Invalid value: -1: must be greater than or equal to 0"},
        ),
        (problems.Invalid, Permanent),
        f'cannot {CALL}: HTTP 422 Invalid: Deployment.apps "checkout" is invalid; cause: spec.replicas: Invalid value: '
        "-1: must be greater than or equal to 0 (the cluster does not accept such an object; correct the runbook)",
        id="an object that is not valid",
    ),
    pytest.param(
        patch,
        Told(422, b"<html>unprocessable</html>"),
        (problems.Invalid, Permanent),
        f"cannot {CALL}: HTTP 422: <html>unprocessable</html> "
        "(the cluster does not accept such an object; correct the runbook)",
        id="a 422 that Kubernetes did not write",
    ),
    pytest.param(
        evict,
        refusal(
            429,
            "TooManyRequests",
            PDB,
            {"reason": "DisruptionBudget", "message": "The disruption budget checkout needs 2 healthy pods and has 2"},
        ),
        (problems.Blocked, Retryable),
        f"cannot {EVICT}: HTTP 429 TooManyRequests: {PDB}; cause: The disruption budget checkout needs 2 healthy pods "
        "and has 2 (it is asked again while there is time)",
        id="a disruption budget says no",
    ),
    pytest.param(
        evict,
        refusal(
            403,
            "Forbidden",
            'poddisruptionbudget.policy "checkout" is forbidden: pdb disruptions allowed is negative',
            kind="poddisruptionbudget",
        ),
        (problems.Blocked, Retryable),
        f'cannot {EVICT}: HTTP 403 Forbidden: poddisruptionbudget.policy "checkout" is forbidden: pdb disruptions '
        "allowed is negative (it is asked again while there is time)",
        id="a disruption budget with impossible numbers",
    ),
    pytest.param(
        evict,
        refusal(
            500,
            None,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        ),
        (problems.MoreThanOneBudget, Permanent),
        f"cannot {EVICT}: HTTP 500: This pod has more than one PodDisruptionBudget, which the eviction subresource "
        "does not support. (let only one PodDisruptionBudget select the pod)",
        id="two disruption budgets",
    ),
    pytest.param(
        patch,
        Told(429, b"Too many requests, please try again later.\n", (("Retry-After", "20"),)),
        (problems.ThrottledOnWrite, Retryable),
        f"cannot {CALL}: HTTP 429: Too many requests, please try again later. "
        "(the API server is busy; it is asked again later)",
        id="too many requests, said in plain text",
    ),
    pytest.param(
        patch,
        refusal(500, "InternalError", HOOK),
        (problems.WebhookDown, Retryable),
        f"cannot {CALL}: HTTP 500 InternalError: {HOOK} "
        "(nothing was done; bring the admission webhook guard.shop.example back)",
        id="an admission webhook is down",
    ),
    pytest.param(
        patch,
        refusal(500, "InternalError", "etcdserver: request timed out"),
        (problems.LostAnswer, EffectUnknown),
        f"nobody knows whether this was done: {CALL}: HTTP 500 InternalError: etcdserver: request timed out "
        "(look at it before doing it again)",
        id="an internal error",
    ),
    pytest.param(
        remove,
        Told(503, b"<html>no healthy upstream</html>"),
        (problems.LostAnswer, EffectUnknown),
        "nobody knows whether this was done: delete pods checkout-1 in namespace shop: HTTP 503: <html>no healthy "
        "upstream</html> (look at it before doing it again)",
        id="a load balancer without an upstream",
    ),
    pytest.param(
        patch,
        refusal(504, "Timeout", "request did not complete within requested timeout"),
        (problems.LostAnswer, EffectUnknown),
        f"nobody knows whether this was done: {CALL}: HTTP 504 Timeout: request did not complete within requested "
        "timeout (look at it before doing it again)",
        id="a time-out of the server",
    ),
    pytest.param(
        patch,
        Told(0),
        (problems.LostAnswer, EffectUnknown),
        f"nobody knows whether this was done: {CALL}: the connection broke before the answer was complete "
        "(look at it before doing it again)",
        id="a connection that breaks",
    ),
    pytest.param(
        patch,
        Told(200, b"\xff{not json"),
        (problems.LostAnswer, EffectUnknown),
        f"nobody knows whether this was done: {CALL}: HTTP 200: the answer is not a JSON object, so not of the "
        "Kubernetes API (look at it before doing it again)",
        id="a success that nobody can read",
    ),
]
READS = [
    pytest.param(
        refusal(403, "Forbidden", RBAC.format("get")),
        problems.RbacForbiddenOnRead,
        f"cannot {GET}: HTTP 403 Forbidden: {RBAC.format('get')} (grant get on deployments to "
        "system:serviceaccount:ops:runbook; runbook permissions lists what is needed)",
        id="RBAC says no",
    ),
    pytest.param(
        refusal(403, "Forbidden", 'forbidden: User "system:anonymous" cannot get path "/apis"'),
        problems.RbacForbiddenOnRead,
        f'cannot {GET}: HTTP 403 Forbidden: forbidden: User "system:anonymous" cannot get path "/apis" '
        "(no credential arrived; check auth in engine.yaml)",
        id="nobody in particular is not allowed",
    ),
    pytest.param(
        Told(403, b"blocked by proxy"),
        problems.RbacForbiddenOnRead,
        f"cannot {GET}: HTTP 403: blocked by proxy (grant get on deployments to this identity; runbook permissions "
        "lists what is needed)",
        id="somebody else says no",
    ),
    pytest.param(
        refusal(404, "NotFound", 'deployments.apps "checkout" not found'),
        problems.NotFoundOnRead,
        f'cannot {GET}: HTTP 404 NotFound: deployments.apps "checkout" not found '
        "(it is gone; check the name, the namespace and the cluster)",
        id="the object is gone",
    ),
    pytest.param(
        Told(404, b"404 page not found\n"),
        problems.NotFoundOnRead,
        f"cannot {GET}: HTTP 404: 404 page not found (this cluster has no resource deployments; check server, or "
        "install what defines it)",
        id="a resource that the server does not know",
    ),
    pytest.param(
        refusal(410, "Expired", "too old resource version: 1 (2)"),
        problems.Expired,
        f"cannot {GET}: HTTP 410 Expired: too old resource version: 1 (2) (too much changed since; list again)",
        id="too old",
    ),
    pytest.param(
        refusal(422, "Invalid", "unable to parse requirement"),
        problems.RejectedOnRead,
        f"cannot {GET}: HTTP 422 Invalid: unable to parse requirement ({NOT_TAKEN})",
        id="a selector that is wrong",
    ),
    pytest.param(
        Told(429, b"Too many requests", (("Retry-After", "30"),)),
        problems.ThrottledOnRead,
        f"cannot {GET}: HTTP 429: Too many requests (the API server is busy; it is asked again later)",
        id="too many requests",
    ),
    pytest.param(
        refusal(503, "ServiceUnavailable", "the server is shutting down"),
        problems.Unavailable,
        f"cannot {GET}: HTTP 503 ServiceUnavailable: the server is shutting down ({NEVER_READ})",
        id="unavailable for longer",
    ),
    pytest.param(
        Told(0),
        problems.Unavailable,
        f"cannot {GET}: the connection broke before the answer was complete ({NEVER_READ})",
        id="connections that break",
    ),
    pytest.param(
        Told(200, b"<html>welcome</html>"),
        problems.Unavailable,
        f"cannot {GET}: HTTP 200: the answer is not a JSON object, so not of the Kubernetes API ({NEVER_READ})",
        id="a page instead of an object",
    ),
    pytest.param(
        Told(200, b"[1]"),
        problems.Unavailable,
        f"cannot {GET}: HTTP 200: the answer is not a JSON object, so not of the Kubernetes API ({NEVER_READ})",
        id="a list instead of an object",
    ),
    pytest.param(
        Told(200, b"[" * 200_000),
        problems.Unavailable,
        f"cannot {GET}: HTTP 200: the answer is not a JSON object, so not of the Kubernetes API ({NEVER_READ})",
        id="brackets without end",
    ),
]


@pytest.mark.parametrize(("change", "answer", "kinds", "sentence"), WRITES)
def test_change_that_does_not_succeed_is_told_apart(
    service: HttpService, line: Line, change: Do, answer: Told, kinds: tuple[type[RunbookError], ...], sentence: str
) -> None:
    """Every answer to a change is one meaning and one of the engine's four, it is sent once, and people can read it."""
    service.tell(answer)

    with pytest.raises(problems.ApiProblem) as caught:
        change(line.transport)

    meaning, engines = kinds
    assert meaning is type(caught.value)
    assert isinstance(caught.value, engines)
    assert not isinstance(caught.value, Unreadable)
    assert sentence == str(caught.value)
    assert 1 == len(service.asked)


@pytest.mark.parametrize(("answer", "kind", "sentence"), READS)
def test_look_that_does_not_succeed_is_unreadable(
    service: HttpService, line: Line, answer: Told, kind: type[RunbookError], sentence: str
) -> None:
    """Every answer to a look is one meaning, and unreadable: never a guess."""
    service.tell(answer)

    with pytest.raises(Unreadable) as caught:
        look(line.transport)

    assert kind is type(caught.value)
    assert sentence == str(caught.value)


def test_problem_carries_what_a_program_needs(service: HttpService, line: Line) -> None:
    """Budget, webhook, user and the wait asked for are fields, not text to be searched."""
    cause = {
        "reason": "DisruptionBudget",
        "message": "The disruption budget front is still being processed by the server.",
    }
    service.tell(refusal(429, "TooManyRequests", PDB, cause, seconds=10, Retry_After="10"))
    with pytest.raises(problems.Blocked) as blocked:
        evict(line.transport)
    service.tell(refusal(500, "InternalError", HOOK))
    with pytest.raises(problems.WebhookDown) as down:
        patch(line.transport)
    service.tell(refusal(403, "Forbidden", RBAC.format("patch")))
    with pytest.raises(problems.RbacForbidden) as forbidden:
        patch(line.transport)

    assert ("front", timedelta(seconds=10), 429) == (blocked.value.budget, blocked.value.after, blocked.value.status)
    assert "guard.shop.example" == down.value.webhook
    assert ("system:serviceaccount:ops:runbook", "patch", "deployments") == (
        forbidden.value.user,
        forbidden.value.verb,
        forbidden.value.resource,
    )
    assert ("patch", "deployments", "checkout", "shop") == (
        forbidden.value.call.verb,
        forbidden.value.call.resource,
        forbidden.value.call.name,
        forbidden.value.call.namespace,
    )


def test_budget_without_a_wait_has_none(service: HttpService, line: Line) -> None:
    """An exhausted budget names no wait, and none is made up."""
    service.tell(refusal(429, "TooManyRequests", PDB, {"reason": "DisruptionBudget", "message": "no"}))

    with pytest.raises(problems.Blocked) as caught:
        evict(line.transport)

    assert (None, "", []) == (caught.value.after, caught.value.budget, line.waits)


@pytest.mark.parametrize(
    ("answer", "served"),
    [
        pytest.param(refusal(404, "NotFound", 'deployments.apps "checkout" not found'), True, id="object gone"),
        pytest.param(Told(404, b"404 page not found\n"), False, id="group unknown"),
        pytest.param(refusal(404, "NotFound", problems.UNKNOWN_RESOURCE), False, id="resource unknown"),
    ],
)
def test_missing_definition_is_no_missing_object(service: HttpService, line: Line, answer: Told, served: bool) -> None:
    """Whoever looks for a ScaledObject can tell "none" from "no KEDA here"."""
    service.tell(answer)

    with pytest.raises(problems.NotFound) as caught:
        look(line.transport)

    assert served is caught.value.served


def test_change_says_who_changes_and_takes_no_unknown_field(service: HttpService, line: Line) -> None:
    """Managed fields name the engine, a typing error in a body is refused, and a dry run is one."""
    service.tell(told(200, deployment()))

    patch(line.transport)
    line.transport.post(EVICTION, {"kind": "Eviction"}, dry_run=True)
    line.transport.delete(CHECKOUT, {"preconditions": {"uid": "u1"}}, dry_run=True)

    strict = {"fieldManager": "runbook-engine", "fieldValidation": "Strict"}
    assert [("PATCH", strict), ("POST", {**strict, "dryRun": "All"}), ("DELETE", {"dryRun": "All"})] == [
        (asked.method, asked.fields) for asked in service.asked
    ]
    assert GUARDED == json.loads(service.asked[0].body)
    assert {"preconditions": {"uid": "u1"}} == json.loads(service.asked[2].body)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"hello": ["world"]},
        {"kind": "Deployment"},
        {"kind": "Deployment", "metadata": {"name": "payment"}},
        {"kind": "Status", "status": "Failure"},
    ],
    ids=["nothing", "something else", "no name", "another", "a failure with 200"],
)
def test_answer_that_is_not_the_object_is_none(service: HttpService, line: Line, document: object) -> None:
    """Read as an object it would have no replicas and no marks: a look is unreadable, a change is in doubt."""
    service.tell(told(200, document))

    with pytest.raises(Unreadable) as unread:
        look(line.transport)
    with pytest.raises(EffectUnknown) as doubt:
        patch(line.transport)

    says = "HTTP 200: the answer is not the object of the Kubernetes API that was asked for"
    assert f"cannot {GET}: {says} ({NEVER_READ})" == str(unread.value)
    assert f"nobody knows whether this was done: {CALL}: {says} (look at it before doing it again)" == str(doubt.value)


@pytest.mark.parametrize(
    ("kind", "body", "content_type"),
    [
        pytest.param("json", GUARDED, "application/json-patch+json", id="JSON patch"),
        pytest.param("merge", {"data": {"a": None}}, "application/merge-patch+json", id="merge patch, with its null"),
        pytest.param("strategic", {"spec": {}}, "application/strategic-merge-patch+json", id="strategic merge patch"),
    ],
)
def test_patch_says_its_kind(service: HttpService, line: Line, kind, body, content_type: str) -> None:
    """The kind is never guessed from the body."""
    service.tell(told(200, deployment()))

    line.transport.patch(CHECKOUT, body, kind=kind)

    assert content_type == service.asked[0].headers["Content-Type"]
    assert body == json.loads(service.asked[0].body)


def test_token_that_expired_is_renewed_once(service: HttpService, line: Line) -> None:
    """A refused token did nothing, so that even a change is sent again, with a fresh one."""
    service.tell(refusal(401, "Unauthorized", "Unauthorized"), told(200, deployment()))

    assert deployment() == patch(line.transport)

    assert [f"Bearer {SECRET}-0", f"Bearer {SECRET}-1"] == [asked.headers["Authorization"] for asked in service.asked]


@pytest.mark.parametrize(("do", "kind"), [(patch, Permanent), (look, Unreadable)], ids=["a change", "a look"])
def test_token_that_stays_refused_says_what_to_map(
    service: HttpService, line: Line, do: Do, kind: type[RunbookError]
) -> None:
    """After one renewal it is a person's turn."""
    service.tell(refusal(401, "Unauthorized", "Unauthorized"))

    with pytest.raises(problems.TokenRefused) as caught:
        do(line.transport)

    assert isinstance(caught.value, kind)
    assert 2 == len(service.asked)
    assert str(caught.value).endswith(
        "deployments checkout in namespace shop: HTTP 401 Unauthorized: Unauthorized (the cluster does not know this "
        "identity: on EKS map the role with an access entry, elsewhere check the token)"
    )


def test_throttled_change_is_sent_again_after_the_wait_asked_for(service: HttpService, line: Line) -> None:
    """Flow control refuses before anything is done, so waiting a moment and sending again is safe."""
    busy = Told(429, b"Too many requests", (("Retry-After", "1"),))
    service.tell(busy, busy, told(200, deployment()))

    patch(line.transport)

    assert [1.0, 1.0] == line.waits


def test_throttled_for_longer_is_the_engines_to_wait(service: HttpService, line: Line) -> None:
    """A wait beyond a few seconds goes up, with its length."""
    service.tell(Told(429, b"Too many requests", (("Retry-After", "4"),)))

    with pytest.raises(problems.ThrottledOnWrite) as caught:
        patch(line.transport)

    assert ([4.0], timedelta(seconds=4)) == (line.waits, caught.value.after)


def test_throttled_without_a_wait_backs_off(service: HttpService, line: Line) -> None:
    """A server that names no wait gets one from us."""
    service.tell(Told(429, b"Too many requests"))

    with pytest.raises(problems.ThrottledOnWrite) as caught:
        patch(line.transport)

    assert ([1.0] * 4, timedelta(seconds=1)) == (line.waits, caught.value.after)


@pytest.mark.parametrize(
    ("first", "waits"),
    [
        pytest.param(Told(0), [0.0], id="a connection that broke, at once"),
        pytest.param(refusal(503, "ServiceUnavailable", "starting"), [0.1], id="unavailable, after a moment"),
        pytest.param(refusal(500, "InternalError", "etcd leader changed"), [0.1], id="an internal error"),
    ],
)
def test_look_is_repeated_when_it_fails_for_a_moment(
    service: HttpService, line: Line, first: Told, waits: list[float]
) -> None:
    """Looking twice harms nobody."""
    service.tell(first, told(200, deployment()))

    assert deployment() == look(line.transport)

    assert waits == line.waits


def test_patience_is_bounded(service: HttpService) -> None:
    """A server that stays away does not hold a worker."""
    line = Line(service.url, patience=0.3)
    service.tell(refusal(503, "ServiceUnavailable", "starting"))

    with pytest.raises(problems.Unavailable):
        look(line.transport)

    assert sum(line.waits) <= 0.3
    assert len(service.asked) == len(line.waits) + 1


def test_list_is_read_page_by_page(service: HttpService, line: Line) -> None:
    """All pages are one answer, with the version that a watch continues from."""
    pages = {
        "": pod_list({"n": 1}, {"n": 2}, resourceVersion="7", **{"continue": "next"}),
        "next": {"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": [{"n": 3}]},
    }
    service.answer = lambda asked: told(200, pages[asked.fields.get("continue", "")])

    found = line.transport.list("/api/v1/pods", {"fieldSelector": "spec.nodeName=n-1"})

    assert ([{"n": 1}, {"n": 2}, {"n": 3}], "7") == found
    assert {"fieldSelector": "spec.nodeName=n-1", "limit": "500", "continue": "next"} == service.asked[1].fields


def test_list_that_expired_halfway_starts_again(service: HttpService, line: Line) -> None:
    """Pages of two lists are never mixed."""
    old = told(200, pod_list({"n": 1}, resourceVersion="7", **{"continue": "next"}))
    new = told(200, {"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [{"n": 4}]})
    service.tell(old, refusal(410, "Expired", "too old"), new)

    assert ([{"n": 4}], "9") == line.transport.list("/api/v1/pods")
    assert "continue" not in service.asked[2].fields


def test_list_that_always_expires_gives_up(service: HttpService, line: Line) -> None:
    """Starting again has an end."""
    page = told(200, pod_list({"n": 1}, resourceVersion="7", **{"continue": "next"}))
    service.answer = lambda asked: refusal(410, "Expired", "too old") if "continue" in asked.fields else page

    with pytest.raises(Unreadable) as caught:
        line.transport.list("/api/v1/pods")

    assert f"cannot list pods: it changes faster than it can be read, 3 times over ({NEVER_READ})" == str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Pod"},
        {"kind": "PodList", "metadata": {}, "items": {}},
        {"kind": "PodList", "metadata": [], "items": []},
        {"kind": "PodList", "metadata": {}},
        {"kind": "PodList", "metadata": {}, "items": ["web"]},
        {"metadata": {}, "items": []},
        {},
    ],
    ids=["an object", "items that are none", "metadata that are none", "no items", "words", "no kind", "nothing"],
)
def test_list_that_is_none_is_unreadable(service: HttpService, line: Line, document: object) -> None:
    """An answer without items is not an empty list."""
    service.tell(told(200, document))

    with pytest.raises(Unreadable) as caught:
        line.transport.list("/api/v1/pods")

    assert f"cannot list pods: the answer is not a list of Kubernetes objects ({NEVER_READ})" == str(caught.value)


def test_empty_list_may_say_null(service: HttpService, line: Line) -> None:
    """Go writes an empty list as null."""
    service.tell(told(200, {"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": None}))

    assert ([], "7") == line.transport.list("/api/v1/pods")


def test_text_keeps_its_end(service: HttpService, line: Line) -> None:
    """The end of a log says what happened last."""
    service.tell(Told(200, b"x" * (1024 * 1024) + b"last line \xff"))

    text = line.transport.text(path_of("api/v1", "shop", "pods", "checkout-1", "log"), {"tailLines": "5"})

    assert text.endswith("last line \N{REPLACEMENT CHARACTER}")
    assert 1024 * 1024 == len(text)


def test_text_of_a_pod_that_is_gone_is_not_found(service: HttpService, line: Line) -> None:
    """Refusals of a log are told apart as those of an object are."""
    service.tell(refusal(404, "NotFound", 'pods "checkout-1" not found'))

    with pytest.raises(problems.NotFoundOnRead):
        line.transport.text(path_of("api/v1", "shop", "pods", "checkout-1", "log"), {})


def test_text_that_breaks_off_is_unreadable() -> None:
    """Half a log is not passed off as one."""
    with raw_service([chunked(b"line 1\n", end=False)] * 5) as service, pytest.raises(Unreadable) as caught:
        Line(service.url).transport.text(path_of("api/v1", "shop", "pods", "checkout-1", "log"))

    assert (
        "cannot get pods/log checkout-1 in namespace shop: the connection broke before the answer was complete "
        f"({NEVER_READ})"
    ) == str(caught.value)


def test_answer_that_is_too_large_is_not_read(service: HttpService) -> None:
    """One answer cannot eat the memory of the engine; of a change it leaves the effect open."""
    line = Line(service.url, most_bytes=1000)
    service.tell(told(200, {"large": "x" * 2000}))

    with pytest.raises(Unreadable) as looked:
        look(line.transport)
    with pytest.raises(EffectUnknown) as changed:
        patch(line.transport)

    assert (
        f"cannot {GET}: the answer is larger than 1000 bytes "
        "(set maxResponse of adapter kubernetes higher, or ask for less)"
    ) == str(looked.value)
    assert (
        f"nobody knows whether this was done: {CALL}: the answer is larger than 1000 bytes "
        "(look at it before doing it again)"
    ) == str(changed.value)


def test_rest_of_an_answer_is_not_taken_for_the_next(service: HttpService) -> None:
    """A connection with something unread on it is not used again."""
    line = Line(service.url, most_bytes=1000, patience=0.0)
    service.answer = lambda asked: told(
        200, {"large": "x" * 4_000_000} if asked.path.endswith("large") else deployment(n=2)
    )
    with pytest.raises(Unreadable):
        line.transport.get(path_of("api/v1", "shop", "configmaps", "large"))

    assert deployment(n=2) == look(line.transport)
    assert [] == line.waits


@pytest.mark.parametrize(("do", "kind"), [(look, Unreadable), (patch, EffectUnknown)], ids=["a look", "a change"])
def test_silence_is_cut(do: Do, kind: type[RunbookError]) -> None:
    """A server that takes the request and says nothing is not waited for; a change may have been made."""
    quiet = threading.Event()
    with raw_service([lambda _connection: quiet.wait(60)]) as service:
        line = Line(service.url, patience=0.1, times=Times(connect=1.0, read=0.2, write=0.2))

        with pytest.raises(kind) as caught:
            do(line.transport)
        quiet.set()

    assert "no answer within the time limit" in str(caught.value)
    assert 1 == len(service.heads)


def test_slow_drip_is_cut() -> None:
    """The time limit is one for the whole answer, not for every byte of it."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.02):
            connection.sendall(b" ")

    with raw_service([drip]) as service:
        line = Line(service.url, patience=0.1, times=Times(connect=1.0, read=2.0, write=2.0))

        with pytest.raises(Unreadable) as caught:
            look(line.transport)
        stop.set()

    assert f"cannot {GET}: the answer took longer than 2s ({NEVER_READ})" == str(caught.value)


@pytest.mark.parametrize(("do", "kind"), [(look, Unreadable), (patch, EffectUnknown)], ids=["a look", "a change"])
def test_head_that_drips_is_cut(do: Do, kind: type[RunbookError]) -> None:
    """A byte now and then is no answer, in the head neither; a change may have been made."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Waits: ")
        while not stop.wait(0.02):
            connection.sendall(b".")

    with raw_service([drip]) as service:
        line = Line(service.url, patience=0.1, times=Times(connect=1.0, read=0.2, write=0.2))
        began = time.monotonic()

        with pytest.raises(kind) as caught:
            do(line.transport)
        took = time.monotonic() - began
        stop.set()

    assert "no answer within the time limit" in str(caught.value)
    assert took < 30  # and it would drip on for ever


def ok(document: object) -> bytes:
    """Return a whole answer as bytes."""
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("broken", [reset, b""], ids=["a reset", "a close"])
def test_connection_that_died_in_its_sleep_is_made_anew_for_a_look(broken: Answer) -> None:
    """A frozen process wakes with dead connections, and a look does not fail for it."""
    with raw_service([ok(deployment(n=1)), broken, ok(deployment(n=2))]) as service:
        line = Line(service.url)
        look(line.transport)

        assert deployment(n=2) == look(line.transport)

    assert [0.0] == line.waits
    assert 2 == service.connections


@pytest.mark.parametrize("broken", [reset, b""], ids=["a reset", "a close"])
def test_connection_that_died_under_a_change_leaves_the_effect_open(broken: Answer) -> None:
    """The request had left: nobody sends it a second time from here."""
    with raw_service([ok(deployment(n=1)), broken, ok(deployment(n=2))]) as service:
        line = Line(service.url)
        look(line.transport)

        with pytest.raises(EffectUnknown):
            patch(line.transport)

    assert 2 == len(service.heads)


def test_connections_are_kept() -> None:
    """One connection serves call after call."""
    with raw_service([ok(deployment()), ok(deployment()), ok(deployment())]) as service:
        line = Line(service.url)
        for _ in range(3):
            look(line.transport)

    assert 1 == service.connections


def test_half_an_answer_to_a_change_leaves_the_effect_open() -> None:
    """The head said 200, and the object never came."""
    with (
        raw_service([cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")]) as service,
        pytest.raises(EffectUnknown),
    ):
        patch(Line(service.url).transport)


def test_half_a_refusal_is_a_refusal() -> None:
    """The status alone says that nothing was done."""
    with raw_service([cut(b"HTTP/1.1 409 Conflict\r\nContent-Length: 100\r\n\r\n{")]) as service:
        line = Line(service.url)

        with pytest.raises(Conflict) as caught:
            patch(line.transport)

    assert f"cannot {CALL}: HTTP 409: {{ (somebody changed it in between; nothing was overwritten)" == str(caught.value)


def test_nobody_listening_means_that_nothing_was_sent() -> None:
    """No connection, no effect: it is safe to come again."""
    with socket.socket() as taken:  # bound, so that nobody else listens there, and not listening
        taken.bind(("127.0.0.1", 0))
        line = Line(f"http://127.0.0.1:{taken.getsockname()[1]}", patience=0.3)
        with pytest.raises(Retryable) as changed:
            patch(line.transport)
        with pytest.raises(Unreadable) as looked:
            look(line.transport)

    hint = "nothing was sent; check that server in engine.yaml can be reached from here"
    assert f"cannot {CALL}: no connection: Connection refused ({hint})" == str(changed.value)
    assert f"cannot {GET}: no connection: Connection refused ({hint})" == str(looked.value)


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue of connections is silent on Linux alone")
def test_no_connection_in_time_points_at_the_network() -> None:
    """Silence before there is a connection is a firewall's, not the server's."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("localhost", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        line = Line(f"http://127.0.0.1:{full.getsockname()[1]}", times=Times(connect=0.2, read=1.0, write=1.0))

        with pytest.raises(Retryable) as caught:
            patch(line.transport)

    assert (
        f"cannot {CALL}: no connection in time "
        "(nothing was sent; a firewall or a security group may be in the way of server in engine.yaml)"
    ) == str(caught.value)


def test_proxy_that_refuses_means_that_nothing_was_sent() -> None:
    """A proxy that opens no tunnel has not passed anything on."""
    with raw_service([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]) as proxy:
        line = Line("https://cluster.example:6443", proxy=proxy.url, tls=trust())

        with pytest.raises(Retryable) as caught:
            patch(line.transport)

    assert (
        f"cannot {CALL}: the proxy gives no connection: Tunnel connection failed: 403 Forbidden "
        "(nothing was sent; check proxy in engine.yaml)"
    ) == str(caught.value)
    assert proxy.heads[0].startswith(b"CONNECT cluster.example:6443 ")
    assert SECRET.encode() not in proxy.heads[0]


def event(kind: str, document: object) -> bytes:
    """Return one line of a watch."""
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def test_watch_yields_events_until_the_server_ends_it() -> None:
    """Events come as they happen, however the bytes are cut."""
    added, changed = event("ADDED", {"n": 1}), event("MODIFIED", {"n": 2})
    with raw_service([chunked(added[:5], added[5:] + changed[:9], changed[9:])]) as service:
        found = list(Line(service.url).transport.watch("/api/v1/pods", {"resourceVersion": "7"}))

    assert [("ADDED", 1), ("MODIFIED", 2)] == [(each["type"], each["object"]["n"]) for each in found]
    assert service.heads[0].startswith(b"GET /api/v1/pods?timeoutSeconds=300&resourceVersion=7&watch=true ")


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        pytest.param(
            chunked(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})),
            problems.Expired,
            "cannot watch pods: HTTP 410 Expired: too old (too much changed since; list again)",
            id="an event that says too old",
        ),
        pytest.param(
            b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
            problems.Expired,
            "cannot watch pods: HTTP 410 (too much changed since; list again)",
            id="an answer that says too old",
        ),
        pytest.param(
            chunked(event("ERROR", {"kind": "Status", "code": 500, "message": "storage is gone"})),
            problems.Unavailable,
            f"cannot watch pods: HTTP 500: storage is gone ({NEVER_READ})",
            id="an event that says error",
        ),
        pytest.param(
            chunked(event("ERROR", {"code": "many"})),
            problems.Unavailable,
            f'cannot watch pods: HTTP 500: {{"code":"many"}} ({NEVER_READ})',
            id="an event that says error in no known way",
        ),
        pytest.param(
            chunked(event("ADDED", {})[:20], end=False),
            problems.Unavailable,
            f"cannot watch pods: the connection broke before the answer was complete ({NEVER_READ})",
            id="a connection that breaks",
        ),
        pytest.param(
            chunked(b"<html>\n"),
            problems.Unavailable,
            f"cannot watch pods: the answer is not a watch of Kubernetes objects ({NEVER_READ})",
            id="a page instead of events",
        ),
        pytest.param(
            chunked(b"x" * 3000),
            problems.Unavailable,
            f"cannot watch pods: one line of the answer is larger than 2000 bytes ({NEVER_READ})",
            id="a line without end",
        ),
    ],
)
def test_watch_that_fails_says_how(answer: bytes, kind: type[RunbookError], sentence: str) -> None:
    """Whoever watches knows whether to list again."""
    with raw_service([answer]) as service, pytest.raises(kind) as caught:
        list(Line(service.url, most_bytes=2000).transport.watch("/api/v1/pods"))

    assert sentence == str(caught.value)


def test_watch_may_last_longer_than_an_answer() -> None:
    """The size limit is one for a line, not for hours of events."""
    with raw_service([chunked(*[event("ADDED", {"n": number}) for number in range(200)])]) as service:
        found = list(Line(service.url, most_bytes=2000).transport.watch("/api/v1/pods"))

    assert 200 == len(found)


def test_threads_share_one_transport(service: HttpService, line: Line) -> None:
    """Several executions are driven at once, and each gets its own answer."""
    service.answer = lambda asked: told(
        200, {"kind": "Pod", "metadata": {"name": asked.path.rpartition("/")[2]}, "path": asked.path}
    )
    paths = [path_of("api/v1", "shop", "pods", f"checkout-{number}") for number in range(40)]
    found: dict[str, str] = {}

    def work(mine: list[str]) -> None:
        for path in mine:
            found[path] = line.transport.get(path)["path"]

    threads = [threading.Thread(target=work, args=(paths[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {path: path for path in paths} == found


def test_secrets_are_never_shown(service: HttpService, caplog: pytest.LogCaptureFixture) -> None:
    """A server that repeats our header does not make us repeat it, not even with everything logged."""
    caplog.set_level(logging.DEBUG)
    line = Line(service.url)

    def mirror(asked: Asked) -> Told:
        who = asked.headers["Authorization"]
        return refusal(422, who, f"you sent {who}", {"reason": who, "message": who, "field": who}, kind=who)

    service.answer = mirror
    with pytest.raises(problems.Invalid) as parsed:
        patch(line.transport)
    service.answer = lambda asked: Told(400, asked.headers["Authorization"].encode())
    with pytest.raises(problems.Rejected) as plain:
        patch(line.transport)

    shown = f"{caplog.text} {parsed.value} {parsed.value.said!r} {plain.value} {plain.value.said!r}"
    assert "you sent" in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("do", "kind", "call"), [(patch, Retryable, CALL), (look, Unreadable, GET)], ids=["a change", "a look"]
)
def test_no_credential_means_that_nothing_was_sent(
    service: HttpService, do: Do, kind: type[RunbookError], call: str
) -> None:
    """Without a credential no request leaves, and nothing is tried again at once."""

    def missing() -> str:
        raise NoAdapter("the secret {env: KUBE} is not set", "export KUBE before starting")

    transport = Transport(Wire(service.url), GivenToken(missing), FixedClock(), sleep=pytest.fail)

    with pytest.raises(kind) as caught:
        do(transport)

    assert (
        f"cannot {call}: the secret {{env: KUBE}} is not set (export KUBE before starting) "
        "(nothing was sent; renew the credential)"
    ) == str(caught.value)
    assert [] == service.asked


def test_token_that_cannot_be_renewed_stops_there(service: HttpService, line: Line) -> None:
    """A refused token that cannot be replaced is not sent a second time."""
    service.tell(refusal(401, "Unauthorized", "Unauthorized"))

    def refresh() -> None:
        raise NoCredential("the login ran out")

    line.tokens.refresh = refresh  # type: ignore[method-assign]

    with pytest.raises(Retryable) as caught:
        patch(line.transport)

    assert f"cannot {CALL}: the login ran out (nothing was sent; renew the credential)" == str(caught.value)
    assert 1 == len(service.asked)


@pytest.mark.parametrize("token", ["", "two\nlines", "two words", "naïve"])
def test_token_that_no_header_can_hold_is_not_sent(token: str) -> None:
    """Nobody writes a header of their own through a token."""
    with pytest.raises(NoCredential) as caught:
        GivenToken(lambda: token).authorization(NOW)

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        pytest.param(("api/v1", "shop", "pods"), "/api/v1/namespaces/shop/pods", id="a collection"),
        pytest.param(("api/v1", "", "nodes", "ip-10-0-1-7.eu"), "/api/v1/nodes/ip-10-0-1-7.eu", id="the cluster's"),
        pytest.param(
            ("apis/apps/v1", "shop", "deployments", "checkout", "scale"),
            "/apis/apps/v1/namespaces/shop/deployments/checkout/scale",
            id="a subresource",
        ),
    ],
)
def test_path_names_a_resource(parts: tuple[str, ...], path: str) -> None:
    """A path is made of names, and can be read again as a call."""
    assert path == path_of(*parts)
    assert path == checked_path(path)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        pytest.param(
            ("apis/apps/v1", "shop", "deployments", "../../secrets/x"),
            "'../../secrets/x' is no name that Kubernetes can have (lower-case letters, digits, dashes and dots)",
            id="a name that climbs",
        ),
        pytest.param(
            ("api/v1", "a..b", "pods"),
            "'a..b' is no namespace that Kubernetes can have (lower-case letters, digits, dashes and dots)",
            id="a namespace with two dots",
        ),
        pytest.param(
            ("api/v1", "shop", "pods/exec", "x"),
            "'pods/exec' '' is no resource of Kubernetes (such as deployments, scale)",
            id="a resource with a slash",
        ),
        pytest.param(
            ("apis/../api/v1", "shop", "pods"),
            "'apis/../api/v1' is no API group and version (such as apis/apps/v1 or api/v1)",
            id="a group that climbs",
        ),
        pytest.param(
            ("api/v1", "shop", "pods", "", "log"),
            "pods/log needs the name of its object",
            id="a subresource of nothing",
        ),
    ],
)
def test_path_of_anything_else_is_refused(parts: tuple[str, ...], sentence: str) -> None:
    """A label of an alert cannot lead to another resource."""
    with pytest.raises(InvalidTarget) as caught:
        path_of(*parts)

    assert sentence == str(caught.value)


@given(st.text(max_size=40))
def test_name_never_changes_the_meaning_of_a_path(name: str) -> None:
    """Whatever text is a name stays one segment of the path, as it is."""
    if not is_name(name):
        return

    path = path_of("api/v1", "shop", "pods", name)

    assert ["", "api", "v1", "namespaces", "shop", "pods", name] == path.split("/")
    assert not set(name) & set("/?#%\\ ")
    assert name not in (".", "..")


def test_transport_takes_no_other_path(line: Line, service: HttpService) -> None:
    """A path that somebody glued together is refused before anything is sent."""
    with pytest.raises(InvalidTarget) as caught:
        line.transport.get("/api/v1/namespaces/shop/pods/x/../../secrets?watch=1")

    assert str(caught.value).endswith("is no path of the Kubernetes API (make it with path_of)")
    assert [] == service.asked


PHRASES = [
    "",
    "the server rejected our request due to an error in our request",
    "has more than one PodDisruptionBudget",
    'failed calling webhook "a.b"',
    'admission webhook "a.b" denied the request: no',
    RBAC.format("get"),
    MOVED,
]
STATUSES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["Status", "Pod"]),
        "reason": st.sampled_from([None, "Forbidden", "AlreadyExists", "Conflict", "Timeout"]),
        "message": st.sampled_from(PHRASES),
        "details": st.none()
        | st.fixed_dictionaries(
            {
                "kind": st.sampled_from(["", "poddisruptionbudget"]),
                "causes": st.lists(
                    st.sampled_from([{"reason": "DisruptionBudget"}, {"reason": "NamespaceTerminating"}, {}]),
                    max_size=2,
                ),
                "retryAfterSeconds": st.none() | st.integers(-1, 10**9),
            }
        ),
    }
).map(lambda document: json.dumps(document).encode())


@given(
    st.integers(300, 599),
    st.binary(max_size=200) | STATUSES,
    st.sampled_from(["get", "patch", "create", "delete"]),
    st.sampled_from(["soon", "\u00b2", "\u0663", "-1", "9" * 30, "7"]) | st.text(max_size=5),
)
def test_whatever_is_said_means_something(status: int, body: bytes, verb: str, after: str) -> None:
    """No body makes reading the answer raise anything but a problem of the right side, and of that side alone."""
    problem = problem_of(call_of(verb, CHECKOUT), said_of(status, {"retry-after": after}, body))

    sides = [kind for kind in (Unreadable, Conflict, Permanent, Retryable, EffectUnknown) if isinstance(problem, kind)]
    assert 1 == len(sides)
    assert (verb == "get") is (sides == [Unreadable])
    assert problem.after is None or timedelta() <= problem.after <= timedelta(minutes=15)


class Authority:
    """A certificate authority of a test's own: its PEM, and servers' contexts from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                  "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test-ca")  # fmt: skip

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key for a host name, or a person's."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                  "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def server(self, name: str, *, asks: bool = False) -> ssl.SSLContext:
        """Return a server's context, that asks for client certificates or does not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(name))
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for all tests of trust."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificates of these tests, and is not installed")
    return Authority(tmp_path_factory.mktemp("authority"))


def test_trust_accepts_the_clusters_own_authority(authority: Authority) -> None:
    """The CA of engine.yaml is trusted."""
    with raw_service([ok(deployment(n=1))], authority.server("localhost")) as service:
        line = Line(service.url, tls=trust(ca_of_file(authority.ca)))

        assert deployment(n=1) == look(line.transport)


def test_trust_clears_one_flag_and_no_other(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chain and host name are checked; only the extensions that EKS lacks are not asked for, on newer Pythons too."""
    usual = ssl.create_default_context

    def newer(**options: str | None) -> ssl.SSLContext:
        made = usual(**options)
        made.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        return made

    monkeypatch.setattr(ssl, "create_default_context", newer)

    context = trust(ca_of_file(authority.ca))

    assert newer().verify_flags & ~ssl.VERIFY_X509_STRICT == context.verify_flags
    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)


@pytest.mark.parametrize(
    ("name", "ours", "said"),
    [
        pytest.param("localhost", False, "unable to get local issuer certificate", id="an authority of somebody else"),
        pytest.param(
            "other.example",
            True,
            "Hostname mismatch, certificate is not valid for 'localhost'.",
            id="a certificate of another host",
        ),
    ],
)
def test_server_that_is_not_trusted_gets_nothing(authority: Authority, name: str, ours: bool, said: str) -> None:
    """Neither a token nor a change goes to a server that cannot prove itself."""
    with raw_service([ok(deployment())], authority.server(name)) as service:
        line = Line(service.url, tls=trust(ca_of_file(authority.ca) if ours else ""))
        with pytest.raises(Retryable) as caught:
            patch(line.transport)

    assert [] == service.heads
    assert (
        f"cannot {CALL}: the certificate is not accepted: {said} "
        "(nothing was sent; set caData or caFile in engine.yaml to the CA of this very cluster)"
    ) == str(caught.value)


def test_server_name_stands_in_for_the_host(authority: Authority) -> None:
    """A kubeconfig may name whom the certificate is for (tls-server-name)."""
    with raw_service([ok(deployment(n=1))], authority.server("inner.example")) as service:
        line = Line(service.url, tls=trust(ca_of_file(authority.ca)), server_name="inner.example")

        assert deployment(n=1) == look(line.transport)


def test_server_without_tls_is_said_so(service: HttpService) -> None:
    """An address with the wrong scheme is not a riddle."""
    line = Line(service.url.replace("http:", "https:"), tls=trust())

    with pytest.raises(Retryable) as caught:
        patch(line.transport)

    assert (
        f"cannot {CALL}: the other side does not speak TLS "
        "(nothing was sent; check that server in engine.yaml can be reached from here)"
    ) == str(caught.value)


def test_client_certificate_says_who_we_are(authority: Authority) -> None:
    """A kubeconfig's certificate is shown to a server that asks for one."""
    certificate, key = authority.issue("somebody")
    with raw_service([ok(deployment(n=1))], authority.server("localhost", asks=True)) as service:
        line = Line(service.url, tls=trust(ca_of_file(authority.ca), certificate=certificate, key=key))

        assert deployment(n=1) == look(line.transport)


def test_ca_data_may_be_pem_or_its_base64(authority: Authority) -> None:
    """EKS writes base64, people paste PEM."""
    pem = authority.ca.read_text()

    assert pem == ca_of_data(pem)
    assert pem == ca_of_data(base64.b64encode(pem.encode()).decode())


def context(tmp_path: Path, place: str = "") -> AdapterContext:
    """Return what an adapter is built with."""
    return AdapterContext(
        clock=FixedClock(),
        configuration=Configuration(),
        base=tmp_path,
        state=tmp_path,
        secret=lambda _reference: SECRET,
        place=place,
    )


TOKEN = SecretReference(env="KUBE")


def test_connection_by_token_reaches_the_server(service: HttpService, tmp_path: Path) -> None:
    """Settings become a transport that says who it is, and with which program."""
    transport = connect(KubernetesSettings(auth="token", server=service.url + "/base/", token=TOKEN), context(tmp_path))
    service.tell(told(200, deployment(n=1)))

    assert deployment(n=1) == transport.get(CHECKOUT)
    assert "/base" + CHECKOUT == service.asked[0].path
    assert f"Bearer {SECRET}" == service.asked[0].headers["Authorization"]
    assert service.asked[0].headers["User-Agent"].startswith("runbook-engine/")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param(
            {"auth": "token", "token": TOKEN},
            "auth token needs server (set server to the endpoint of the API server, https://...)",
            id="no server",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example"},
            "auth token needs token (set token: {env: NAME} or {file: path})",
            id="no token",
        ),
        pytest.param(
            {"auth": "eks", "server": "https://c.example", "region": "eu-central-1"},
            "auth eks needs eksCluster (set eksCluster to the cluster's name; without it EKS cannot tell for which "
            "cluster a token is)",
            id="no cluster name",
        ),
        pytest.param(
            {"auth": "eks", "server": "https://c.example", "eks_cluster": "shop"},
            "auth eks needs region (set region to the one the cluster is in)",
            id="no region",
        ),
        pytest.param(
            {"auth": "eks", "server": "https://c.example", "eks_cluster": "shop", "region": "eu-central-1"},
            "auth eks needs caData or caFile (set caData to certificateAuthority.data of the cluster)",
            id="no CA of EKS",
        ),
        pytest.param(
            {"auth": "eks", "server": "https://c.example", "eks_cluster": "shop", "region": "a/b", "ca_data": "x"},
            "region 'a/b' is no AWS region (set region, such as eu-central-1)",
            id="a region that is none",
        ),
        pytest.param(
            {"auth": "eks", "server": "https://c.example", "eks_cluster": "a b", "region": "a", "ca_data": "x"},
            "eksCluster 'a b' is no name of an EKS cluster (set eksCluster)",
            id="a cluster name that is none",
        ),
        pytest.param(
            {"auth": "kubeconfig", "context": "shop", "server": "https://c.example"},
            "server does not go with auth kubeconfig (remove server, or choose the auth that it belongs to)",
            id="a server beside a kubeconfig",
        ),
        pytest.param(
            {"auth": "inCluster", "token": TOKEN},
            "token does not go with auth inCluster (remove token, or choose the auth that it belongs to)",
            id="a token beside the pod's own",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example", "token": TOKEN, "ca_file": "a", "ca_data": "b"},
            "both caFile and caData are given (keep one of them)",
            id="two CAs",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example", "token": TOKEN, "ca_data": "!"},
            "caData cannot be read (it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig and EKS "
            "write it)",
            id="CA data that is nothing",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example", "token": TOKEN, "ca_data": "aGVsbG8="},
            "caData holds no certificate (it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig "
            "and EKS write it)",
            id="CA data that is no certificate",
        ),
        pytest.param(
            {"auth": "token", "server": "http://c.example", "token": TOKEN},
            "http://c.example would send the credential in the clear (use https; plain http is for a server on this "
            "very machine)",
            id="plain http to another machine",
        ),
        pytest.param(
            {"auth": "token", "server": "https://me:x@c.example", "token": TOKEN},
            "the address of the server holds more than a host and a path "
            "(set server to the endpoint of the API server, https://...)",
            id="a password in the address",
        ),
        pytest.param(
            {"auth": "token", "server": "c.example:6443", "token": TOKEN},
            "the address of the server is neither http nor https (set server to the endpoint of the API server, "
            "https://...)",
            id="an address without a scheme",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example:many", "token": TOKEN},
            "the address of the server cannot be read (set server to the endpoint of the API server, https://...)",
            id="an address that is none",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example", "token": TOKEN, "proxy": "http://me:x@proxy:8080"},
            "proxy is no address of a proxy, or it holds a credential (set proxy to http://host:port)",
            id="a password in the proxy",
        ),
        pytest.param(
            {"auth": "token", "server": "https://c.example", "token": TOKEN, "max_response": 0},
            "maxResponse is a number of bytes above 0 (leave it out for 32 MiB)",
            id="answers of no size",
        ),
    ],
)
def test_settings_that_do_not_belong_together_say_so(settings: dict, sentence: str, tmp_path: Path) -> None:
    """Every missing or contradictory setting is named, with the remedy."""
    with pytest.raises(NoAdapter) as caught:
        connect(KubernetesSettings(**settings), context(tmp_path))

    assert f"adapter kubernetes: {sentence}" == str(caught.value)


@pytest.mark.parametrize(
    ("server", "kept"),
    [
        pytest.param("https://c.example:6443/", "https://c.example:6443", id="https"),
        pytest.param("https://c.example/k8s/clusters/c-1", "https://c.example/k8s/clusters/c-1", id="a path before it"),
        pytest.param("http://localhost:8001", "http://localhost:8001", id="kubectl proxy"),
        pytest.param("http://[::1]:8001", "http://[::1]:8001", id="this machine, IPv6"),
    ],
)
def test_server_that_is_fit_is_taken(server: str, kept: str) -> None:
    """Plain http is for this very machine, everything else is https."""
    assert kept == checked_server(server)


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "0.0.0.0", "10.0.0.1"])
def test_server_that_only_looks_like_this_machine_is_refused(host: str) -> None:
    """A name that begins well is still another machine's."""
    with pytest.raises(NoAdapter):
        checked_server(f"http://{host}:8001")


def test_settings_of_one_of_many_clusters_say_which(tmp_path: Path) -> None:
    """With several clusters the sentence begins with the alias."""
    with pytest.raises(NoAdapter) as caught:
        connect(KubernetesSettings(auth="token", token=TOKEN), context(tmp_path, place="prod-eu"))

    assert (
        "cluster prod-eu: adapter kubernetes: auth token needs server "
        "(set server to the endpoint of the API server, https://...)"
    ) == str(caught.value)


def test_ca_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """Paths start beside engine.yaml."""
    settings = KubernetesSettings(auth="token", server="https://c.example", token=TOKEN, ca_file="ca.pem")

    with pytest.raises(NoAdapter) as caught:
        connect(settings, context(tmp_path))

    assert (
        f"adapter kubernetes: the CA file {tmp_path / 'ca.pem'} cannot be read: No such file or directory "
        "(it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig and EKS write it)"
    ) == str(caught.value)


def test_settings_reach_the_connection(authority: Authority, tmp_path: Path) -> None:
    """The CA file of engine.yaml is the one that counts."""
    shutil.copy(authority.ca, tmp_path / "ca.pem")
    with raw_service([ok(deployment(n=1))], authority.server("localhost")) as service:
        settings = KubernetesSettings(auth="token", server=service.url, token=TOKEN, ca_file="ca.pem")

        assert deployment(n=1) == connect(settings, context(tmp_path)).get(CHECKOUT)


def test_connection_to_eks_sends_a_signed_token(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, CA and name are settings, so that nothing has to be described and no network is needed to begin."""
    pytest.importorskip("botocore.session")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with raw_service([ok(deployment(n=1))], authority.server("localhost")) as service:
        settings = KubernetesSettings(
            auth="eks",
            server=service.url,
            eks_cluster="shop",
            region="eu-central-1",
            ca_data=base64.b64encode(authority.ca.read_bytes()).decode(),
        )

        assert deployment(n=1) == connect(settings, context(tmp_path)).get(CHECKOUT)

    assert b"\r\nAuthorization: Bearer k8s-aws-v1." in service.heads[0]


def test_connection_of_a_pod_uses_what_kubernetes_told_it(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address, CA and token of a pod need no settings at all."""
    for name, content in (("ca.crt", authority.ca.read_text()), ("token", SECRET)):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(in_cluster, "ACCOUNT", tmp_path)
    with raw_service([ok(deployment(n=1))], authority.server("localhost")) as service:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "localhost")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", service.url.rpartition(":")[2])

        assert deployment(n=1) == connect(KubernetesSettings(auth="inCluster"), context(tmp_path)).get(CHECKOUT)

    assert f"Authorization: Bearer {SECRET}".encode() in service.heads[0].split(b"\r\n")


def test_connection_by_kubeconfig_trusts_its_authority(authority: Authority, tmp_path: Path) -> None:
    """Authority, client certificate and server name of a kubeconfig reach the wire."""
    pytest.importorskip("kubernetes", reason="the official client is an extra")
    certificate, key = authority.issue("somebody")
    with raw_service([ok(deployment(n=1))], authority.server("inner.example", asks=True)) as service:
        cluster = {
            "server": service.url,
            "certificate-authority": str(authority.ca),
            "tls-server-name": "inner.example",
        }
        document = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "me", "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
            "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "me"}}],
        }
        (tmp_path / "config").write_text(json.dumps(document))
        settings = KubernetesSettings(auth="kubeconfig", kubeconfig="config", context="shop")

        assert deployment(n=1) == connect(settings, context(tmp_path)).get(CHECKOUT)

    assert b"Authorization" not in service.heads[0]


def test_certificates_that_are_none_say_so(tmp_path: Path) -> None:
    """Whatever is not PEM is named, as what it was given for."""
    (tmp_path / "ca.pem").write_text("hello")
    (tmp_path / "me.crt").write_text("hello")
    remedy = "(it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig and EKS write it)"
    broken = "-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n"

    with pytest.raises(NoAdapter) as no_ca:
        ca_of_file(tmp_path / "ca.pem")
    with pytest.raises(NoAdapter) as broken_ca:
        trust(broken)
    with pytest.raises(NoAdapter) as no_certificate:
        trust(certificate=tmp_path / "me.crt")

    assert f"adapter kubernetes: the CA file {tmp_path / 'ca.pem'} holds no certificate {remedy}" == str(no_ca.value)
    assert f"adapter kubernetes: the CA cannot be read {remedy}" == str(broken_ca.value)
    assert (
        f"adapter kubernetes: the client certificate {tmp_path / 'me.crt'} cannot be used "
        "(certificate and key must be PEM files that belong together)"
    ) == str(no_certificate.value)
