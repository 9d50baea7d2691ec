"""Answering over a signed link on the local server: what is shown, what acts, and what is refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.links import Invitation, approval_links
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.serve import check
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.directive import Approve
from runbook_engine.model.execution import Execution
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, install, post, simulated_engine, webhook

KEY = "k" * 32
LINKS = approval_links("https://runbooks.example/approvals", KEY)
MEMBERS = CONFIG.replace("team-lab: {receiver: chat}", "team-lab: {receiver: chat, members: [ann]}")
FORM = {"content_type": "application/x-www-form-urlencoded"}
LAPSED = "this question has lapsed, or is asked otherwise by now"


@dataclass
class Desk:
    """A server, a question that stands, and the link that somebody was sent."""

    client: FlaskClient
    engine: Engine
    simulated: SimulatedWorld
    log: io.StringIO
    execution: Execution

    @property
    def invitation(self) -> Invitation:
        """What the link says."""
        asked = self.execution.approval
        assert asked is not None
        return Invitation(self.execution.id, asked.hash, asked.until.replace(microsecond=0), "chat")

    def link(self, invitation: Invitation | None = None) -> str:
        """Return the path and the query of a link."""
        parts = urlsplit(LINKS.url(invitation or self.invitation))
        return f"{parts.path}?{parts.query}"

    def look(self) -> TestResponse:
        """Open the link."""
        return self.client.get(self.link())

    def answer(self, **fields: str) -> TestResponse:
        """Press a button of the page."""
        return self.client.post(self.link(), data=urlencode(fields), **FORM)

    def work(self) -> Execution:
        """Drive as far as nobody is needed."""
        run_until_idle(
            self.engine,
            [self.execution.id],
            clock=self.simulated.clock,
            owner="w1",
            sleep=lambda seconds: None,
            until=lambda directives: any(isinstance(one, Approve) for one in directives.values()),
        )
        return self.engine.journal.load(self.execution.id)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Bundle]:
    """An installation without tokens, one with, and one whose team names its members."""
    return {
        name: bundle_in(tmp_path_factory.mktemp(name), config=config, mode="approve")
        for name, config in {"open": CONFIG, "guarded": CONFIG + TOKENS, "members": MEMBERS + TOKENS}.items()
    }


@pytest.fixture
def desk(bundles: Mapping[str, Bundle], tmp_path: Path) -> Callable[..., Desk]:
    """Make a server where one question is asked."""

    def make(name: str = "guarded", part: str = "all") -> Desk:
        bundle, simulated, log = bundles[name], SimulatedWorld(), io.StringIO()
        simulated.set_parameter(f"/lab/{part}", "false")
        engine = simulated_engine(bundle, simulated)
        app = create_app(
            engine,
            keyring=load_keyring(bundle.configuration, Settings(environment=SECRETS).secret),
            pause=(simulated.pauses, simulated.pauses),
            clock=simulated.clock,
            metrics=Metrics(),
            log=EventLog(log),
            beat_file=tmp_path / "beat.json",
            links=lambda: LINKS,
        )
        (execution_id,) = post(engine, webhook(part))
        made = Desk(app.test_client(), engine, simulated, log, engine.journal.load(execution_id))
        made.execution = made.work()
        return made

    return make


def test_looking_shows_the_question_and_changes_nothing(desk: Callable[..., Desk]) -> None:
    """A program that follows links for a preview approves nothing; the page needs no script."""
    here = desk()

    pages = [here.look() for _ in range(3)]

    assert {200} == {page.status_code for page in pages}
    assert "/lab/all" in pages[0].text
    assert '<button name="answer" value="approve">' in pages[0].text
    assert "<script" not in pages[0].text
    assert "awaiting_approval" == here.work().status


def test_page_is_kept_out_of_caches_frames_and_referrers(desk: Callable[..., Desk]) -> None:
    """The address is a credential while the question stands."""
    headers = desk().look().headers

    assert "text/html; charset=utf-8" == headers["Content-Type"]
    assert "no-store" == headers["Cache-Control"]
    assert "no-referrer" == headers["Referrer-Policy"]
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert [
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ] == headers.getlist("Content-Security-Policy")


@pytest.mark.parametrize("name", ["guarded", "open"])
def test_a_yes_makes_exactly_the_change(desk: Callable[..., Desk], name: str) -> None:
    """From a browser, which says where its page came from; on record is the link that somebody was sent."""
    here = desk(name)

    page = here.client.post(
        here.link(),
        data=urlencode({"answer": "approve", "reason": "looks right"}),
        headers={"Origin": "https://runbooks.example", "Host": "runbooks.example"},
        **FORM,
    )
    here.work()

    assert (200, True) == (page.status_code, "Approved. The engine goes on with exactly this change." in page.text)
    assert "true" == here.simulated.value_of("/lab/all")
    assert "the link sent to chat" in {record.actor for record in here.engine.journal.audit(here.execution.id)}


def test_a_no_ends_the_run_without_a_change(desk: Callable[..., Desk]) -> None:
    """Denied is an end of its own, and bound to what the link showed."""
    here = desk()

    page = here.answer(answer="deny", reason="not now")
    ended = here.work()

    assert (200, True) == (page.status_code, "Denied. The change is not made." in page.text)
    assert ("cancelled", "denied by the link sent to chat (not now)") == (ended.status, ended.reason)
    (signal,) = [each for each in here.engine.journal.signals(ended.id, 0) if each.kind == "denied"]
    assert here.invitation.hash == signal.plan_hash
    assert "false" == here.simulated.value_of("/lab/all")


@pytest.mark.parametrize("second", ["approve", "deny"])
def test_an_answer_is_good_once(desk: Callable[..., Desk], second: str) -> None:
    """Before the worker has moved, and after."""
    here = desk()
    here.answer(answer="approve")

    at_once = here.answer(answer=second)
    here.work()
    later = here.answer(answer=second)

    assert 409 == at_once.status_code
    assert "the link sent to chat has said yes already" in at_once.text
    assert (409, True) == (later.status_code, "the link sent to chat has said yes already" in later.text)
    assert "true" == here.simulated.value_of("/lab/all")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda link: link.replace("sig=", "sig=0"), id="a forged signature"),
        pytest.param(lambda link: re.sub(r"until=\d", "until=9", link), id="a later end"),
        pytest.param(lambda link: link.replace("for=chat", "for=ann"), id="another name"),
        pytest.param(lambda link: re.sub(r"/approvals/\w+", "/approvals/other", link), id="another execution"),
        pytest.param(lambda link: f"{link}&hash=0123", id="a field twice"),
        pytest.param(lambda link: link.partition("?")[0], id="no signature at all"),
    ],
)
def test_a_link_that_nobody_was_sent_is_refused(desk: Callable[..., Desk], wrong: Callable[[str], str]) -> None:
    """In the same words whatever is wrong with it, looking or acting."""
    here = desk()
    link = wrong(here.link())

    looked, acted = here.client.get(link), here.client.post(link, data="answer=approve", **FORM)

    assert {(401, True)} == {(page.status_code, "this link is not valid" in page.text) for page in (looked, acted)}
    assert "awaiting_approval" == here.work().status


def test_a_link_whose_time_is_over_is_refused(desk: Callable[..., Desk]) -> None:
    """Also when its question still stands: who was sent the old link was asked before."""
    here = desk()
    now = here.simulated.clock.now()
    old = Invitation(here.execution.id, here.invitation.hash, now.replace(microsecond=0), "chat")

    page = here.client.post(here.link(old), data="answer=approve", **FORM)

    assert (409, True) == (page.status_code, LAPSED in page.text)
    assert "awaiting_approval" == here.work().status


def test_a_link_to_what_is_not_asked_any_more_is_refused(desk: Callable[..., Desk]) -> None:
    """The change is another one by now."""
    here = desk()
    stale = Invitation(here.execution.id, "0" * 64, datetime(2100, 1, 1, tzinfo=UTC), "chat")

    pages = [here.client.get(here.link(stale)), here.client.post(here.link(stale), data="answer=deny", **FORM)]

    assert {(409, True)} == {(page.status_code, LAPSED in page.text) for page in pages}
    assert "awaiting_approval" == here.work().status


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(desk: Callable[..., Desk], method: str) -> None:
    """What a scanner of links sends does nothing."""
    here = desk()

    page = here.client.open(here.link(), method=method)

    assert 405 == page.status_code
    assert {"GET", "POST"} <= set(page.headers["Allow"].split(", "))
    assert "awaiting_approval" == here.work().status


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        pytest.param("answer=perhaps", 400, "the answer is approve or deny", id="no answer of ours"),
        pytest.param("", 400, "the answer is approve or deny", id="nothing"),
        pytest.param("answer=approve&answer=deny", 400, "the answer is approve or deny", id="both"),
        pytest.param("a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9", 400, "the form cannot be read", id="too many fields"),
        pytest.param("answer=approve&reason=" + "x" * 5000, 413, "the form is larger than 4096 bytes", id="too long"),
        pytest.param(
            "answer=approve&reason=" + "x" * 501, 400, "the reason is longer than 500 characters", id="a long reason"
        ),
        pytest.param("answer=approve&reason=\xff", 400, "the form cannot be read", id="no form"),
    ],
)
def test_a_form_that_is_none_is_refused(desk: Callable[..., Desk], form: str, status: int, says: str) -> None:
    """As a page, and nothing happens."""
    here = desk()

    page = here.client.post(here.link(), data=form.encode("latin-1"), **FORM)

    assert (status, "text/html; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
    assert says in page.text
    assert "awaiting_approval" == here.work().status


def test_a_long_form_is_refused_when_it_does_not_say_how_long_it_is(desk: Callable[..., Desk]) -> None:
    """A chunked one is read to the limit and no further."""
    here = desk()
    form = b"answer=approve&reason=" + b"x" * 100_000

    page = here.client.post(
        here.link(),
        input_stream=io.BytesIO(form),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
        **FORM,
    )

    assert 413 == page.status_code
    assert "awaiting_approval" == here.work().status


def test_a_team_that_names_its_members_wants_to_know_who_answers(desk: Callable[..., Desk]) -> None:
    """There the link alone is not enough; a member's token is, and it is the member who is on record."""
    here = desk("members")

    assert 'name="token"' in here.look().text
    alone = here.answer(answer="approve")
    assert 403 == alone.status_code
    assert "the link sent to chat is not in team-lab, which must answer: ann" in alone.text
    assert 401 == here.answer(answer="approve", token="b" * 40).status_code
    assert 403 == here.answer(answer="approve", token=SECRETS["READER"]).status_code
    assert "awaiting_approval" == here.work().status

    assert "Answered by ann." in here.answer(answer="approve", token=SECRETS["ANN"]).text
    here.work()
    assert "true" == here.simulated.value_of("/lab/all")


