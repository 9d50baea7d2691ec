"""The doors of the web page: who gets in, what they may do there, and how nobody else does it in their name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest

from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.live import Listeners, Pulse
from runbook_engine.entrypoints.server.web.origins import local_path
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.server.web.sessions import PURPOSE, Session
from runbook_engine.errors import Overloaded, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contract.web_room import KEY, Browser, Room, make_room
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, post, webhook

OPERATOR_ONLY = "  robot: {roles: [operate], secrets: [{env: SENDER_NEW}]}\n"
PEOPLE = """\
web:
  proxy: {header: X-Forwarded-User, from: [10.0.0.0/8, "fd00::/8"]}
  people: {ben: [read, operate], carl: [read], dora: [operate]}
"""
TWICE = TOKENS.replace("secrets: [{env: ANN}]", "secrets: [{env: ANN}, {env: ANN_NEW}]")
PAGES = ("/", "/incidents", "/runbooks", "/runbooks/shed", "/pause", "/inbox", "/live")
DEEDS: Mapping[str, Mapping[str, str]] = {  # each with a form that could be meant
    "/do/executions/x/approve": {"plan_hash": "0" * 64},
    "/do/executions/x/deny": {},
    "/do/executions/x/cancel": {"undo": "no"},
    "/do/executions/x/takeover": {"undo": "yes"},
    "/do/executions/x/release": {},
    "/do/incidents/x/acknowledge": {},
    "/do/incidents/x/close": {},
    "/do/pause": {"for": "30m"},
    "/do/resume": {},
    "/do/storm/release": {},
    "/do/inbox/1/retry": {},
    "/do/inbox/1/discard": {},
}
PROXY = "10.1.2.3"


INSTALLATIONS = {
    "guarded": TOKENS,
    "rotating": TWICE,
    "robots": TOKENS.replace(", {env: SENDER_NEW}", "") + OPERATOR_ONLY,
    "proxied": TOKENS + PEOPLE,
    "hospitable": TOKENS + PEOPLE + "  others: [read]\n",
    "forwarded": TOKENS + "web: {proxy: {from: [10.0.0.0/8]}}\n",
    "named": TOKENS + "web: {url: https://runbooks.example, sessionFor: 1h}\n",
    "shut": TOKENS + "web: {enabled: false}\n",
    "open": "",
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """Installations that differ in who may come in, each made when it is needed."""

    @cache
    def made(name: str) -> Bundle:
        return bundle_in(tmp_path_factory.mktemp(name), config=CONFIG + INSTALLATIONS[name], mode="approve")

    return made


@pytest.fixture
def room(bundles: Callable[[str], Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Room]:
    """Make a server of one of them, with plain pages."""
    return lambda name="guarded", **settings: make_room(bundles(name), tmp_path, monkeypatch, **settings)


# --- who sees, who does --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installation", "secret", "named", "status"),
    [
        pytest.param("guarded", "", "", 303, id="nobody is led to sign in"),
        pytest.param("guarded", "READER", "", 200, id="a reader"),
        pytest.param("guarded", "ANN", "", 200, id="an operator"),
        pytest.param("proxied", "", "carl", 200, id="a reader of the proxy"),
        pytest.param("proxied", "", "ben", 200, id="an operator of the proxy"),
        pytest.param("proxied", "", "dora", 403, id="one of the proxy who may not read"),
        pytest.param("proxied", "", "eve", 403, id="a stranger of the proxy"),
        pytest.param("hospitable", "", "eve", 200, id="a stranger where others may read"),
        pytest.param("open", "", "", 200, id="anybody where there are no tokens"),
    ],
)
def test_who_may_read_sees_the_pages(
    installation: str, secret: str, named: str, status: int, room: Callable[..., Room]
) -> None:
    """Every page alike; who listens to changes is told 401 instead of being led anywhere."""
    browser = visitor_of(room(installation), secret, named)

    answers = {path: browser.get(path) for path in PAGES}

    told = {path: answer.status_code for path, answer in answers.items()}
    assert {path: 401 if path == "/live" and status == 303 else status for path in PAGES} == told
    answers["/live"].close()


@pytest.mark.parametrize(
    ("installation", "secret", "named", "statuses"),
    [
        pytest.param("guarded", "", "", {401}, id="nobody"),
        pytest.param("guarded", "READER", "", {403}, id="a reader"),
        pytest.param("proxied", "", "carl", {403}, id="a reader of the proxy"),
        pytest.param("proxied", "", "eve", {403}, id="a stranger of the proxy"),
        pytest.param("hospitable", "", "eve", {403}, id="a stranger where others may read"),
        pytest.param("guarded", "ANN", "", {303, 404, 409}, id="an operator"),
        pytest.param("proxied", "", "ben", {303, 404, 409}, id="an operator of the proxy"),
        pytest.param("open", "", "", {303, 404, 409}, id="anybody where there are no tokens"),
    ],
)
def test_who_may_operate_acts(
    installation: str, secret: str, named: str, statuses: set[int], room: Callable[..., Room]
) -> None:
    """Every form alike. There is nothing to act upon here, so whoever may is told that, or has paused."""
    here = room(installation)
    browser = visitor_of(here, secret, named)
    csrf = browser.csrf() if "csrf" in browser.get("/pause").text else "0" * 64

    answers = {path: browser.post(path, csrf=csrf, **fields).status_code for path, fields in DEEDS.items()}

    assert statuses == set(answers.values()), answers
    done = ["pause", "resume"] if 303 in statuses else []
    assert done == [event["what"] for event in here.events("operated")]


def visitor_of(here: Room, secret: str, named: str) -> Browser:
    """Return the browser of who has signed in, or whom a proxy names, or of nobody."""
    browser = here.browser(peer=PROXY, named={"X-Forwarded-User": named}) if named else here.browser()
    return browser.sign_in(SECRETS[secret]) if secret else browser


@pytest.mark.parametrize(
    ("installation", "secret", "status", "sentence"),
    [
        pytest.param("guarded", "SENDER_OLD", 403, "this token has the role ingest, and looking", id="a sender"),
        pytest.param("robots", "SENDER_NEW", 403, "this token has the role operate, and looking", id="a robot"),
    ],
)
def test_a_token_that_may_not_read_is_told_why(
    installation: str, secret: str, status: int, sentence: str, room: Callable[..., Room]
) -> None:
    """It gets no session, and the log keeps that somebody tried."""
    here = room(installation)
    browser = here.browser()

    answer = browser.post("/sign-in", token=SECRETS[secret])

    assert status == answer.status_code
    assert f"problem=[{sentence} at the page needs the role read]" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert 303 == browser.get("/").status_code
    assert 1 == len(here.events("sign-in.refused"))


def test_signing_in_leads_back_to_where_somebody_wanted_to_go(room: Callable[..., Room]) -> None:
    """And the token is neither in the cookie nor in the log."""
    here = room()
    browser = here.browser()

    sent = browser.get("/incidents/a1b2")
    form = browser.get(sent.headers["Location"])
    answer = browser.post("/sign-in", token=f"  {SECRETS['ANN']}\n", back="/incidents/a1b2")

    assert "/sign-in?back=%2Fincidents%2Fa1b2" == sent.headers["Location"]
    assert 'back="/incidents/a1b2"' in form.text
    assert (303, "/incidents/a1b2") == (answer.status_code, answer.headers["Location"])
    assert "who=ann roles=read,operate" in browser.get("/").text
    assert SECRETS["ANN"] not in here.log.getvalue() + answer.headers["Set-Cookie"]
    assert [{"by": "ann", "client": "127.0.0.1"}] == here.events("signed-in")


def test_signing_out_ends_it(room: Callable[..., Room]) -> None:
    """The form is this session's, like every other."""
    browser = room().signed_in("ANN")

    without = browser.post("/sign-out", csrf="0" * 64).status_code
    answer = browser.do("/sign-out")

    assert (403, 303, "/sign-in") == (without, answer.status_code, answer.headers["Location"])
    assert 303 == browser.get("/").status_code


