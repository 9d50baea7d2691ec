"""Answers: from what a server said to the one problem that it means. The table of HTTP statuses lives here alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from runbook_adapters.kubernetes.calls import Call
from runbook_adapters.kubernetes.problems import (
    AlreadyExists,
    ApiProblem,
    Blocked,
    Cause,
    Expired,
    Invalid,
    LostAnswer,
    MoreThanOneBudget,
    NamespaceTerminating,
    NotFound,
    NotFoundOnRead,
    NotFoundOnWrite,
    PatchTestFailed,
    PolicyDenied,
    RbacForbiddenOnRead,
    RbacForbiddenOnWrite,
    RejectedOnRead,
    RejectedOnWrite,
    Said,
    ThrottledOnRead,
    ThrottledOnWrite,
    TokenRefusedOnRead,
    TokenRefusedOnWrite,
    Unavailable,
    WebhookDown,
    WriteConflict,
)
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.decoding import from_json

LONGEST_WAIT = timedelta(minutes=15)  # whatever the server asks for
BUDGET_REPAIR = timedelta(seconds=30)  # a budget with impossible numbers is put right by its controller

_USER = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path) "(?P<resource>[^"]*)"')
_DENIED = re.compile(r"denied (?:the )?request")
_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[^"]*)"')
_BUDGET = re.compile(r"disruption budget (?P<name>[a-z0-9][-a-z0-9.]*) (?:needs|is|does)")


class _Cause(msgspec.Struct, frozen=True):
    reason: str | None = None
    message: str | None = None
    field: str | None = None


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    kind: str | None = None
    causes: tuple[_Cause, ...] | None = None
    retry_after_seconds: int | None = None


class _Status(msgspec.Struct, frozen=True):
    kind: str
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


def said_of(status: int, headers: Mapping[str, str], body: bytes, *, secret: str = "") -> Said:
    """Return what the server said. Whatever the body is, this raises nothing, and it never repeats the secret."""
    after = _wait(headers.get("retry-after", ""))
    try:
        found = from_json(body, _Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if found is None or found.kind != "Status":
        return Said(status, message=_line(body.decode(errors="replace"), secret), after=after)
    details = found.details or _Details()
    causes = tuple(
        Cause(_line(cause.reason, secret), _line(cause.message, secret), _line(cause.field, secret))
        for cause in details.causes or ()
    )
    return Said(
        status,
        _line(found.reason, secret),
        _line(found.message, secret),
        causes,
        after if after is not None else _wait(str(details.retry_after_seconds or "")),
        _line(details.kind, secret),
        is_status=True,
    )


def decoded(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body, None when it is none. This raises nothing."""
    try:
        found = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def answers(call: Call, found: Mapping[str, Any]) -> bool:
    """Whether an object can be what a call was answered: it says its kind, and is the very one that was named.

    Whatever else comes with 200 is of a proxy or of another service: read as an object, it would have no replicas and
    no marks, and pass every guard.
    """
    kind, metadata = found.get("kind"), found.get("metadata")
    if not isinstance(kind, str) or not kind:
        return False
    if kind == "Status":
        return not call.reads and found.get("status") == "Success"
    if not call.name or call.verb in ("create", "delete"):  # which are answered by a Status, or by what it was
        return True
    return isinstance(metadata, dict) and metadata.get("name") == call.name


