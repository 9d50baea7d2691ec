"""The slack adapter: one message a run, kept up to date, that nobody can write markup or mentions into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as some

from runbook_adapters.slack import ADAPTER, SlackSettings
from runbook_adapters.slack.blocks import blocks_of, reply_blocks_of, summary_of
from runbook_adapters.slack.text import escaped
from runbook_engine.errors import NoAdapter, Permanent, Retryable, Unreadable
from runbook_engine.model.configuration import SecretReference
from runbook_engine.model.observation import Message
from tests.contract.http_service import Asked, HttpService, Told, http_service
from tests.contract.test_receivers import context

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
TOKEN = SecretReference(env="TOKEN")
MESSAGE = Message(
    id="e1-1",
    event="started",
    title="checkout-high-error-rate: CheckoutHighErrorRate on apps/deployment/checkout",
    text="started on apps/deployment/checkout",
    at=NOW,
    severity="critical",
    runbook="checkout-high-error-rate",
    execution_id="a93c5bda37348783",
    incident_id="9cc95088e703",
    links={"dashboard": "https://grafana.example/d/checkout"},
    status="running",
    owner="team-checkout",
    target="apps/deployment/checkout",
)
QUESTION = msgspec.structs.replace(
    MESSAGE,
    id="e1-2",
    event="approval",
    status="awaiting_approval",
    text="approval by team-checkout needed until 03:22:00 UTC for plan 0123abcd: replicas 4 -> 6",
    asks="0123abcd",
    until=NOW + timedelta(minutes=15),
    links={**MESSAGE.links, "approve": "https://runbooks.example/approvals/e1?sig=0"},
    did=('03:07 /checkout/degraded_mode value "false" -> "true"',),
    reference="C1:1.5",
)


def answer(asked: Asked) -> Told:
    """Answer as Slack does when all is well."""
    method = asked.path.rpartition("/")[2]
    ts = {"chat.update": json.loads(asked.body or b"{}").get("ts", "")}.get(method, "1.5")
    body = {"ok": True, "channel": "C1", "ts": ts, "user": "runbook", "team": "Shop"}
    return Told(200, json.dumps(body).encode(), (("Content-Type", "application/json"),))


def refusing(method: str, told: Told) -> Any:
    """Return an answer that is `told` for one method."""
    return lambda asked: told if asked.path.endswith(method) else answer(asked)


def no(code: str) -> Told:
    """Return Slack's way to say no: a success, as far as HTTP goes."""
    return Told(200, json.dumps({"ok": False, "error": code}).encode())


@pytest.fixture
def slack() -> Iterator[HttpService]:
    """Slack, as far as it is called."""
    with http_service(answer) as running:
        yield running


def bot(slack: HttpService) -> Any:
    """Return the receiver of a bot."""
    settings = SlackSettings(token=TOKEN, channel="#oncall", url=f"{slack.url}/api/")
    return ADAPTER.build("receiver", settings, context(secrets={"TOKEN": "xoxb-1"})).writer


def calls(slack: HttpService) -> list[tuple[str, dict[str, Any]]]:
    """Return what was called, with its arguments."""
    return [(asked.path.rpartition("/")[2], json.loads(asked.body)) for asked in slack.asked]


def texts(blocks: Any) -> str:
    """Return everything that blocks show."""
    return json.dumps(blocks, ensure_ascii=False)


def test_first_message_is_posted_and_its_reference_returned(slack: HttpService) -> None:
    """With the token of the bot, in the channel of engine.yaml; the channel's id comes back."""
    reference = bot(slack).send("chat", MESSAGE)

    ((method, arguments),) = calls(slack)
    assert ("C1:1.5", "chat.postMessage", "#oncall") == (reference, method, arguments["channel"])
    assert "/api/chat.postMessage" == slack.asked[0].path
    assert "Bearer xoxb-1" == slack.asked[0].headers["Authorization"]
    assert ("none", False) == (arguments["parse"], arguments["link_names"])
    assert "[critical] running: checkout-high-error-rate" in arguments["text"]


