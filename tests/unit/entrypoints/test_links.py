"""Signed links: only whoever was sent one can answer, exactly what it asks, and nobody can make one."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runbook_engine.entrypoints.links import ApprovalLinks, Invitation, LinkingNotifier, approval_links, links_of
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.errors import Busy, NoAdapter, Permanent, Retryable, Unauthenticated
from runbook_engine.model.configuration import Approvals, Configuration, SecretReference
from runbook_engine.model.observation import Message

KEY = "k" * 32
UNTIL = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
LINKS = approval_links("https://example.org/approvals/", KEY)
INVITATION = Invitation("exec-1", "4b1dcafe", UNTIL, "team-chat")


def query_of(url: str) -> dict[str, list[str]]:
    """The query of a link, as the platform hands it over."""
    return parse_qs(urlsplit(url).query)


class Told:
    """Keeps what receivers are told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []

    def send(self, receiver: str, message: Message) -> str:
        """Keep one message."""
        self.messages.append((receiver, message))
        return f"{receiver}/{message.id}"


def test_a_link_says_what_it_was_made_of() -> None:
    """What is read from a link is the invitation, and its bearer is named after who was sent it."""
    read = LINKS.read("exec-1", query_of(LINKS.url(INVITATION)))

    assert (read, read.bearer) == (INVITATION, "the link sent to team-chat")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("for", "somebody"),
        ("hash", "4b1dcaff"),
        ("until", "1795318201"),
        ("sig", "0" * 64),
        ("sig", "ä"),
        ("sig", "\ud800"),
        ("hash", "\ud800"),
    ],
)
def test_a_link_that_was_changed_is_refused(field: str, value: str) -> None:
    """Whatever is changed in a link, it is not valid any more."""
    query = {**query_of(LINKS.url(INVITATION)), field: [value]}

    with pytest.raises(Unauthenticated, match=r"^this link is not valid$"):
        LINKS.read("exec-1", query)


@pytest.mark.parametrize("until", ["", "soon", "9" * 30, "-1"])
def test_a_time_that_is_none_is_refused_like_any_other(until: str) -> None:
    """A malformed time is no traceback and tells nothing."""
    query = {**query_of(LINKS.url(INVITATION)), "until": [until]}

    with pytest.raises(Unauthenticated, match=r"^this link is not valid$"):
        LINKS.read("exec-1", query)


def test_a_link_of_another_execution_or_another_key_is_refused() -> None:
    """A signature is good for one execution and one installation."""
    query = query_of(LINKS.url(INVITATION))

    with pytest.raises(Unauthenticated):
        LINKS.read("exec-2", query)
    with pytest.raises(Unauthenticated):
        approval_links("https://example.org/approvals", "j" * 32).read("exec-1", query)


def test_a_field_that_is_given_twice_is_refused() -> None:
    """Two readers of one query must not see two links."""
    query = query_of(LINKS.url(INVITATION))
    query["hash"].append("4b1dcafe")

    with pytest.raises(Unauthenticated):
        LINKS.read("exec-1", query)


@given(some.text(), some.text(), some.text(), some.text())
def test_no_two_invitations_share_a_signature(execution: str, hash_: str, receiver: str, other: str) -> None:
    """Fields cannot flow into each other, whatever they hold."""
    one = Invitation(execution, hash_ + other, UNTIL, receiver)
    two = Invitation(execution, hash_, UNTIL, other + receiver)

    if one != two:
        assert query_of(LINKS.url(one))["sig"] != query_of(LINKS.url(two))["sig"]


def test_only_a_question_gets_a_link() -> None:
    """A message that asks carries its link to that receiver; any other is passed on as it is."""
    told = Told()
    notifier = LinkingNotifier(told, lambda: LINKS)
    plain = Message(id="1", event="started", title="", text="", at=UNTIL, execution_id="exec-1")
    asking = Message(
        id="2", event="approval", title="", text="", at=UNTIL, execution_id="exec-1", asks="4b1dcafe",
        until=UNTIL + timedelta(microseconds=5), links={"dashboard": "https://d.example"},
    )  # fmt: skip

    references = [notifier.send("team-chat", plain), notifier.send("team-chat", asking)]

    (_, first), (_, second) = told.messages
    assert references == ["team-chat/1", "team-chat/2"]
    assert first == plain
    assert second.links["dashboard"] == "https://d.example"
    assert LINKS.read("exec-1", query_of(second.links["approve"])) == INVITATION


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Permanent("refused: {}"), id="never"),
        pytest.param(Retryable("refused: {}", after=timedelta(seconds=7)), id="later"),
        pytest.param(Busy("refused: {}", after=timedelta(seconds=5)), id="not even tried"),
    ],
)
def test_a_service_that_repeats_what_it_was_told_does_not_put_the_link_on_record(
    failure: Permanent | Retryable,
) -> None:
    """The reason is kept in the audit trail, which people read who may not answer; all else of it stays."""

    class Echo:
        def send(self, receiver: str, message: Message) -> str:
            """Refuse in the words of the request."""
            says = str(failure).format(message.links["approve"])
            raise type(failure)(says, failure.after) if isinstance(failure, Retryable) else Permanent(says)

    asking = Message(
        id="2", event="approval", title="", text="", at=UNTIL, execution_id="exec-1", asks="4b1dcafe", until=UNTIL
    )

    with pytest.raises(type(failure)) as refusal:
        LinkingNotifier(Echo(), lambda: LINKS).send("team-chat", asking)

    link = LINKS.url(INVITATION)
    assert type(failure) is type(refusal.value)
    assert f"refused: {link.partition('sig=')[0]}sig=..." == str(refusal.value)
    assert getattr(failure, "after", None) == getattr(refusal.value, "after", None)