def test_a_session_gives_no_way_into_the_api(room: Callable[..., Room]) -> None:
    """The API believes tokens alone, so nothing that a browser sends by itself can act there."""
    browser = room("proxied").signed_in("ANN", peer=PROXY)
    browser.named = {"X-Forwarded-User": "ben"}

    assert 401 == browser.get("/api/incidents").status_code
    assert 401 == browser.post("/api/pause").status_code


# --- cookies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installation", "base", "name", "secure"),
    [
        pytest.param("guarded", "http://localhost:8930", "runbook-8930", False, id="this machine, without TLS"),
        pytest.param("guarded", "http://[::1]:8930", "runbook-8930", False, id="this machine, by its newer address"),
        pytest.param("guarded", "https://runbooks.example", "__Host-runbook", True, id="through a proxy with TLS"),
        pytest.param("named", "https://runbooks.example", "__Host-runbook", True, id="under the address it is given"),
    ],
)
def test_the_cookie_is_bound_as_tightly_as_the_address_allows(
    installation: str, base: str, name: str, secure: bool, room: Callable[..., Room]
) -> None:
    """For no script, for no other site, for this host, and over TLS wherever it is not this machine itself."""
    answer = room(installation).browser(base=base).post("/sign-in", token=SECRETS["ANN"])

    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    expected = {"HttpOnly", "Path=/", "SameSite=Strict", f"Max-Age={3600 if installation == 'named' else 43200}"}
    assert name == cookie.partition("=")[0]
    assert expected | ({"Secure"} if secure else set()) == {each for each in attributes if "Expires" not in each}


def cookie_of(browser: Browser) -> str:
    """Return the session cookie's value."""
    found = browser.client.get_cookie("runbook-localhost")
    assert found is not None
    return found.value


def with_cookie(here: Room, value: str) -> int:
    """Return what a browser with this cookie is answered."""
    browser = here.browser()
    browser.client.set_cookie("runbook-localhost", value)
    return browser.get("/").status_code


def claimed(name: str, here: Room, key: bytes = KEY, purpose: str = PURPOSE, secret: str = "") -> str:
    """Return a cookie that claims to be somebody's."""
    now = here.simulated.clock.now()
    session = Session(name=name, issued=now, until=now + timedelta(hours=1), secret=secret, nonce="n")
    return Seals(key).seal(purpose, msgspec.json.encode(session))


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda cookie, here: "", id="empty"),
        pytest.param(lambda cookie, here: "x" * 3000, id="long"),
        pytest.param(lambda cookie, here: "é.ü", id="no ASCII"),
        pytest.param(lambda cookie, here: cookie.partition(".")[0] + ".", id="without its mark"),
        pytest.param(lambda cookie, here: cookie.partition(".")[0] + "." + "0" * 64, id="with another mark"),
        pytest.param(lambda cookie, here: "A" + cookie[1:], id="with another content"),
        pytest.param(lambda cookie, here: claimed("ann", here, key=b"k" * 32), id="of another start"),
        pytest.param(lambda cookie, here: claimed("ann", here, purpose="notice"), id="sealed for something else"),
        pytest.param(lambda cookie, here: claimed("ann", here), id="tied to no secret"),
        pytest.param(
            lambda cookie, here: claimed("ann", here, secret=Seals(KEY).mark("secret", b"")),
            id="tied to another secret",
        ),
    ],
)
def test_a_cookie_that_is_not_ours_lets_nobody_in(forge: Callable[[str, Room], str], room: Callable[..., Room]) -> None:
    """However it came about; the true one does."""
    here = room()
    cookie = cookie_of(here.signed_in("ANN"))

    assert 200 == with_cookie(here, cookie)
    assert 303 == with_cookie(here, forge(cookie, here))


