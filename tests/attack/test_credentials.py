"""Getting in without a right to: every route of the API, the page and signed links, with every credential but one."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.links import Invitation, approval_links
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.server.openapi import OPERATIONS, Operation
from runbook_engine.entrypoints.server.web.routes import WebHost
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.bundle import Bundle
from tests.attack.siege import Siege
from tests.contract.test_web_doors import DEEDS, PAGES, PEOPLE
from tests.contract.web_room import KEY, Room, make_room
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, webhook
from tests.length import LONG

LINKS = approval_links("https://runbooks.example/approvals", "k" * 32)
EVERYTHING = "  other: {roles: [ingest], scopes: [other], secrets: [{env: OTHER}]}\n"
KNOWN = SECRETS | {"OTHER": "the-secret-of-another-sender"}
FITS = {"ingest": "SENDER_OLD", "read": "READER", "operate": "ANN"}
STRANGERS = {"ingest": ("READER", "ANN", "OTHER"), "read": ("SENDER_OLD",), "operate": ("SENDER_OLD", "READER")}
TRICKS: Mapping[str, Mapping[str, str]] = {
    "another method": {"X-HTTP-Method-Override": "GET", "X-Method-Override": "GET", "X-HTTP-Method": "GET"},
    "an address of this machine": {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=_x"},
    "another path": {"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz", "X-Forwarded-Prefix": "/healthz"},
    "another host": {"Host": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Host": "localhost"},
    "a name of the proxy's": {"X-Forwarded-User": "ben", "Remote-User": "ben", "X-Remote-User": "ben"},
    "a page of ours": {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "Referer": "http://localhost/"},
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """An installation with senders, readers, operators and a proxy, whose runs ask first."""
    return bundle_in(tmp_path_factory.mktemp("doors"), config=CONFIG + TOKENS + EVERYTHING + PEOPLE, mode="approve")


@pytest.fixture
def room(bundle: Bundle, tmp_path: Path) -> Room:
    """A server with everything that it can have, and a run that waits for an answer."""
    return make_room(bundle, tmp_path, None, secrets=KNOWN)


def presented(role: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every way to present no credential, half of one, or somebody else's."""
    right = KNOWN[FITS[role]]
    basic = base64.b64encode(f"ann:{right}".encode()).decode()
    for name, value in {
        "an empty one": "",
        "a scheme alone": "Bearer",
        "an empty bearer": "Bearer ",
        "a wrong one": "Bearer " + "x" * len(right),
        "the beginning of one": f"Bearer {right[:-1]}",
        "one and more": f"Bearer {right}x",
        "one in capitals": f"Bearer {right.upper()}",
        "one twice": f"Bearer {right}, Bearer {right}",
        "one in quotes": f'Bearer "{right}"',
        "one as a password": f"Basic {basic}",
        "one without a scheme": right,
        "one under another scheme": f"Token {right}",
        "a reference": "Bearer {env: ANN}",
        "the name of a token": "Bearer ann",
        "letters that look alike": f"Bearer {right.replace('e', 'é')}".encode().decode("latin-1"),
    }.items():
        yield name, {"Authorization": value}
    yield "nothing", {}
    yield "one in another header", {"X-Api-Key": right, "X-Auth-Token": right, "Proxy-Authorization": f"Bearer {right}"}
    yield "one as a cookie", {"Cookie": f"token={right}; Authorization=Bearer {right}; runbook-localhost={right}"}
    for secret in STRANGERS[role]:
        yield f"the token {secret}", {"Authorization": f"Bearer {KNOWN[secret]}"}
    for name, headers in TRICKS.items():
        yield name, dict(headers)


def filled(path: str, ids: Mapping[str, str]) -> str:
    """Return a path with what really is there in its holes."""
    return re.sub(r"\{(\w+)\}", lambda hole: ids.get(hole[1], "1"), path)


def state_of(room: Room) -> tuple[object, ...]:
    """Return everything that a request could have changed."""
    executions = room.journal.executions(limit=99)
    signals = [len(room.journal.signals(each.id, 0)) for each in executions]
    pause = room.simulated.pauses.pause(room.simulated.clock.now())
    return tuple(each.status for each in executions), tuple(signals), pause, len(room.simulated.effects_made)


def ids_of(room: Room) -> dict[str, str]:
    """Return what the holes of paths are filled with."""
    execution_id = room.ask_something()
    return {"scope": "lab", "execution_id": execution_id, "incident_id": room.journal.load(execution_id).incident_id}


def body_of(operation: Operation) -> bytes:
    """Return a body with which the request would do something."""
    if operation.role == "ingest":
        return webhook("stolen")
    return b'{"for": "1h", "reason": "attack", "plan_hash": "0", "undo": true}' if operation.method != "get" else b""