def items_of(page: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return what a page of a list holds, None when it is no list: an answer without items is not an empty one."""
    kind, items = page.get("kind"), page.get("items", "")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(page.get("metadata"), dict):
        return None
    if items is None:
        return []  # as Go writes an empty list
    whole = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    return items if whole else None


def problem_of(call: Call, said: Said) -> ApiProblem:
    """Return the one problem that an answer means."""
    denied = _DENIED.search(said.message) is not None
    match said.status:
        case 401:
            return TokenRefusedOnRead(call, said) if call.reads else TokenRefusedOnWrite(call, said)
        case 403:
            return _forbidden(call, said)
        case 404:
            return _not_found(call, said)
        case 429:
            return _too_many(call, said)
        case status if call.reads:
            return _unread(call, said, status)
        case 409:
            return AlreadyExists(call, said) if said.reason == "AlreadyExists" else WriteConflict(call, said)
        case _ if denied:
            return PolicyDenied(call, said)
        case status if _in_doubt(status) or _not_of_the_server(status):
            return _server_error(call, said)
        case 422:
            return _unprocessable(call, said)
        case _:
            return RejectedOnWrite(call, said)


def _forbidden(call: Call, said: Said) -> ApiProblem:
    found = _USER.search(said.message)
    if found is None and said.is_status and not call.reads:
        if any(cause.reason == "NamespaceTerminating" for cause in said.causes):
            return NamespaceTerminating(call, said)
        if said.kind.startswith("poddisruptionbudget"):
            return Blocked(call, msgspec.structs.replace(said, after=said.after or BUDGET_REPAIR))
        return PolicyDenied(call, said)
    user, verb, resource = found.group("user", "verb", "resource") if found else ("", call.verb, call.resource)
    remedy = f"grant {verb} on {resource} to {user or 'this identity'}; runbook permissions lists what is needed"
    if user == "system:anonymous":
        remedy = "no credential arrived; check auth in engine.yaml"
    kind = RbacForbiddenOnRead if call.reads else RbacForbiddenOnWrite
    return kind(call, said, remedy, user=user, verb=verb, resource=resource)


def _not_found(call: Call, said: Said) -> NotFound:
    problem = NotFoundOnRead(call, said) if call.reads else NotFoundOnWrite(call, said)
    if problem.served:
        return problem
    unknown = f"this cluster has no resource {call.resource}; check server, or install what defines it"
    return type(problem)(call, said, unknown)


def _too_many(call: Call, said: Said) -> ApiProblem:
    if call.reads:
        return ThrottledOnRead(call, said)
    budgets = [cause for cause in said.causes if cause.reason == "DisruptionBudget"]
    if not budgets:
        return ThrottledOnWrite(call, said)
    found = _BUDGET.search(budgets[0].message)
    return Blocked(call, said, budget=found["name"] if found else "")


def _unread(call: Call, said: Said, status: int) -> ApiProblem:
    if status == 410:
        return Expired(call, said)
    return Unavailable(call, said) if _in_doubt(status) else RejectedOnRead(call, said)


def _in_doubt(status: int) -> bool:
    """Whether a status says nothing of what was done; 408 and the unusual ones come from proxies on the way."""
    return status == 408 or status >= 500


def _not_of_the_server(status: int) -> bool:
    """Whether somebody else answered a change: the API server redirects none, so who did may have passed it on."""
    return 300 <= status < 400


def _server_error(call: Call, said: Said) -> ApiProblem:
    """Most server errors leave the effect open (etcd may have written); two surely came before anything was done."""
    if said.status == 500 and "more than one PodDisruptionBudget" in said.message:
        return MoreThanOneBudget(call, said)
    found = _WEBHOOK.search(said.message)
    if said.status == 500 and found is not None:
        remedy = f"nothing was done; bring the admission webhook {found['name']} back"
        return WebhookDown(call, said, remedy, webhook=found["name"])
    return LostAnswer(call, said)


def _unprocessable(call: Call, said: Said) -> ApiProblem:
    if call.verb == "patch" and said.is_status and not said.causes:
        return PatchTestFailed(call, said)
    return Invalid(call, said)


def _wait(text: str) -> timedelta | None:
    asked = text.strip()
    plain = asked.isascii() and asked.isdigit() and len(asked) < 9
    return min(timedelta(seconds=int(asked)), LONGEST_WAIT) if plain else None


def _line(text: str | None, secret: str) -> str:
    """Return server's text as one printable line of bounded length, without what we must not repeat."""
    kept = text or ""
    for part in secret.split():
        if len(part) > len("Bearer"):
            kept = kept.replace(part, "***")
    return one_line(kept)