def test_hostile_text_is_shown_and_not_obeyed(desk: Callable[..., Desk]) -> None:
    """A reason is data too."""
    here = desk()

    page = here.answer(answer="perhaps", reason="<script>alert(1)</script>")

    assert "<script" not in page.text


def test_neither_signature_nor_token_is_logged(desk: Callable[..., Desk]) -> None:
    """What was answered, by whom, and what was refused."""
    here = desk("members")
    here.answer(answer="approve", token="b" * 40)
    here.answer(answer="approve", token=SECRETS["ANN"])

    logged = here.log.getvalue()

    assert "approval.refused" in logged
    assert '"by": "ann"' in logged or '"by":"ann"' in logged
    assert not any(secret in logged for secret in ("sig=", SECRETS["ANN"], "b" * 40, KEY))


def test_there_is_no_page_where_no_links_are_set_up(bundles: Mapping[str, Bundle], tmp_path: Path) -> None:
    """A server without a key answers nobody."""
    simulated = SimulatedWorld()
    app = create_app(
        simulated_engine(bundles["guarded"], simulated),
        keyring=load_keyring(bundles["guarded"].configuration, Settings(environment=SECRETS).secret),
        pause=(simulated.pauses, simulated.pauses),
        clock=simulated.clock,
        metrics=Metrics(),
        log=EventLog(io.StringIO()),
        beat_file=tmp_path / "beat.json",
    )

    assert 404 == app.test_client().get("/approvals/e1").status_code


