"""The web page under attack: forms that others send, text that wants to be markup, frames, cookies and sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from runbook_engine.entrypoints.server.web import pages as pages_module
from runbook_engine.entrypoints.server.web.paper import make_paper, read_assets
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.observation import Pause
from tests.attack.siege import Siege
from tests.attack.test_credentials import state_of
from tests.contract.http_service import http_service
from tests.contract.test_web_doors import DEEDS, PAGES, claimed, cookie_of
from tests.contract.test_web_pages import every_page
from tests.contract.web_room import Browser, Room, make_room
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in
from tests.length import LONG
from tests.scenario.rig import MINUTE, Rig
from tests.web.browser import browsing, find_browser
from tests.web.reading import complaints, read
from tests.web.stages import ACTS, present, stage
from tests.web.test_pages_in_chromium import SHOTS, served

MARKUP = (
    "<script>window.pwned=1</script>",
    "</title></textarea></style><script>window.pwned=1</script>",
    '"><img src=x onerror="window.pwned=1">',
    "' autofocus onfocus='window.pwned=1' x='",
    "\"` onmouseover=`window.pwned=1`",
    "<svg/onload=window.pwned=1>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example'>",
    "</main><form action=//evil.example><button>Approve this change</button></form>",
    "<style>*{background:url(//evil.example)}</style><link rel=stylesheet href=//evil.example>",
    "<!--", "-->", "<![CDATA[", "&lt;script&gt;&#60;script&#62;&#x3c;script", "\\u003cscript\\u003e", "%3Cscript%3E",
    "{{ config }}{{ 7191*7193 }}{% for x in range(9) %}{# #}", "${7191*7193}#{7191*7193}<%= 7191*7193 %>",
    "javascript:window.pwned=1", "JaVaScRiPt&colon;window.pwned=1", "data:text/html,<script>window.pwned=1</script>",
    "//evil.example", "\x00<script>\x00", "\u202e\u2066\u200b<b>", "<ſcript>", "＜script＞",
)  # fmt: skip
REACHED = str(7191 * 7193)  # what a template would have made of it
TEXTS = MARKUP if LONG else tuple(" ".join(MARKUP[at : at + 6]) for at in range(0, len(MARKUP), 6))
FRAMED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """An installation with tokens, whose runs ask first."""
    return bundle_in(tmp_path_factory.mktemp("pages"), config=CONFIG + TOKENS, mode="approve")


@pytest.fixture(scope="module", autouse=True)
def compiled_once() -> Iterator[None]:
    """Compile the templates once for this file: that takes longer than all the rest of it."""
    paper = make_paper(read_assets())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages_module, "make_paper", lambda assets: paper)
        yield


@pytest.fixture
def room(bundle: Bundle, tmp_path: Path) -> Room:
    """A server with its page, and a run that waits for an answer."""
    return make_room(bundle, tmp_path, None)


def forgeries(ours: str, theirs: str) -> Iterator[tuple[str, Mapping[str, str | None], str, str]]:
    """Yield forms that nobody filled in here: name, headers, token and method."""
    for name, csrf in {
        "without a token": "",
        "with a token of nothing": "0" * 64,
        "with the token of another session": theirs,
        "with half a token": ours[:32],
        "with a token and more": ours + "0",
        "with a token in capitals": ours.upper(),
        "with what is no ASCII": "é" * 64,
    }.items():
        yield name, {}, csrf, "POST"
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://localhost:81",
        "",
        "file://",
    ):
        yield f"from {origin}", {"Origin": origin, "Sec-Fetch-Site": None}, ours, "POST"
    for site in ("cross-site", "same-site", "none", ""):
        yield f"from a {site} page", {"Origin": None, "Sec-Fetch-Site": site}, ours, "POST"
    yield "from nowhere", {"Origin": None, "Sec-Fetch-Site": None}, ours, "POST"
    yield "from a page that lies about its site", {"Origin": "https://evil.example"}, ours, "POST"
    yield "as text", {"Content-Type": "text/plain"}, ours, "POST"
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        yield f"by {method}", {"X-HTTP-Method-Override": "POST"}, ours, method


def sent(browser: Browser, path: str, headers: Mapping[str, str | None], method: str, fields: dict[str, str]) -> int:
    """Send a form and return the status."""
    said = {"Origin": browser.base, "Sec-Fetch-Site": "same-origin", "Accept": "text/html", **headers}
    given = {name: value for name, value in said.items() if value is not None}
    return browser.client.open(path, method=method, base_url=browser.base, data=fields, headers=given).status_code


def test_no_form_counts_that_this_session_did_not_send_from_here(room: Room) -> None:
    """For every deed of the page, in the browser of somebody who is signed in and may do it."""
    siege = Siege("CSRF: forged, borrowed and foreign forms", "web page: every form")
    execution_id = room.ask_something()
    incident_id = room.journal.load(execution_id).incident_id
    ann, reader = room.signed_in("ANN"), room.signed_in("READER")
    ours, theirs, before = ann.csrf(), reader.csrf(), state_of(room)

    for path, fields in DEEDS.items():
        where = path.replace("executions/x", f"executions/{execution_id}").replace(
            "incidents/x", f"incidents/{incident_id}"
        )
        for name, headers, csrf, method in forgeries(ours, theirs):
            status = sent(ann, where, headers, method, {**fields, "csrf": csrf})
            siege.tried(f"{where} {name}: {status}", refused=status in (401, 403, 405, 415))

    siege.tried("something was changed", refused=before == state_of(room))
    assert 303 == ann.do("/do/pause", **{"for": "30m"}).status_code
    siege.ends("403 for whatever is not of this session and this page; 405 and 415 for other methods and types")


def test_nobody_can_frame_read_or_keep_a_page(room: Room) -> None:
    """Every page and every refusal says so, and the browser is told about the cookie, too."""
    siege = Siege("clickjacking, cross-site reads, caches, cookie flags", "web page: every route")
    ann, stranger = room.signed_in("ANN"), room.browser()

    for path in (*PAGES[:-1], "/sign-in", "/nothing"):
        for browser in (ann, stranger):
            headers = browser.get(path).headers
            policy = headers.get("Content-Security-Policy", "")
            sound = "frame-ancestors 'none'" in policy and "unsafe" not in policy and "default-src 'none'" in policy
            siege.tried(f"{path} may be framed or scripted: {policy}", refused=sound)
            siege.tried(f"{path} is kept", refused=headers["Cache-Control"] == "no-store")
            siege.tried(f"{path} is sniffed", refused=headers["X-Content-Type-Options"] == "nosniff")
            siege.tried(f"{path} tells who links", refused=headers["Referrer-Policy"] in ("no-referrer", "same-origin"))
            siege.tried(f"{path} lets others in", refused="Access-Control-Allow-Origin" not in headers)
    for path in PAGES:
        for kind in ("iframe", "embed", "object", "image", "script", "empty"):
            mode = {"Sec-Fetch-Mode": "no-cors" if kind in ("image", "script", "empty") else "navigate"}
            answer = ann.client.get(path, headers=FRAMED | mode | {"Sec-Fetch-Dest": kind})
            siege.tried(f"{path} as {kind}: {answer.status_code}", refused=answer.status_code == 403)
    for base in ("http://localhost", "https://runbooks.example"):
        cookie = room.browser(base=base).post("/sign-in", token=SECRETS["ANN"]).headers["Set-Cookie"]
        flags = {"HttpOnly", "SameSite=Strict", "Path=/"} | ({"Secure"} if base.startswith("https") else set())
        siege.tried(f"the cookie: {cookie}", refused=flags <= set(cookie.split("; ")) and "Domain" not in cookie)

    siege.ends("403 for a page of others; frame-ancestors 'none', no-store; HttpOnly, SameSite=Strict, Secure, __Host-")


def test_no_session_can_be_fixed_forged_or_carried_on(room: Room) -> None:
    """A cookie from before the sign-in is not the one after it, and none is believed that we did not make now."""
    siege = Siege("session fixation, forgery and reuse", "web page: cookie")
    ann = room.signed_in("ANN")
    true = cookie_of(ann)
    planted = room.browser()
    planted.client.set_cookie("runbook-localhost", true[:-1] + "x")
    planted.sign_in(SECRETS["READER"])
    siege.tried("a planted cookie is kept at the sign-in", refused=cookie_of(planted) not in (true, true[:-1] + "x"))
    body, _, mark = true.partition(".")
    cookies = {
        "empty": "", "its content alone": body, "an empty mark": f"{body}.", "another mark": f"{body}.{'0' * 64}",
        "a mark in capitals": f"{body}.{mark.upper()}", "half a mark": f"{body}.{mark[:32]}",
        "a mark twice": f"{true}.{mark}", "more content": f"{body}AA.{mark}", "other content": f"A{body[1:]}.{mark}",
        "another's content": claimed("ann", room),
        "of another key": claimed("ann", room, key=b"k" * 32),
        "of another purpose": claimed("ann", room, purpose="x"),
        "a token of the API": SECRETS["ANN"], "the notice": f"{true}x", "none": "none.none", "a long one": "x" * 4000,
    }  # fmt: skip
    for name, value in cookies.items():
        for path in PAGES[:-1]:
            browser = room.browser()
            browser.client.set_cookie("runbook-localhost", value)
            status = browser.get(path).status_code
            siege.tried(f"{path} with {name}: {status}", refused=status in (303, 401, 403))
    room.pass_time(MINUTE * 60 * 12)
    siege.tried("a session that is over", refused=ann.get("/").status_code == 303)

    siege.ends("the form to sign in; signing in always makes a new cookie")


def besieged(text: str, start: Rig | None = None) -> Rig:
    """Return a rig in which everybody who can say something said this."""
    rig = start or stage()
    rig.healed_by_flag()
    labels = {"service": text, "evil": text, "pod": text}
    alert = rig._alert("firing", "CheckoutHighErrorRate", labels)
    alert["annotations"] = {"summary": text, "description": text, "dashboard": text, "runbook_url": text}
    alert["generatorURL"] = text
    rig.post(alert)
    rig.post(rig._alert("firing", f"Other{text}", labels))
    rig.run(MINUTE, MINUTE / 4)
    rig.simulated.pauses.throw(Pause(until=rig.now + MINUTE, by=text, reason=text))
    rig.engine.acknowledge(rig.execution().incident_id, by=text, now=rig.now)
    return rig


def bones(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a page is made of: every element and the names of its attributes."""
    return [(each.tag, tuple(sorted(each.attributes))) for each in read(page).elements]