def test_a_session_ends_when_its_time_is_over(room: Callable[..., Room]) -> None:
    """Twelve hours, whatever the browser keeps; and one that is not yet begun is none."""
    here = room()
    cookie = cookie_of(here.signed_in("READER"))

    here.pass_time(timedelta(hours=12, seconds=-1))
    before = with_cookie(here, cookie)
    here.pass_time(timedelta(seconds=1))

    assert (200, 303) == (before, with_cookie(here, cookie))
    assert 303 == with_cookie(room(), cookie_of(here.signed_in("READER")))  # of a runner whose clock is ahead


def test_a_restart_ends_sessions(room: Callable[..., Room]) -> None:
    """Each start has a key of its own, and all the web processes of one start share it."""
    cookie = cookie_of(room().signed_in("ANN"))

    assert 200 == with_cookie(room(), cookie)
    assert 303 == with_cookie(room(key=b"another start of the runner " * 2), cookie)


def test_a_secret_that_is_taken_away_takes_its_sessions_with_it(room: Callable[..., Room]) -> None:
    """While a token has two, both hold; afterwards the sessions of the one that stays go on."""
    both = SECRETS | {"ANN_NEW": "the-new-secret-of-ann-herself"}
    only_new = {name: value for name, value in both.items() if name != "ANN"}
    rotating, rotated = room("rotating", secrets=both), room("rotating", secrets=only_new)
    old = cookie_of(rotating.browser().sign_in(both["ANN"]))
    new = cookie_of(rotating.browser().sign_in(both["ANN_NEW"]))

    assert (200, 200) == (with_cookie(rotating, old), with_cookie(rotating, new))
    assert (303, 200) == (with_cookie(rotated, old), with_cookie(rotated, new))


def test_roles_are_those_that_the_token_has_now(
    room: Callable[..., Room], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session says who somebody is; what they may do is looked up."""
    here = room()
    browser = here.signed_in("ANN")
    less = tmp_path / "less"
    less.mkdir()
    demoted = bundle_in(less, config=CONFIG + TOKENS.replace("ann: {roles: [read, operate]", "ann: {roles: [read]"))
    later = make_room(demoted, tmp_path, monkeypatch).browser()
    later.client.set_cookie("runbook-localhost", cookie_of(browser))

    assert "who=ann roles=read notice" in later.get("/").text
    assert 403 == later.post("/do/resume", csrf=later.csrf()).status_code


# --- forms ---------------------------------------------------------------------------------------------------


def others_token(here: Room) -> str:
    """Return the form's token of somebody else's session."""
    return here.signed_in("READER").csrf()


def anothers_token(here: Room) -> str:
    """Return the form's token of another session of the same person."""
    return here.signed_in("ANN").csrf()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda here: "", id="none"),
        pytest.param(lambda here: "0" * 64, id="a guess"),
        pytest.param(lambda here: "é" * 64, id="no ASCII"),
        pytest.param(others_token, id="of somebody else"),
        pytest.param(anothers_token, id="of another session of hers"),
    ],
)
def test_a_form_of_another_session_does_nothing(given: Callable[[Room], str], room: Callable[..., Room]) -> None:
    """And says what to do about it."""
    here = room()
    browser = here.signed_in("ANN")

    answer = browser.post("/do/pause", csrf=given(here), **{"for": "30m"})

    assert 403 == answer.status_code
    assert "this form is out of date, so nothing was done: load the page again" in answer.text
    assert here.simulated.pauses.pause(here.simulated.clock.now()) is None