def test_no_route_of_the_api_answers_without_its_own_credential(room: Room) -> None:
    """Everything of the OpenAPI document that wants a role; what stood there stands there afterwards."""
    siege = Siege("credentials: none, wrong, malformed, another's", "API: every route")
    ids, client = ids_of(room), room.app.test_client()
    before = state_of(room)

    for operation in (each for each in OPERATIONS if each.role):
        path = filled(operation.path, ids)
        for name, headers in presented(operation.role):
            for told in ("", f"?token={KNOWN['ANN']}&access_token={KNOWN['ANN']}&_method=GET"):
                answer = client.open(
                    path + told,
                    method=operation.method.upper(),
                    data=body_of(operation),
                    headers=headers,
                    content_type="application/json",
                )
                hidden = ids["execution_id"] not in answer.text and ids["incident_id"] not in answer.text
                refused = answer.status_code in (401, 403) and hidden
                siege.tried(f"{operation.method} {path} with {name}{told}: {answer.status_code}", refused=refused)

    siege.tried(f"something was changed: {before} {state_of(room)}", refused=before == state_of(room))
    siege.ends("401, or 403 to a known token without the role; nothing of what is there")


def test_the_right_credential_opens_the_same_routes(room: Room) -> None:
    """So that the refusals above are none of everything."""
    ids, client = ids_of(room), room.app.test_client()

    statuses = {
        f"{operation.method} {operation.path}": client.open(
            filled(operation.path, ids),
            method=operation.method.upper(),
            data=body_of(operation),
            headers={"Authorization": f"Bearer {KNOWN[FITS[operation.role]]}"},
            content_type="application/json",
        ).status_code
        for operation in OPERATIONS
        if operation.role
    }

    assert [] == [route for route, status in statuses.items() if status in (401, 403)]


def visits(ids: Mapping[str, str]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield everything of the page that wants somebody who is signed in: method, path, fields."""
    more = (f"/executions/{ids['execution_id']}", f"/incidents/{ids['incident_id']}")
    for path in (*PAGES, *more):
        yield "GET", path, {}
    for path, fields in DEEDS.items():
        where = path.replace("executions/x", f"executions/{ids['execution_id']}")
        yield "POST", where.replace("incidents/x", f"incidents/{ids['incident_id']}"), fields


def test_no_route_of_the_page_answers_who_is_not_signed_in(room: Room) -> None:
    """Tokens of the API, other people's cookies and headers of a proxy that is none lead nowhere."""
    siege = Siege("credentials: none, wrong, malformed, another's", "web page: every route")
    ids = ids_of(room)
    before = state_of(room)
    given = [each for role in FITS for each in presented(role)]
    given += [(f"the API's token {name}", {"Authorization": f"Bearer {secret}"}) for name, secret in KNOWN.items()]

    for number, (method, path, fields) in enumerate(visits(ids)):
        for name, headers in given if LONG else given[number % 5 :: 5]:
            ours = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
            answer = room.app.test_client().open(
                path, method=method, data=dict(fields) | {"csrf": "0" * 64} if fields else None, headers=ours | headers
            )
            siege.tried(f"{method} {path} with {name}: {answer.status_code}", refused=_led_away(answer, ids))

    siege.tried(f"something was changed: {before} {state_of(room)}", refused=before == state_of(room))
    siege.ends("the form to sign in, or 401 and 403")


def _led_away(answer: TestResponse, ids: Mapping[str, str]) -> bool:
    led = answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in")
    return (led or answer.status_code in (401, 403)) and ids["incident_id"] not in answer.text.split("back=")[0]


PROXY_TRIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "from a stranger": ("203.0.113.7", {"X-Forwarded-User": "ben"}),
    "from this machine": ("127.0.0.1", {"X-Forwarded-User": "ben"}),
    "from beside the proxy": ("11.1.2.3", {"X-Forwarded-User": "ben", "X-Forwarded-For": "10.1.2.3"}),
    "with the proxy's address in a header": ("203.0.113.7", {"X-Forwarded-User": "ben", "X-Real-IP": "10.1.2.3"}),
    "as an address of IPv6 like the proxy's": ("::ffff:11.1.2.3", {"X-Forwarded-User": "ben"}),
    "with no address": ("", {"X-Forwarded-User": "ben"}),
    "under two names": ("10.1.2.3", {"X-Forwarded-User": "ben,ann"}),
    "under a name with a line break": ("10.1.2.3", {"X-Forwarded-User": "ben%0d%0aX-Role: operate"}),
    "under a name in other letters": ("10.1.2.3", {"X-Forwarded-User": "BEN"}),
    "under nobody's name": ("10.1.2.3", {"X-Forwarded-User": "root"}),
    "under the name of a token": ("10.1.2.3", {"X-Forwarded-User": "ann"}),
    "in a header of another proxy": ("10.1.2.3", {"Remote-User": "ben", "X-Remote-User": "ben", "X-Auth-User": "ben"}),
}


def test_only_the_proxy_names_who_looks(room: Room) -> None:
    """From an address that engine.yaml names, in one name that it knows."""
    siege = Siege("sign-in header of the proxy", "web page: every route")
    ids = ids_of(room)

    for name, (peer, headers) in PROXY_TRIES.items():
        for method, path, fields in list(visits(ids))[:: 1 if LONG else 3]:
            browser = room.browser(peer=peer, named=headers)
            answer = browser.get(path) if method == "GET" else browser.post(path, None, **fields, csrf="0" * 64)
            siege.tried(f"{method} {path} {name}: {answer.status_code}", refused=_led_away(answer, ids))

    assert 200 == room.browser(peer="10.1.2.3", named={"X-Forwarded-User": "ben"}).get("/").status_code
    siege.ends("the form to sign in, or 403")