def test_message_shows_what_why_did_asks_and_where_to_look() -> None:
    """The card of a question, whole."""
    blocks = blocks_of(QUESTION)

    assert ["header", "section", "section", "actions", "context"] == [block["type"] for block in blocks]
    assert blocks[0]["text"]["text"].startswith("[critical] needs approval: checkout-high-error-rate: Checkout")
    assert '*Did*\n03:07 /checkout/degraded_mode value "false" -&gt; "true"' == blocks[1]["text"]["text"]
    assert blocks[2]["text"]["text"].startswith("*Asks*\napproval by team-checkout needed until 03:22:00 UTC")
    assert [
        ("Approve or deny", "https://runbooks.example/approvals/e1?sig=0", "primary"),
        ("dashboard", "https://grafana.example/d/checkout", None),
    ] == [(each["text"]["text"], each["url"], each.get("style")) for each in blocks[3]["elements"]]
    assert (
        "answer until 03:22:00 UTC · target apps/deployment/checkout · owner team-checkout · runbook "
        "checkout-high-error-rate · incident 9cc95088 · execution a93c5bda · at 2026-03-01 03:07:00 UTC"
        == blocks[4]["elements"][0]["text"]
    )


def test_button_only_opens_a_link() -> None:
    """Nothing in Slack acts: no button carries an action or a value of its own."""
    (actions,) = [block for block in blocks_of(QUESTION) if block["type"] == "actions"]

    assert all({"type", "text", "url", "style"} >= set(button) for button in actions["elements"])


@pytest.mark.parametrize(
    ("event", "status", "replies"),
    [
        pytest.param("changed", "waiting", None, id="a change is read when somebody looks"),
        pytest.param("approval", "awaiting_approval", True, id="a question is shown in the channel"),
        pytest.param("notFixed", "unresolved", True, id="so is what is not fixed"),
        pytest.param("ended", "failed", True, id="so is a bad end"),
        pytest.param("ended", "succeeded", False, id="a good end is said in the thread"),
    ],
)
def test_later_message_updates_the_first(slack: HttpService, event: str, status: str, replies: bool | None) -> None:
    """In place; what somebody must notice is said in the thread as well, since an update notifies nobody."""
    later = msgspec.structs.replace(QUESTION, event=event, status=status)

    reference = bot(slack).send("chat", later)

    updated, *said = calls(slack)
    assert ("C1:1.5", "chat.update", "C1", "1.5") == (reference, updated[0], updated[1]["channel"], updated[1]["ts"])
    expected = [] if replies is None else [("chat.postMessage", "1.5", replies)]
    found = [(method, arguments["thread_ts"], arguments["reply_broadcast"]) for method, arguments in said]
    assert expected == found


def test_reply_of_a_question_has_its_button(slack: HttpService) -> None:
    """Whoever is notified need not look for it."""
    bot(slack).send("chat", QUESTION)

    blocks = calls(slack)[1][1]["blocks"]
    assert "https://runbooks.example/approvals/e1?sig=0" in texts(blocks)
    assert blocks == json.loads(json.dumps(reply_blocks_of(QUESTION)))


def test_message_that_comes_late_overwrites_nothing(slack: HttpService) -> None:
    """A later one was told already: what is old news goes into the thread."""
    reference = bot(slack).send("chat", msgspec.structs.replace(QUESTION, event="changed", overtaken=True))

    ((method, arguments),) = calls(slack)
    assert ("C1:1.5", "chat.postMessage", "1.5", False) == (
        reference, method, arguments["thread_ts"], arguments["reply_broadcast"],
    )  # fmt: skip


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_message_is_posted_anew_when_the_first_is_gone(slack: HttpService, code: str) -> None:
    """Somebody deleted it: the run is told of all the same."""
    slack.answer = refusing("chat.update", no(code))

    reference = bot(slack).send("chat", msgspec.structs.replace(QUESTION, reference="C1:0.9"))

    assert "C1:1.5" == reference
    assert ["chat.update", "chat.postMessage"] == [method for method, _ in calls(slack)]
    assert "#oncall" == calls(slack)[1][1]["channel"]


@pytest.mark.parametrize(
    ("code", "event"),
    [
        pytest.param("channel_not_found", "changed", id="engine.yaml names another workspace by now"),
        pytest.param("is_archived", "notFixed", id="the channel of the first message is archived"),
        pytest.param("not_in_channel", "approval", id="the bot was put out of it"),
        pytest.param("cannot_reply_to_message", "approval", id="an error of a thread"),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "overtaken"])