def test_a_question_is_asked_even_when_no_link_can_be_made() -> None:
    """Somebody must hear of it, and why there is no link."""

    def unreadable() -> ApprovalLinks:
        raise NoAdapter("the secret {ssm: /key} is not there", "make it")

    told = Told()
    asking = Message(
        id="2", event="approval", title="", text="may I?", at=UNTIL, execution_id="e", asks="4b1dcafe", until=UNTIL
    )

    LinkingNotifier(told, unreadable).send("team-chat", asking)

    ((_, message),) = told.messages
    assert message.text == "may I? (there is no link to answer by: the secret {ssm: /key} is not there (make it))"
    assert message.links == {}


@pytest.mark.parametrize(
    ("base", "key", "says"),
    [
        ("http://h/a", KEY, "the address of the approval pages is not one: http://h/a (write https://host/path)"),
        ("https://", KEY, "the address of the approval pages is not one: https:// (write https://host/path)"),
        (
            "https://h/a",
            "short",
            "the key that signs approval links is shorter than 32 characters (make one with: openssl rand -hex 32)",
        ),
    ],
)
def test_links_that_anybody_could_make_or_read_are_not_made(base: str, key: str, says: str) -> None:
    """An address without TLS and a key that can be guessed are refused at the start."""
    with pytest.raises(InvalidSettings) as error:
        approval_links(base, key)

    assert str(error.value) == says


def test_the_key_is_never_shown() -> None:
    """What prints the maker of links does not print its key."""
    assert KEY not in repr(ApprovalLinks("https://h", KEY.encode()))


# --- what engine.yaml sets up --------------------------------------------------------------------------------------


def chosen(url: str) -> Configuration:
    """A configuration whose links begin with this address."""
    return Configuration(approvals=Approvals(url=url, key=SecretReference(env="LINK_KEY")))


def test_no_links_are_made_where_none_are_set_up() -> None:
    """Absent is the safe answer."""
    assert links_of(Configuration(), Settings()) is None


@pytest.mark.parametrize(
    "url", ["https://h.example/approvals/", "http://127.0.0.1:8930/approvals", "http://localhost/a", "http://[::1]:1/a"]
)
def test_links_are_made_of_the_address_and_the_key_as_it_is_then(url: str) -> None:
    """Over TLS, or where only this machine can listen."""
    links = links_of(chosen(url), Settings(environment={"LINK_KEY": KEY}))

    assert links is not None
    assert links().url(INVITATION).startswith(f"{url.rstrip('/')}/exec-1?for=team-chat&hash=4b1dcafe&until=")


@pytest.mark.parametrize(
    ("url", "environment", "error", "says"),
    [
        (
            "http://h.example/a",
            {"LINK_KEY": KEY},
            InvalidSettings,
            "the address of the approval pages is not one: http://h.example/a (write https://host/path)",
        ),
        (
            "https://h.example/a",
            {},
            NoAdapter,
            "the secret {env: LINK_KEY} is not set (export LINK_KEY before starting)",
        ),
        (
            "https://h.example/a",
            {"LINK_KEY": "short"},
            InvalidSettings,
            "the key that signs approval links is shorter than 32 characters (make one with: openssl rand -hex 32)",
        ),
    ],
)
def test_links_that_cannot_be_made_say_why(
    url: str, environment: dict[str, str], error: type[Exception], says: str
) -> None:
    """When one is wanted, and at the start of a runner."""
    links = links_of(chosen(url), Settings(environment=environment))

    assert links is not None
    with pytest.raises(error) as refusal:
        links()
    assert says == str(refusal.value)


def test_a_host_on_the_internet_makes_no_links_without_tls() -> None:
    """Loopback is another machine there."""
    with pytest.raises(InvalidSettings):
        approval_links("http://127.0.0.1/approvals", KEY)