STRANGE: list[object] = [
    pytest.param({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, id="from another site"),
    pytest.param({"Origin": "https://evil.example", "Sec-Fetch-Site": None}, id="from another site, an older browser"),
    pytest.param({"Origin": None, "Sec-Fetch-Site": "cross-site"}, id="that does not say from where"),
    pytest.param({"Origin": None, "Sec-Fetch-Site": "same-site"}, id="from a neighbour"),
    pytest.param({"Origin": None, "Sec-Fetch-Site": "none"}, id="from no page"),
    pytest.param({"Origin": "null", "Sec-Fetch-Site": None}, id="from a page without a name"),
    pytest.param({"Origin": None, "Sec-Fetch-Site": None}, id="that says nothing"),
    pytest.param({"Origin": "http://localhost:8931", "Sec-Fetch-Site": None}, id="from another port of this machine"),
    pytest.param({"Origin": "http://localhost.evil.example", "Sec-Fetch-Site": None}, id="from a name like ours"),
]


@pytest.mark.parametrize("installation", ["guarded", "open"])
@pytest.mark.parametrize("headers", STRANGE)
def test_a_form_from_another_page_does_nothing(
    headers: Mapping[str, str | None], installation: str, room: Callable[..., Room]
) -> None:
    """Even with this session's cookie and its token."""
    here = room(installation)
    browser = here.browser() if installation == "open" else here.signed_in("ANN")

    answer = browser.post("/do/pause", headers, csrf=browser.csrf(), **{"for": "30m"})

    assert 403 == answer.status_code
    assert [] == here.events("operated")
    assert here.simulated.pauses.pause(here.simulated.clock.now()) is None


@pytest.mark.parametrize("headers", STRANGE)
def test_nobody_is_signed_in_by_another_page(headers: Mapping[str, str | None], room: Callable[..., Room]) -> None:
    """Not even as somebody else, to act in their name without knowing."""
    answer = room().browser().post("/sign-in", headers, token=SECRETS["ANN"])

    assert 403 == answer.status_code
    assert "Set-Cookie" not in answer.headers


def test_behind_a_proxy_that_changes_the_host_the_page_knows_its_address(room: Callable[..., Room]) -> None:
    """The browser says where the form was; the Host is what the proxy calls the runner."""
    said = {"Origin": "https://runbooks.example", "Host": "127.0.0.1:8930"}

    named, unnamed = (room(one).browser().post("/sign-in", said, token=SECRETS["ANN"]) for one in ("named", "guarded"))

    assert 303 == named.status_code
    assert "__Host-runbook=" in named.headers["Set-Cookie"]
    assert 403 == unnamed.status_code
    assert "name the address that people use under web.url" in unnamed.text


@pytest.mark.parametrize(
    ("content", "type_", "status"),
    [
        pytest.param(b'{"csrf": "x"}', "application/json", 415, id="JSON"),
        pytest.param(b"csrf=x", "text/plain", 415, id="plain text"),
        pytest.param(b"csrf=" + b"x" * 5000, "application/x-www-form-urlencoded", 413, id="too much"),
        pytest.param(b"\xff\xfe", "application/x-www-form-urlencoded", 400, id="no form"),
        pytest.param(b"csrf=TOKEN&csrf=TOKEN&for=30m", "application/x-www-form-urlencoded", 403, id="a token twice"),
        pytest.param(b"csrf=TOKEN&for=30m&for=1h", "application/x-www-form-urlencoded", 400, id="a wish twice"),
        pytest.param(b"csrf=TOKEN&for=30m&by=ben", "application/x-www-form-urlencoded", 400, id="a field too many"),
        pytest.param(b"csrf=TOKEN&for=8d", "application/x-www-form-urlencoded", 400, id="a pause that is too long"),
        pytest.param(
            b"csrf=TOKEN&for=8m&reason=" + b"x" * 501, "application/x-www-form-urlencoded", 400, id="a long reason"
        ),
    ],
)
def test_a_form_that_is_none_does_nothing(content: bytes, type_: str, status: int, room: Callable[..., Room]) -> None:
    """Refused on a page, within the limits of the API."""
    here = room()
    browser = here.signed_in("ANN")
    said = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    body = content.replace(b"TOKEN", browser.csrf().encode())

    answer = browser.client.post("/do/pause", data=body, content_type=type_, headers=said)

    assert status == answer.status_code, answer.text
    assert "refused" in answer.text
    assert [] == here.events("operated")


@pytest.mark.parametrize(
    ("back", "led"),
    [
        pytest.param("/executions/a1?open=yes#changes", "/executions/a1?open=yes#changes", id="a page of ours"),
        pytest.param("/inbox", "/inbox", id="another one"),
        pytest.param("", "/", id="nothing"),
        pytest.param("//evil.example", "/", id="two slashes"),
        pytest.param("/\\evil.example", "/", id="a backslash"),
        pytest.param("https://evil.example/", "/", id="an address"),
        pytest.param("javascript:alert(1)", "/", id="a script"),
        pytest.param("/incidents/a\r\nSet-Cookie: a=b", "/", id="a line of its own"),
        pytest.param("/incidents/../sign-out", "/", id="dots"),
        pytest.param("/do/pause", "/", id="something that is no page"),
        pytest.param("/incidents/" + "a" * 200, "/", id="something long"),
    ],
)
def test_a_form_leads_to_pages_of_ours_alone(back: str, led: str, room: Callable[..., Room]) -> None:
    """After a deed, after a sign-in, and when one is signed in already."""
    here = room()
    browser = here.browser()
    signed_in = browser.post("/sign-in", token=SECRETS["ANN"], back=back)
    again = browser.get("/sign-in?" + urlencode({"back": back}))
    done = browser.do("/do/resume", back=back)

    assert [led] * 3 == [answer.headers["Location"] for answer in (signed_in, again, done)]


# --- deeds ---------------------------------------------------------------------------------------------------


def prepared(here: Room, kind: str) -> tuple[str, str, dict[str, str]]:
    """Return what there is to act upon: an execution, an incident, and what a form holds."""
    execution_id = here.ask_something()
    execution = here.journal.load(execution_id)
    assert execution.approval is not None
    return execution_id, execution.incident_id, {"plan_hash": execution.approval.hash}


@pytest.mark.parametrize(
    ("path", "form", "wish"),
    [
        pytest.param("executions/E/approve", {"plan_hash": "HASH"}, {"plan_hash": "HASH"}, id="approve"),
        pytest.param("executions/E/deny", {"plan_hash": "HASH"}, {"plan_hash": "HASH"}, id="deny exactly this"),
        pytest.param("executions/E/deny", {"reason": "no"}, {"reason": "no"}, id="deny whatever is asked"),
        pytest.param("executions/E/cancel", {"undo": "yes"}, {"undo": True}, id="cancel and undo"),
        pytest.param("executions/E/cancel", {"undo": "no", "reason": "r"}, {"undo": False, "reason": "r"}, id="cancel"),
        pytest.param("executions/E/takeover", {"undo": "no"}, {"undo": False}, id="take over"),
        pytest.param(
            "executions/E/takeover", {"undo": "no", "for": "2h"}, {"undo": False, "for": "2h"}, id="take over for long"
        ),
        pytest.param("executions/E/takeover", {"undo": "no", "for": "2d"}, {"undo": False, "for": "2d"}, id="too long"),
        pytest.param("executions/E/release", {}, {}, id="release what nobody keeps"),
        pytest.param("executions/none/approve", {"plan_hash": "HASH"}, {"plan_hash": "HASH"}, id="approve nothing"),
        pytest.param("executions/E/approve", {"plan_hash": "0000"}, {"plan_hash": "0000"}, id="approve another plan"),
        pytest.param("executions/E/approve", {"plan_hash": "0"}, {"plan_hash": "0"}, id="approve with too little"),
        pytest.param("executions/E/cancel", {}, {}, id="cancel without a word on undoing"),
        pytest.param("incidents/I/acknowledge", {}, {}, id="acknowledge"),
        pytest.param("incidents/I/close", {"reason": "r"}, {"reason": "r"}, id="close what fires"),
        pytest.param("incidents/none/close", {}, {}, id="close nothing"),
        pytest.param("pause", {"for": "30m", "reason": "r"}, {"for": "30m", "reason": "r"}, id="pause"),
        pytest.param("pause", {"for": "soon"}, {"for": "soon"}, id="pause for no time"),
        pytest.param("pause", {}, {}, id="pause without a time"),
        pytest.param("resume", {}, {}, id="resume"),
        pytest.param("storm/release", {}, {}, id="release no storm"),
    ],
)
def test_a_form_does_what_the_api_does(
    path: str, form: dict[str, str], wish: dict[str, object], room: Callable[..., Room]
) -> None:
    """The same signals, the same log, the same refusals; one is led back, the other is told 202."""

    def left(here: Room, execution_id: str, incident_id: str) -> object:
        now = here.simulated.clock.now()
        signals = [msgspec.to_builtins(each) for each in here.journal.signals(execution_id, 0)]
        incident = here.journal.incident(incident_id)
        return (
            here.events("operated"),
            signals,
            (incident.acknowledged_by, incident.closed_by, incident.closed_because),
            here.simulated.pauses.pause(now),
        )

    outcomes = []
    for by_form in (True, False):
        here = room()
        execution_id, incident_id, asked = prepared(here, path)
        where = path.replace("/E/", f"/{execution_id}/").replace("/I/", f"/{incident_id}/")
        if by_form:
            given = {name: value.replace("HASH", asked["plan_hash"]) for name, value in form.items()}
            status = here.signed_in("ANN").do(f"/do/{where}", **given).status_code
        else:
            body = msgspec.json.encode(wish).replace(b"HASH", asked["plan_hash"].encode())
            token = {"Authorization": f"Bearer {SECRETS['ANN']}"}
            answer = here.app.test_client().post(
                f"/api/{where}", data=body, headers=token, content_type="application/json"
            )
            status = 303 if answer.status_code == 202 else answer.status_code
        outcomes.append((status, left(here, execution_id, incident_id)))

    assert outcomes[0] == outcomes[1]


def test_a_deed_is_said_once_on_the_page_one_is_led_back_to(room: Callable[..., Room]) -> None:
    """And not in another tab, whose script asks for news just then."""
    here = room()
    execution_id, _, asked = prepared(here, "approve")
    browser = here.signed_in("ANN")

    answer = browser.do(f"/do/executions/{execution_id}/approve", back=f"/executions/{execution_id}", **asked)
    elsewhere = browser.get("/", X_Requested_With="live")
    first, second = browser.get(answer.headers["Location"]), browser.get(answer.headers["Location"])

    assert (303, f"/executions/{execution_id}") == (answer.status_code, answer.headers["Location"])
    assert "notice=[Approved: the engine goes on with exactly what was asked.]" in first.text
    assert "notice=[]" in second.text
    assert "notice=[]" in elsewhere.text


def test_a_notice_that_somebody_made_up_is_not_said(room: Callable[..., Room]) -> None:
    """Nor that of another session."""
    here = room()
    ann, reader = here.signed_in("ANN"), here.signed_in("READER")
    ann.do("/do/resume")
    true = ann.client.get_cookie("runbook-notice-localhost")
    assert true is not None

    for value in (true.value, "QXBwcm92ZWQ." + "0" * 64):
        reader.client.set_cookie("runbook-notice-localhost", value)
        assert "notice=[]" in reader.get("/").text


def test_who_is_slower_reads_who_was_faster(room: Callable[..., Room]) -> None:
    """On a page, with what was answered."""
    here = room()
    execution_id, _, asked = prepared(here, "approve")
    browser = here.signed_in("ANN")
    browser.do(f"/do/executions/{execution_id}/deny", reason="first", **asked)

    answer = browser.do(f"/do/executions/{execution_id}/approve", **asked)

    assert 409 == answer.status_code
    assert "refused 409 Somebody was faster, or things have changed: " in answer.text
    assert "ann" in answer.text
    assert [asked["plan_hash"]] == [each.plan_hash for each in here.journal.signals(execution_id, 0)]


def test_what_was_set_aside_is_given_back_or_thrown_away(room: Callable[..., Room]) -> None:
    """By number; what is not there is said to be gone."""
    here = room()
    inbox = here.journal.inbox
    assert inbox is not None
    now = here.simulated.clock.now()
    numbers = []
    for _ in range(2):
        request = Request(scope="lab", source="alertmanager", headers={}, body=webhook(), received_at=now)
        numbers.append(inbox.keep(request, 1))
        inbox.set_aside(numbers[-1], reason="it breaks", at=now)
    browser = here.signed_in("ANN")

    done = [
        browser.do(f"/do/inbox/{number}/{verb}").status_code
        for number, verb in ((numbers[0], "retry"), (numbers[1], "discard"), (numbers[1], "discard"), ("٣", "retry"))
    ]

    assert [303, 303, 409, 404] == done
    assert (1, 0) == (inbox.fill().deliveries, inbox.fill().set_aside)
    logged = [(event["what"], event["by"], event["delivery"]) for event in here.events("operated")]
    assert [("retry", "ann", numbers[0]), ("discard", "ann", numbers[1])] == logged


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/assets/app.css"])
def test_looking_changes_nothing(path: str, room: Callable[..., Room]) -> None:
    """With GET and with HEAD; and there is no form that a GET could send."""
    here = room()
    here.ask_something()
    browser = here.signed_in("ANN")
    before = here.journal.counts()

    for answer in (browser.get(path), browser.client.head(path)):
        assert answer.status_code in (200, 303)
        answer.close()

    assert before == here.journal.counts()
    assert [] == here.events("operated")
    assert {405} == {browser.get(deed).status_code for deed in DEEDS}


# --- without tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        pytest.param("127.0.0.1:8930", {}, 200, id="this machine"),
        pytest.param("localhost:8930", {}, 200, id="by its name"),
        pytest.param("[::1]:8930", {}, 200, id="by its newer address"),
        pytest.param("evil.example", {}, 403, id="a foreign name that leads here"),
        pytest.param("localhost.evil.example:8930", {}, 403, id="a name like ours"),
        pytest.param(
            "127.0.0.1", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403, id="another page"
        ),
        pytest.param(
            "127.0.0.1",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            403,
            id="another page's frame",
        ),
        pytest.param(
            "127.0.0.1",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            200,
            id="another page's link",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/", "/live", "/sign-in"])
def test_without_tokens_this_machine_alone_gets_in(
    path: str, host: str, headers: Mapping[str, str], status: int, room: Callable[..., Room]
) -> None:
    """The name in the address bar must be this machine's, so no name of others can be made to lead here."""
    answer = room("open").app.test_client().get(path, headers={"Host": host, **headers})

    assert (303 if path == "/sign-in" and status == 200 else status) == answer.status_code
    answer.close()


def test_without_tokens_one_acts_as_local_and_the_api_stays_for_programs(room: Callable[..., Room]) -> None:
    """A proxy's word counts for nothing there."""
    here = room("open")
    browser = here.browser(named={"X-Forwarded-User": "ben"})

    done = browser.do("/do/pause", **{"for": "30m"})

    assert 303 == done.status_code
    assert [{"what": "pause", "by": "local", "execution": "", "incident": ""}] == here.events("operated")
    assert 403 == browser.post("/api/resume").status_code


# --- proxies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        pytest.param(PROXY, [("X-Forwarded-User", "ben")], 200, id="from the proxy"),
        pytest.param("::ffff:10.1.2.3", [("X-Forwarded-User", "ben")], 200, id="from the proxy, as IPv6 writes it"),
        pytest.param("fd00::7", [("X-Forwarded-User", "ben")], 200, id="from the proxy over IPv6"),
        pytest.param("127.0.0.1", [("X-Forwarded-User", "ben")], 303, id="from this machine"),
        pytest.param("11.0.0.1", [("X-Forwarded-User", "ben")], 303, id="from elsewhere"),
        pytest.param("", [("X-Forwarded-User", "ben")], 303, id="from nowhere"),
        pytest.param(PROXY, [("X-Forwarded-User", "")], 303, id="empty"),
        pytest.param(PROXY, [("X-Remote-User", "ben")], 303, id="in another header"),
        pytest.param(PROXY, [("X-Forwarded-User", "ben"), ("X-Forwarded-User", "ben")], 403, id="twice"),
        pytest.param(PROXY, [("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ben")], 403, id="twice, differently"),
        pytest.param(PROXY, [("X-Forwarded-User", "ben"), ("X-Forwarded-User", "")], 403, id="twice, once empty"),
        pytest.param(PROXY, [("X-Forwarded-User", "ben,carl")], 403, id="two names"),
        pytest.param(PROXY, [("X-Forwarded-User", "be\x00n")], 403, id="with a control character"),
        pytest.param(PROXY, [("X-Forwarded-User", "ben\t")], 403, id="with a tab"),
        pytest.param(PROXY, [("X-Forwarded-User", "bén")], 403, id="no ASCII"),
        pytest.param(PROXY, [("X-Forwarded-User", "b" * 200)], 403, id="long"),
        pytest.param(PROXY, [("X-Forwarded-User", " ")], 403, id="a space"),
    ],
)
def test_a_proxy_is_believed_when_it_is_one_and_names_one_person(
    peer: str, headers: list[tuple[str, str]], status: int, room: Callable[..., Room]
) -> None:
    """What others say who pretend to be one is not even looked at; and no name of two is one of the others."""
    client = room("hospitable").app.test_client()
    environ = {"REMOTE_ADDR": peer}
    values: dict[str, list[str]] = {}
    for name, value in headers:  # as gunicorn hands them on: joined with commas
        values.setdefault("HTTP_" + name.upper().replace("-", "_"), []).append(value)
    environ |= {name: ",".join(found) for name, found in values.items()}

    answer = client.get("/", environ_overrides=environ)

    assert status == answer.status_code
    assert ("who=ben roles=read,operate" in answer.text) == (status == 200)