def test_message_is_posted_where_engine_yaml_says_when_the_first_is_out_of_reach(
    slack: HttpService, code: str, event: str, late: bool
) -> None:
    """What stands in the way of an update must not swallow a page."""

    def out_of_reach(asked: Asked) -> Told:
        arguments = json.loads(asked.body)
        return no(code) if "C0" in (arguments.get("channel"), arguments.get("thread_ts")) else answer(asked)

    slack.answer = out_of_reach
    message = msgspec.structs.replace(QUESTION, event=event, reference="C0:0.9", overtaken=late)

    assert "C1:1.5" == bot(slack).send("chat", message)

    assert ("chat.postMessage", "#oncall") == (calls(slack)[-1][0], calls(slack)[-1][1]["channel"])
    assert "thread_ts" not in calls(slack)[-1][1]


def test_reply_that_its_thread_does_not_take_is_posted_by_itself(slack: HttpService) -> None:
    """The update was made, but it notifies nobody: a question must be seen."""

    def locked(asked: Asked) -> Told:
        return no("restricted_action_thread_locked") if "thread_ts" in json.loads(asked.body) else answer(asked)

    slack.answer = locked

    assert "C1:1.5" == bot(slack).send("chat", QUESTION)

    assert ["chat.update", "chat.postMessage", "chat.postMessage"] == [method for method, _ in calls(slack)]
    assert ("#oncall", False) == (calls(slack)[2][1]["channel"], "thread_ts" in calls(slack)[2][1])


def test_update_is_made_later_when_slack_only_wants_a_rest(slack: HttpService) -> None:
    """Nothing is posted a second time for that."""
    slack.answer = refusing("chat.update", no("ratelimited"))

    with pytest.raises(Retryable):
        bot(slack).send("chat", QUESTION)

    assert ["chat.update"] == [method for method, _ in calls(slack)]


@pytest.mark.parametrize("reference", ["", "C1:1.5"], ids=["the first message", "an update"])
def test_text_alone_is_posted_when_slack_does_not_take_the_blocks(slack: HttpService, reference: str) -> None:
    """A page without its buttons is a page."""

    def plain(asked: Asked) -> Told:
        return no("invalid_blocks") if "blocks" in json.loads(asked.body) else answer(asked)

    slack.answer = plain

    assert "C1:1.5" == bot(slack).send("chat", msgspec.structs.replace(QUESTION, reference=reference))

    method, arguments = calls(slack)[-1]
    assert ("chat.postMessage", "#oncall", False) == (method, arguments["channel"], "thread_ts" in arguments)
    assert "[critical] needs approval: checkout-high-error-rate" in arguments["text"]


@pytest.mark.parametrize("late", [False, True], ids=["in time", "overtaken"])
def test_storm_is_a_message_of_its_own(slack: HttpService, late: bool) -> None:
    """It is about the whole installation: the news of one run neither hide it nor take its place."""
    storm = msgspec.structs.replace(MESSAGE, event="storm", text="STORM: no run changes anything", overtaken=late)

    references = [
        bot(slack).send("chat", storm),
        bot(slack).send("chat", msgspec.structs.replace(storm, reference="C1:0.9")),
    ]

    assert ["", "C1:0.9"] == references
    assert [("chat.postMessage", "#oncall", False)] * 2 == [
        (method, arguments["channel"], "thread_ts" in arguments) for method, arguments in calls(slack)
    ]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(
            no("channel_not_found"),
            "receiver chat was not told: Slack says channel_not_found "
            "(set channel to its id, as in C024BE91L, and invite the bot)",
            id="no such channel",
        ),
        pytest.param(
            no("not_in_channel"),
            "receiver chat was not told: Slack says not_in_channel (invite the bot with /invite in that channel)",
            id="not invited",
        ),
        pytest.param(
            no("invalid_auth"),
            "receiver chat was not told: Slack says invalid_auth "
            "(set token to the bot token of an app that is installed, as in xoxb-...)",
            id="a wrong token",
        ),
        pytest.param(
            no("missing_scope"),
            "receiver chat was not told: Slack says missing_scope "
            "(give the app the scope chat:write and install it again)",
            id="too few rights",
        ),
        pytest.param(
            no("is_archived"),
            "receiver chat was not told: Slack says is_archived (unarchive the channel, or name another)",
            id="archived",
        ),
        pytest.param(
            no("something\x1b[2J_new"),
            "receiver chat was not told: Slack says something[2J_new "
            "(see the error of that name in Slack's documentation of the method)",
            id="an error that nobody knows",
        ),
        pytest.param(
            Told(302, b"", (("Location", "http://169.254.169.254/"),)),
            "receiver chat was not told: Slack says HTTP 302 "
            "(see the error of that name in Slack's documentation of the method)",
            id="a redirect",
        ),
    ],
)
def test_delivery_is_given_up_when(slack: HttpService, told: Told, says: str) -> None:
    """Doing it again would fail again."""
    slack.tell(told)

    with pytest.raises(Permanent) as refusal:
        bot(slack).send("chat", MESSAGE)

    assert says == str(refusal.value)