def test_text_of_alerts_and_people_never_becomes_markup() -> None:
    """Each page has the very elements and attributes that it has when all of them say something harmless."""
    siege = Siege("XSS and templates in labels, annotations, links, names, reasons", "web page: every page")
    harmless = every_page(besieged("some words"), msgspec.structs.replace(ACTS, name="some words"))
    plain = [bones(page) for page in harmless.values()]

    for text in TEXTS:
        pages = every_page(besieged(text), msgspec.structs.replace(ACTS, name=text))
        for (name, page), bare in zip(pages.items(), plain, strict=True):
            sound = bones(page) == bare and not complaints(page) and REACHED not in page
            siege.tried(f"{text!r} on {name}", refused=sound)

    siege.ends("its own text, escaped; not one element or attribute more")


@pytest.mark.xdist_group("attack-chromium")
def test_no_script_of_an_alert_runs_in_a_real_browser(tmp_path: Path) -> None:
    """Nor is anything fetched from where it says."""
    siege = Siege("XSS in labels, annotations, links", "web page in Chromium")
    with http_service() as canary, browsing(find_browser(), tmp_path / "profile", SHOTS) as open_tab:
        text = f"{''.join(MARKUP[:10])}<img src={canary.url}/a><script src={canary.url}/b></script>".replace(
            "//evil.example", canary.url
        )
        rig = besieged(text, stage(start=present(2 * MINUTE)))
        execution = rig.execution()
        with served(rig, tmp_path) as address:
            tab = open_tab(address)
            for path in ("/", f"/incidents/{execution.incident_id}", f"/executions/{execution.id}", "/incidents"):
                tab.open(path)
                siege.tried(f"a script ran on {path}", refused=tab.run("window.pwned === undefined"))
                siege.tried(f"the text became an image of {path}", refused=tab.run("document.images.length === 0"))
            complaints = tab.complaints()

        siege.tried(f"the browser had to forbid something: {complaints}", refused=not complaints)
        siege.tried(f"something was fetched: {canary.asked}", refused=not canary.asked)
    siege.ends("text; the policy had nothing to forbid, and nothing was fetched")