def test_who_a_proxy_names_counts_before_a_session(room: Callable[..., Room]) -> None:
    """And the forms of the session are good for nothing then."""
    here = room("proxied")
    browser = here.signed_in("ANN", peer=PROXY)
    of_session = browser.csrf()
    browser.named = {"X-Forwarded-User": "ben"}

    answer = browser.post("/do/resume", csrf=of_session)

    assert "who=ben" in browser.get("/").text
    assert 403 == answer.status_code
    assert 303 == browser.do("/do/resume").status_code
    assert ["ben"] == [event["by"] for event in here.events("operated")]


# --- guessing ------------------------------------------------------------------------------------------------


def guess(browser: Browser, times: int) -> list[int]:
    """Show wrong tokens, and return what that is answered."""
    return [browser.post("/sign-in", token=f"wrong-token-number-{number}").status_code for number in range(times)]


def test_whoever_guesses_has_to_wait_and_nobody_else(room: Callable[..., Room]) -> None:
    """Not who is signed in, not who comes from elsewhere, not the API; after a minute it is over."""
    here = room()
    inside = here.signed_in("READER", peer="192.0.2.9")
    guesser, elsewhere = here.browser(peer="192.0.2.9"), here.browser(peer="192.0.2.10")

    guessed = guess(guesser, 12)
    too_late = guesser.post("/sign-in", token=SECRETS["ANN"])

    assert [401] * 10 + [429] * 2 == guessed
    assert (429, "61") == (too_late.status_code, too_late.headers["Retry-After"])
    assert "problem=[too many wrong tokens came from here: try again in 61 s]" in too_late.text
    assert 200 == inside.get("/").status_code
    assert 303 == elsewhere.post("/sign-in", token=SECRETS["ANN"]).status_code
    api = here.app.test_client().get("/api/pause", headers={"Authorization": f"Bearer {SECRETS['READER']}"})
    assert 200 == api.status_code
    here.pass_time(timedelta(seconds=61))
    assert 303 == guesser.post("/sign-in", token=SECRETS["ANN"]).status_code