@pytest.mark.parametrize(
    ("told", "after", "says"),
    [
        pytest.param(
            Told(429, b"", (("Retry-After", "30"),)),
            timedelta(seconds=30),
            "receiver chat was not told: Slack answered HTTP 429",
            id="too many",
        ),
        pytest.param(no("ratelimited"), None, "receiver chat was not told: Slack says ratelimited", id="too many too"),
        pytest.param(
            no("internal_error"), None, "receiver chat was not told: Slack says internal_error", id="its own trouble"
        ),
        pytest.param(Told(503), None, "receiver chat was not told: Slack answered HTTP 503", id="overloaded"),
        pytest.param(
            Told(200, b"<html>"),
            None,
            "receiver chat was not reached: what answered is not Slack's API",
            id="a captive portal",
        ),
        pytest.param(
            Told(0),
            None,
            "receiver chat was not reached: the connection broke before the answer was complete",
            id="broken connection",
        ),
    ],
)
def test_delivery_may_be_repeated_when(slack: HttpService, told: Told, after: timedelta | None, says: str) -> None:
    """The engine waits and repeats."""
    slack.tell(told)

    with pytest.raises(Retryable) as refusal:
        bot(slack).send("chat", MESSAGE)

    assert (says, after) == (str(refusal.value), refusal.value.after)


@pytest.mark.parametrize("hostile", ["<!channel>", "<!here|all>", "<@U024BE7LH>", "<https://evil.example|ok>", "&lt;"])
def test_label_stays_text_when_it_looks_like_markup(hostile: str) -> None:
    """No mention, no link: what an alert says is shown as it is written."""
    message = msgspec.structs.replace(
        QUESTION, title=hostile, text=hostile, did=(hostile,), target=hostile, owner=hostile, severity=hostile,
        links={hostile: "https://d.example"},
    )  # fmt: skip

    shown = texts([blocks_of(message), reply_blocks_of(message), summary_of(message)])

    assert hostile not in shown
    assert not {"<", ">"} & set(shown)
    assert hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in shown


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a b", "https://x|<!here>", "//host", "https://", "https://h/" + "x" * 3000]
)
def test_address_that_is_none_has_no_button(url: str) -> None:
    """Slack would refuse the whole message."""
    message = msgspec.structs.replace(MESSAGE, links={"dashboard": url})

    assert "actions" not in {block["type"] for block in blocks_of(message)}


@trying(deadline=None)
@given(some.text(max_size=200), some.integers(0, 4), some.integers(20, 60))
def test_text_is_never_longer_than_allowed_and_never_cut_within_a_character(text: str, times: int, most: int) -> None:
    """Half an entity would be shown as rubbish."""
    shown = escaped((text + "<&>") * times, most)

    assert len(shown) <= most
    assert not {"<", ">"} & set(shown)
    whole = shown.removesuffix("...")
    assert whole.count("&") == sum(whole.count(entity) for entity in ("&amp;", "&lt;", "&gt;"))


def test_everything_fits_when_everything_is_large() -> None:
    """Slack takes 3000 characters a section, 150 in a header, 50 blocks; the newest deeds are kept."""
    large = "<&>" * 5000
    message = msgspec.structs.replace(
        QUESTION, title=large, text=large, target=large, did=tuple(f"{number} {'<' * 250}" for number in range(20)),
        links={f"link {number}": "https://d.example" for number in range(40)},
    )  # fmt: skip

    blocks = blocks_of(message)

    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks if block["type"] == "section")
    assert "\n19 &lt;" in blocks[1]["text"]["text"]
    assert 10 == len(next(block for block in blocks if block["type"] == "actions")["elements"])