def links_page(room: Room, tmp_path: Path) -> Room:
    """Return the same server with pages for signed links."""
    app = create_app(
        room.engine,
        keyring=load_keyring(room.engine.bundle.configuration, Settings(environment=KNOWN).secret),
        pause=(room.simulated.pauses, room.simulated.pauses),
        clock=room.simulated.clock,
        metrics=Metrics(),
        log=EventLog(room.log),
        beat_file=tmp_path / "beat.json",
        links=lambda: LINKS,
        web=WebHost(key=KEY),
    )
    return Room(app, room.engine, room.simulated, room.journal, room.log, room.stopping)


Bent = Callable[[str, str], str]
BENT: Mapping[str, Bent] = {
    "no signature": lambda path, query: path,
    "an empty signature": lambda path, query: _with(path, query, sig=""),
    "another signature": lambda path, query: _with(path, query, sig="0" * 64),
    "a signature in capitals": lambda path, query: _with(path, query, sig=dict(parse_qsl(query))["sig"].upper()),
    "half a signature": lambda path, query: _with(path, query, sig=dict(parse_qsl(query))["sig"][:32]),
    "another receiver": lambda path, query: _with(path, query, **{"for": "ann"}),
    "another plan": lambda path, query: _with(path, query, hash="0" * 64),
    "a plan that is its beginning": lambda path, query: _with(path, query, hash=dict(parse_qsl(query))["hash"][:8]),
    "a later end": lambda path, query: _with(path, query, until="4102444800"),
    "an end in another notation": lambda path, query: _with(path, query, until=dict(parse_qsl(query))["until"] + ".0"),
    "a field twice": lambda path, query: f"{path}?{query}&hash={'0' * 64}",
    "another run": lambda path, query: f"/approvals/another?{query}",
    "a run that climbs": lambda path, query: f"/approvals/../approvals/x?{query}",
    "signed with another key": lambda path, query: _other(
        path, approval_links("https://x.example/approvals", "j" * 32)
    ),
    "signed with the key of the page": lambda path, query: _other(path, approval_links("https://x/a", KEY.hex())),
}


def _with(path: str, query: str, **changes: str) -> str:
    return f"{path}?{urlencode(dict(parse_qsl(query)) | changes)}"


def _other(path: str, links: object) -> str:
    invitation = Invitation(path.rpartition("/")[2], "0" * 64, datetime(2100, 1, 1, tzinfo=UTC), "chat")
    return f"{path}?{urlsplit(links.url(invitation)).query}"  # type: ignore[attr-defined]  # of links


def test_no_link_but_the_one_that_was_sent_answers_and_that_once(room: Room, tmp_path: Path) -> None:
    """Altered in every field, for another plan, after its time, and a second time."""
    siege = Siege("approval link altered, expired, replayed, for another plan", "signed links")
    here = links_page(room, tmp_path)
    execution_id = here.ask_something()
    asked = here.journal.load(execution_id).approval
    assert asked is not None
    invitation = Invitation(execution_id, asked.hash, asked.until.replace(microsecond=0), "chat")
    now = here.simulated.clock.now().replace(microsecond=0)
    sent = urlsplit(LINKS.url(invitation))
    links = {name: bend(sent.path, sent.query) for name, bend in BENT.items()}
    for name, old in {
        "over": Invitation(execution_id, asked.hash, now, "chat"),
        "of a plan that is not asked": Invitation(execution_id, "0" * 64, now + timedelta(hours=1), "chat"),
        "of a run that there is not": Invitation("another", asked.hash, now + timedelta(hours=1), "chat"),
    }.items():
        found = urlsplit(LINKS.url(old))
        links[name] = f"{found.path}?{found.query}"

    for name, link in links.items():
        for method, fields in (("GET", {}), ("POST", {"answer": "approve"}), ("POST", {"answer": "deny"})):
            answer = here.app.test_client().open(link, method=method, data=fields or None)
            siege.tried(f"{method} {name}: {answer.status_code}", refused=answer.status_code in (401, 404, 409))
    assert [] == list(here.journal.signals(execution_id, 0))
    statuses = [_answers(here, f"{sent.path}?{sent.query}", word) for word in ("approve", "approve", "deny")]
    for word, status in zip(("approve", "deny"), statuses[1:], strict=True):
        siege.tried(f"{word} once more", refused=status == 409)

    assert 200 == statuses[0]
    assert ["approved"] == [each.kind for each in here.journal.signals(execution_id, 0)]
    siege.ends("401 in the same words whatever is wrong; 409 once it was answered or is over")


def _answers(here: Room, link: str, word: str) -> int:
    return here.app.test_client().post(link, data={"answer": word}).status_code