@pytest.mark.parametrize(
    ("installation", "peer", "same"),
    [
        pytest.param("forwarded", PROXY, False, id="behind a proxy that is named, people are told apart"),
        pytest.param("forwarded", "192.0.2.9", True, id="nobody else says where people are"),
        pytest.param("guarded", PROXY, True, id="behind a proxy that is not named, they are one"),
    ],
)
def test_where_somebody_asks_from_is_believed_of_a_proxy_alone(
    installation: str, peer: str, same: bool, room: Callable[..., Room]
) -> None:
    """The last address of the list is the one that the proxy itself saw."""
    here = room(installation)
    guesser = here.browser(peer=peer, named={"X-Forwarded-For": "198.51.100.1, 203.0.113.5"})
    other = here.browser(peer=peer, named={"X-Forwarded-For": "203.0.113.5, 203.0.113.6"})
    guess(guesser, 10)
    guesser.named = {"X-Forwarded-For": "198.51.100.77, 203.0.113.5"}

    assert 429 == guesser.post("/sign-in", token=SECRETS["ANN"]).status_code
    assert (429 if same else 303) == other.post("/sign-in", token=SECRETS["ANN"]).status_code


# --- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sign-in", "/incidents/none", "/nowhere"])
def test_a_page_may_load_what_is_ours_and_is_kept_by_no_cache(path: str, room: Callable[..., Room]) -> None:
    """Refusals too."""
    answer = room().signed_in("READER").get(path)

    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert ("no-store", "nosniff") == (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"])
    assert ("same-origin", "Cookie, Accept") == (answer.headers["Referrer-Policy"], answer.headers["Vary"])


@pytest.mark.parametrize(
    ("path", "accept", "kind", "status"),
    [
        pytest.param("/nowhere", "text/html,*/*;q=0.8", "text/html; charset=utf-8", 404, id="a browser"),
        pytest.param("/nowhere", "*/*", "application/json", 404, id="a program"),
        pytest.param("/nowhere", "application/json", "application/json", 404, id="a program that says so"),
        pytest.param("/api/incidents", "text/html", "application/json", 401, id="a browser before the API"),
        pytest.param("/incidents/none", "*/*", "text/html; charset=utf-8", 404, id="a page that is not there"),
        pytest.param("/executions/none", "*/*", "text/html; charset=utf-8", 404, id="an execution that is not there"),
        pytest.param("/runbooks/none", "*/*", "text/html; charset=utf-8", 404, id="a runbook that is not there"),
        pytest.param("/assets/none", "*/*", "text/html; charset=utf-8", 404, id="a file that is not there"),
    ],
)
def test_people_are_answered_with_pages_and_programs_with_json(
    path: str, accept: str, kind: str, status: int, room: Callable[..., Room]
) -> None:
    """What one asks for by mistake is said in one's own words."""
    answer = room().signed_in("READER").get(path, Accept=accept)

    assert (status, kind) == (answer.status_code, answer.headers["Content-Type"])
    if kind == "application/json":
        assert {"error"} == set(answer.get_json())


def test_who_follows_a_link_from_a_chat_is_not_asked_to_sign_in_again(room: Callable[..., Room]) -> None:
    """A browser sends our cookie only when a page of ours asked, so there is one that asks for itself, once."""
    here = room()
    chat = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}

    knocked = here.browser().get("/executions/a1?x=1", **chat)
    again = here.browser().get("/executions/a1?x=1", Sec_Fetch_Site="same-origin")

    assert 200 == knocked.status_code
    assert '<meta http-equiv="refresh" content="0;url=/executions/a1?x=1">' in knocked.text
    assert (303, "/sign-in?back=%2Fexecutions%2Fa1%3Fx%3D1") == (again.status_code, again.headers["Location"])