def test_doctor_asks_who_posts(slack: HttpService) -> None:
    """Without a message."""
    settings = SlackSettings(token=TOKEN, channel="C1", url=slack.url)
    served = ADAPTER.build("receiver", settings, context(secrets={"TOKEN": "xoxb-1"}))

    assert served.probe is not None
    assert "posts as runbook in the workspace Shop, nothing was sent" == served.probe()
    assert ["auth.test"] == [method for method, _ in calls(slack)]
    slack.tell(no("token_revoked"))
    with pytest.raises(Unreadable) as refusal:
        served.probe()
    assert str(refusal.value) == (
        "Slack says token_revoked (set token to the bot token of an app that is installed, as in xoxb-...)"
    )


# --- an incoming webhook ----------------------------------------------------------------------------------------


def hook(slack: HttpService) -> Any:
    """Return the receiver of an incoming webhook."""
    settings = SlackSettings(webhook_url=SecretReference(env="HOOK"))
    return ADAPTER.build("receiver", settings, context(secrets={"HOOK": f"{slack.url}/services/T/B/x"})).writer


def test_webhook_posts_every_event(slack: HttpService) -> None:
    """It has no reference, and updates nothing."""
    slack.tell(Told(200, b"ok"))

    assert ["", ""] == [hook(slack).send("chat", MESSAGE), hook(slack).send("chat", QUESTION)]

    assert ["/services/T/B/x"] * 2 == [asked.path for asked in slack.asked]
    assert json.loads(slack.asked[1].body)["blocks"] == json.loads(json.dumps(blocks_of(QUESTION)))


def test_webhook_posts_the_text_alone_when_slack_does_not_take_the_blocks(slack: HttpService) -> None:
    """A page without its buttons is a page."""
    slack.answer = lambda asked: Told(400, b"invalid_blocks") if b'"blocks"' in asked.body else Told(200, b"ok")

    assert "" == hook(slack).send("chat", QUESTION)

    assert [["text", "blocks"], ["text"]] == [list(json.loads(asked.body)) for asked in slack.asked]


@pytest.mark.parametrize(
    ("told", "error", "says"),
    [
        pytest.param(
            Told(404, b"no_service"),
            Permanent,
            "receiver chat was not told: Slack says no_service "
            "(set webhookUrl to an incoming webhook that is active and whose channel exists)",
            id="revoked",
        ),
        pytest.param(
            Told(429, b"rate_limited"), Retryable, "receiver chat was not told: Slack answered HTTP 429", id="too many"
        ),
        pytest.param(Told(500), Retryable, "receiver chat was not told: Slack answered HTTP 500", id="its own trouble"),
        pytest.param(
            Told(200, b"<html>sign in</html>"),
            Retryable,
            "receiver chat was not reached: what answered is not a webhook of Slack",
            id="a captive portal",
        ),
    ],
)
def test_webhook_that_refuses(slack: HttpService, told: Told, error: type[Exception], says: str) -> None:
    """In the words of Slack, and never with the address, which is a credential."""
    slack.tell(told)

    with pytest.raises(error) as refusal:
        hook(slack).send("chat", MESSAGE)

    assert says == str(refusal.value)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SlackSettings(), id="nothing"),
        pytest.param(SlackSettings(token=TOKEN), id="no channel"),
        pytest.param(SlackSettings(channel="C1"), id="no token"),
        pytest.param(SlackSettings(token=TOKEN, channel="C1", webhook_url=TOKEN), id="both"),
        pytest.param(SlackSettings(channel="C1", webhook_url=TOKEN), id="a channel that a webhook has already"),
    ],
)
def test_slack_is_not_built_when_it_is_not_clear_where(settings: SlackSettings) -> None:
    """What cannot work is said at start."""
    with pytest.raises(NoAdapter) as refusal:
        ADAPTER.build("receiver", settings, context())

    assert str(refusal.value) == (
        "slack needs to know as whom it posts, and where (write token and channel, or webhookUrl alone)"
    )


def test_other_ports_are_refused() -> None:
    """A receiver is a receiver."""
    with pytest.raises(NoAdapter) as refusal:
        ADAPTER.build("flags", SlackSettings(), context())

    assert "slack does not serve flags (it serves receiver)" == str(refusal.value)


def test_settings_are_read_when_written_in_yaml_shape() -> None:
    """camelCase, as everywhere."""
    read = msgspec.convert({"webhookUrl": {"env": "HOOK"}}, SlackSettings)

    assert SlackSettings(webhook_url=SecretReference(env="HOOK")) == read
