"""A look at the local runner over HTTP: does it answer, does it go round, does it ask who posts."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import msgspec

from runbook_engine.entrypoints.cli.installation import RESTARTED, is_driven
from runbook_engine.entrypoints.lock import is_held
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.configuration import Configuration, Token
from runbook_engine.ports import Clock
from runbook_engine.render.checkup import Finding

TIMEOUT = 3.0  # seconds
LONGEST_BODY = 64 * 1024
NOT_AN_ALERT = b"{}"  # valid JSON, and no delivery of any source: refused after the credential was looked at


class Readiness(msgspec.Struct, frozen=True):
    """What a runner says of itself."""

    reasons: tuple[str, ...] = ()


def examine_runner(
    settings: Settings, configuration: Configuration, clock: Clock, *, on_full_disk: bool = False
) -> Iterator[Finding]:
    """Yield what can be said of the runner from outside, and of its worker from its heartbeat."""
    if is_driven(settings, clock.now()):
        yield Finding(name="worker", health="ok", says="goes round")
    elif on_full_disk:
        says = "not known: its heartbeat cannot be written"
        yield Finding(name="worker", health="warning", says=says, remedy="mend the disk first: see state")
    else:
        remedy = RESTARTED if is_held(settings.state) else "runbook serve"
        yield Finding(name="worker", health="broken", says="nobody drives executions", remedy=remedy)
    try:
        status = _ask(settings, "GET", "/healthz")[0]
    except (OSError, HTTPException) as error:
        says = f"{settings.server} does not answer: {_why(error)}"
        yield Finding(name="webhook", health="broken", says=says, remedy="runbook serve")
        return
    if status != 200:
        remedy = "another program may be listening there: choose --port, and name it with --server"
        says = f"{settings.server}/healthz answers {status}"
        yield Finding(name="webhook", health="broken", says=says, remedy=remedy)
        return
    yield _readiness(settings)
    for scope in configuration.scopes:
        yield _hook(settings, scope.name, bool(configuration.tokens), _why_not_tried(configuration, scope.name))


def _readiness(settings: Settings) -> Finding:
    """Ask the runner itself whether it can do its work."""
    try:
        status, body = _ask(settings, "GET", "/readyz")
    except (OSError, HTTPException) as error:
        says = f"{settings.server}/readyz does not answer: {_why(error)}"
        return Finding(name="runner", health="broken", says=says, remedy="restart runbook serve")
    if status == 200:
        return Finding(name="runner", health="ok", says="says that it can do its work")
    says = "; ".join(_reasons(body)) or f"{settings.server}/readyz answers {status}"
    remedy = "mend what it names, or restart runbook serve"
    return Finding(name="runner", health="broken", says=f"says that it is not ready: {says}", remedy=remedy)


def _reasons(body: bytes) -> tuple[str, ...]:
    try:
        return msgspec.json.decode(body, type=Readiness).reasons
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def _why_not_tried(configuration: Configuration, scope: str) -> str:
    """Return why a bearer token is no way into a scope; empty = one may be, or nobody is asked who they are."""
    senders = [
        token for token in configuration.tokens if "ingest" in token.roles and scope in (token.scopes or (scope,))
    ]
    ways = {_way(token) for token in senders}
    if not ways or "" in ways:
        return ""
    return ways.pop() if len(ways) == 1 else "its senders present no bearer token"


def _way(token: Token) -> str:
    """Return how somebody presents a credential that is no bearer token; empty = it is one."""
    if token.signature is not None:
        return "its sender signs"
    if token.header:
        return "its sender presents a header of its own"
    return "its sender presents a user and a password" if token.user else ""


def _hook(settings: Settings, scope: str, guarded: bool, not_tried: str) -> Finding:
    """Post something that is no delivery: what the answer is tells who may post."""
    name, path = f"webhook {scope}", f"/hooks/{scope}"
    try:
        stranger = _ask(settings, "POST", path, token="")[0]
        known = _ask(settings, "POST", path, token=settings.token)[0] if settings.token and not not_tried else stranger
    except (OSError, HTTPException) as error:
        return Finding(name=name, health="broken", says=f"does not answer: {_why(error)}", remedy="runbook serve")
    if guarded and stranger != 401:
        says = f"a stranger is answered {stranger}, not 401"
        return Finding(name=name, health="broken", says=says, remedy="restart runbook serve with this engine.yaml")
    if not_tried:
        return Finding(name=name, health="ok", says=f"strangers are refused; not tried: {not_tried}")
    if settings.token and known == 401:
        remedy = "give RUNBOOK_TOKEN a secret of a token with the role ingest"
        return Finding(name=name, health="broken", says="the token of RUNBOOK_TOKEN is refused", remedy=remedy)
    if guarded and not settings.token:
        remedy = "set RUNBOOK_TOKEN to try one"
        return Finding(name=name, health="ok", says="strangers are refused; no token was tried", remedy=remedy)
    if known != 400:
        remedy = "restart runbook serve with this engine.yaml"
        return Finding(name=name, health="broken", says=f"answers {known}", remedy=remedy)
    return Finding(name=name, health="ok", says=f"{settings.server}{path} answers its senders")


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _ask(settings: Settings, method: str, path: str, token: str = "") -> tuple[int, bytes]:
    address = urlsplit(settings.server)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, body=NOT_AN_ALERT if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(LONGEST_BODY)
    finally:
        connection.close()