def test_a_page_that_fetches_itself_is_told_that_the_session_is_over(room: Callable[..., Room]) -> None:
    """It is not led to a form that it would show in its middle."""
    answer = room().browser().get("/", X_Requested_With="live", Sec_Fetch_Site="same-origin")

    assert 401 == answer.status_code
    assert "Location" not in answer.headers


def test_a_file_is_kept_as_long_as_it_is_the_one_that_was_asked_for(room: Callable[..., Room]) -> None:
    """A page of another release never makes a browser keep the wrong one."""
    browser = room().browser()
    plain = browser.get("/assets/app.css")
    digest = plain.headers["ETag"].strip('"')

    assert "no-cache" == plain.headers["Cache-Control"]
    assert "no-cache" == browser.get("/assets/app.css?v=0123456789").headers["Cache-Control"]
    kept = browser.get(f"/assets/app.css?v={digest[:12]}").headers["Cache-Control"]
    assert "public, max-age=31536000, immutable" == kept
    assert 304 == browser.get("/assets/app.css", If_None_Match=plain.headers["ETag"]).status_code


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/assets/app.css"])
def test_there_is_no_page_where_it_is_turned_off(path: str, room: Callable[..., Room]) -> None:
    """The API and the webhooks are there all the same."""
    here = room("shut")

    assert 404 == here.app.test_client().get(path, headers={"Accept": "text/html"}).status_code
    assert 200 == here.app.test_client().get("/healthz").status_code


# --- live ----------------------------------------------------------------------------------------------------


class ShyJournal(MemoryJournal):
    """A journal that counts who asks, and answers nobody on order."""

    def __init__(self) -> None:
        super().__init__()
        self.away, self.asked = False, 0

    def counts(self) -> Mapping[str, int]:
        """Count, or refuse."""
        self.asked += 1
        if self.away:
            raise Unreadable("it is away")
        return super().counts()


def pulse_of(here: Room) -> tuple[Pulse, Callable[[float], None]]:
    """Return what listeners share, and what lets its own seconds go by."""
    seconds = [0.0]
    pauses = here.simulated.pauses
    desk = WebDesk(
        engine=here.engine,
        registry=Registry(),
        clock=here.simulated.clock,
        pause=(pauses, pauses),
        log=None,  # type: ignore[arg-type]  # nothing is logged here
        problems=list,
    )

    def go_on(by: float) -> None:
        seconds[0] += by

    return Pulse(desk, seconds=lambda: seconds[0]), go_on