def test_a_no_over_http_may_be_bound_too(desk: Callable[..., Desk]) -> None:
    """A script that shows a plan denies that plan."""
    here = desk()
    path, ann = f"/api/executions/{here.execution.id}/deny", {"Authorization": f"Bearer {SECRETS['ANN']}"}

    stale = here.client.post(path, json={"plan_hash": "01234567"}, headers=ann)
    right = here.client.post(path, json={"plan_hash": here.invitation.hash[:8]}, headers=ann)

    assert (409, 202) == (stale.status_code, right.status_code)
    assert "stale_plan" == stale.json["error"]["code"]
    here.simulated.push(timedelta(seconds=1))
    assert "cancelled" == here.work().status


def test_pages_that_others_reach_are_not_served_without_tokens(tmp_path: Path) -> None:
    """What leads people to the pages may lead everybody to the API, under whatever name it asks for."""
    approvals = "approvals: {url: https://runbooks.example/approvals, key: {env: LINK_KEY}}\n"
    known = {"LINK_KEY": KEY, **SECRETS}

    check(replace(install(tmp_path, config=CONFIG + TOKENS + approvals), environment=known), "127.0.0.1")
    with pytest.raises(InvalidSettings) as refusal:
        check(replace(install(tmp_path, config=CONFIG + approvals), environment=known), "127.0.0.1")

    assert (
        "refusing to serve https://runbooks.example/approvals without tokens: whoever reaches the pages through a "
        "proxy may reach the rest of the server too, and without tokens everybody may act (name tokens in engine.yaml)"
    ) == str(refusal.value)


def test_whoever_drives_on_this_machine_makes_the_links(tmp_path: Path) -> None:
    """The worker and `runbook run` alike: what they build is the same."""
    told = CONFIG.replace("chat: {adapter: console}", "chat: {adapter: console, path: ../told.log}")
    approvals = "approvals: {url: https://runbooks.example/approvals, key: {env: LINK_KEY}}\n"
    settings = replace(install(tmp_path, config=told + approvals, mode="approve"), environment={"LINK_KEY": KEY})
    engine = build_engine(settings)

    run_until_idle(
        engine,
        post(engine, webhook()),
        clock=engine.world.clock,
        owner="run:here",
        until=lambda directives: any(isinstance(one, Approve) for one in directives.values()),
    )

    found = re.search(r"approve: (\S+)", (tmp_path / "told.log").read_text())
    assert found is not None
    parts = urlsplit(found[1])
    invitation = LINKS.read(parts.path.rpartition("/")[2], parse_qs(parts.query))
    assert "chat" == invitation.receiver
    assert invitation.hash == engine.journal.load(invitation.execution_id).approval.hash