def test_the_mark_changes_when_something_did_and_only_then(room: Callable[..., Room]) -> None:
    """An alert, an answer, the kill switch; and now and then by itself, since ages and signals change unasked."""
    here = room()
    pulse, go_on = pulse_of(here)
    marks = [pulse.mark()]

    def then(happens: Callable[[], object], seconds: float = 1.0) -> None:
        happens()
        go_on(seconds)
        marks.append(pulse.mark())

    then(lambda: None)
    then(lambda: post(here.engine, webhook()))
    then(lambda: here.engine.cancel(here.journal.executions(limit=1)[0].id, undo=False, by="ann", now=now(here)))
    then(lambda: None)
    then(lambda: here.signed_in("ANN").do("/do/pause", **{"for": "30m"}), 5.0)
    then(lambda: here.pass_time(timedelta(seconds=30)))

    assert [False, True, True, False, True, True] == [one != next_ for one, next_ in pairwise(marks)]
    assert all(re.fullmatch("[0-9a-f]{16}", mark) for mark in marks)


def now(here: Room) -> datetime:
    """Return the present there."""
    return here.simulated.clock.now()


def test_the_journal_is_asked_once_a_second_however_many_listen(room: Callable[..., Room]) -> None:
    """And a journal that is away is said to be away, until it is back."""
    journal = ShyJournal()
    here = room(journal=journal)
    pulse, go_on = pulse_of(here)

    marks = {pulse.mark() for _ in range(50)}
    asked = journal.asked
    journal.away = True
    still = pulse.mark()
    go_on(1.0)
    away = pulse.mark()
    journal.away = False
    go_on(1.0)

    assert (1, 1) == (len(marks), asked)
    assert ({still}, "") == (marks, away)
    assert {pulse.mark()} == marks


def test_a_listener_hears_how_things_stand_and_that_the_journal_is_away(room: Callable[..., Room]) -> None:
    """In the words of server-sent events, and then no more once the process is about to end."""
    here = room(journal=ShyJournal())
    answer = here.signed_in("READER").get("/live")
    events = iter(answer.response)

    first, second = next(events), next(events)
    here.stopping.set()

    assert b"retry: 2000\n\n" == first
    assert re.fullmatch(rb"event: changed\ndata: [0-9a-f]{16}\n\n", second)
    assert [] == list(events)
    assert ("text/event-stream", "no-store") == (
        answer.headers["Content-Type"],
        answer.headers["Cache-Control"],
    )
    away = ShyJournal()
    away.away = True
    blind = room(journal=away).signed_in("READER").get("/live")
    heard = iter(blind.response)
    assert [b"retry: 2000\n\n", b"event: away\ndata: the journal cannot be read now\n\n"] == [next(heard), next(heard)]
    blind.close()


def test_no_more_listen_than_there_are_places_and_a_place_is_given_back(room: Callable[..., Room]) -> None:
    """The others are told when to come again; they still read every page."""
    here = room(listeners=2)
    browser = here.signed_in("READER")
    first, second = browser.get("/live"), browser.get("/live")

    full = browser.get("/live")
    page = browser.get("/")
    first.close()
    first.close()
    again, over = browser.get("/live"), browser.get("/live")

    assert (200, 503, "10", 200) == (
        second.status_code,
        full.status_code,
        full.headers["Retry-After"],
        page.status_code,
    )
    assert (200, 503) == (again.status_code, over.status_code)
    assert 200 == browser.client.head("/live").status_code
    second.close()
    again.close()


def test_a_listener_is_let_go_after_its_time(room: Callable[..., Room]) -> None:
    """It comes back by itself, so no thread is lost to a browser that sleeps."""
    here = room()
    pulse, _ = pulse_of(here)
    short = Listeners(1, here.stopping, life=0.0)

    leave = short.enter()
    with pytest.raises(Overloaded):
        short.enter()
    told = list(short.told(pulse))
    leave()

    assert ["retry: 2000\n\n"] == told
    short.enter()


# --- with the real pages -------------------------------------------------------------------------------------


def test_every_form_of_the_real_pages_leads_somewhere_and_is_of_this_session(
    bundles: Callable[[str], Bundle], tmp_path: Path
) -> None:
    """Each names a route that there is, carries the token of who looks at it, and leads back to where it stands."""
    here = make_room(bundles("guarded"), tmp_path, None)
    execution_id = here.ask_something()
    incident_id = here.journal.load(execution_id).incident_id
    browser, reader = here.signed_in("ANN"), here.signed_in("READER")
    paths = ("/", f"/executions/{execution_id}", f"/incidents/{incident_id}", "/pause", "/inbox", "/runbooks/shed")
    pages = {path: browser.get(path).text for path in paths}
    routes = here.app.url_map.bind("localhost")

    actions = {action for text in pages.values() for action in re.findall(r'action="([^"]+)"', text)}
    tokens = {token for text in pages.values() for token in re.findall(r'name="csrf" value="([^"]*)"', text)}
    backs = {path: set(re.findall(r'name="back" value="([^"]*)"', text)) for path, text in pages.items()}

    assert {f"/do/executions/{execution_id}/{verb}" for verb in ("approve", "deny")} < actions
    assert all(routes.test(action, method="POST") for action in actions)
    assert {browser.csrf()} == tokens != {reader.csrf()}
    assert all(found <= {local_path(path)} for path, found in backs.items())
    assert not [action for path in paths for action in re.findall(r'action="(/do/[^"]+)"', reader.get(path).text)]


def test_a_change_is_approved_on_the_real_page(bundles: Callable[[str], Bundle], tmp_path: Path) -> None:
    """With exactly what stands in its form; the next page says so."""
    here = make_room(bundles("guarded"), tmp_path, None)
    execution_id = here.ask_something()
    browser = here.signed_in("ANN")
    asked = re.search(r'name="plan_hash" value="([0-9a-f]+)"', browser.get(f"/executions/{execution_id}").text)
    assert asked is not None

    answer = browser.do(f"/do/executions/{execution_id}/approve", plan_hash=asked.group(1), back="/")

    assert 303 == answer.status_code
    assert "Approved: the engine goes on with exactly what was asked." in browser.get("/").text
    assert ["approved"] == [each.kind for each in here.journal.signals(execution_id, 0)]
    assert ["ann"] == [each.by for each in here.journal.signals(execution_id, 0)]
