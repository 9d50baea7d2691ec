"""Credentials in every form that senders have: passwords, headers of their own, and signatures that count once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.entrypoints.credentials import Keyring, load_keyring
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.signatures import RecentSignatures
from runbook_engine.errors import Overloaded, Unauthenticated
from runbook_engine.model.configuration import Configuration, Scope, SecretReference, Signature, Token
from runbook_engine.model.delivery import Headers

NOW = datetime(2026, 5, 11, 7, 41, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"alerts": []}'
SECRETS = {
    name: f"{name.lower()}-secret-of-a-sender" for name in ("BASIC", "HEADER", "GITHUB", "OLD", "NEW", "AWS", "BEARER")
}
GITHUB = Signature(header="X-Hub-Signature-256", prefix="sha256=")
TIMED = Signature(header="X-Signature", timestamp="X-Timestamp")
AGENT = Signature(header="x-amzn-event-signature", timestamp="x-amzn-event-timestamp", separator=":", encoding="base64")


def token(name: str, *variables: str, **presented: Any) -> Token:
    """Return a token of one scope, presented in some way."""
    secrets = tuple(SecretReference(env=variable) for variable in variables)
    return Token(name=name, roles=("ingest",), secrets=secrets, scopes=(name,), **presented)


TOKENS = (
    token("basic", "BASIC", user="alertmanager"),
    token("header", "HEADER", header="X-Runbook-Token"),
    token("github", "GITHUB", signature=GITHUB),
    token("timed", "OLD", "NEW", signature=TIMED),
    token("agent", "AWS", signature=AGENT),
    token("bearer", "BEARER"),
)
CONFIGURATION = Configuration(scopes=tuple(Scope(name=each.name) for each in TOKENS), tokens=TOKENS)


@pytest.fixture
def keyring() -> Keyring:
    """A keyring with one token of each form."""
    return load_keyring(CONFIGURATION, Settings(environment=SECRETS).secret)


def password(user: str, secret: str, scheme: str = "Basic") -> tuple[str, str]:
    """Return the header that presents a password."""
    return "Authorization", f"{scheme} {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


def mac(secret: str, signed: bytes, algorithm: str = "sha256") -> bytes:
    """Return an HMAC."""
    return hmac.new(SECRETS[secret].encode(), signed, algorithm).digest()


def timed(secret: str = "NEW", stamp: str = STAMP, body: bytes = BODY) -> list[tuple[str, str]]:
    """Return the headers of a signature over the time and the body."""
    return [("X-Timestamp", stamp), ("X-Signature", mac(secret, stamp.encode() + b"." + body).hex())]


def hub(body: bytes = BODY) -> tuple[str, str]:
    """Return the header with which GitHub signs."""
    return "X-Hub-Signature-256", "sha256=" + mac("GITHUB", body).hex()


AGENT_TIME = "2026-05-11T07:40:20.000Z"
AGENT_SIGNATURE = base64.b64encode(mac("AWS", AGENT_TIME.encode() + b":" + BODY)).decode()

VALID: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "a password": ("basic", [password("alertmanager", SECRETS["BASIC"])]),
    "a password, the scheme in small letters": ("basic", [password("alertmanager", SECRETS["BASIC"], "basic")]),
    "a header of its own": ("header", [("x-runbook-token", SECRETS["HEADER"])]),
    "GitHub's signature": ("github", [hub()]),
    "a signature with a time": ("timed", timed()),
    "a signature of the older secret": ("timed", timed("OLD")),
    "a time in milliseconds": ("timed", timed(stamp=STAMP + "999")),
    "a signature in base64, its time a date": (
        "agent",
        [("x-amzn-event-timestamp", AGENT_TIME), ("X-Amzn-Event-Signature", AGENT_SIGNATURE)],
    ),
    "a bearer token still": ("bearer", [("Authorization", f"Bearer {SECRETS['BEARER']}")]),
}


@pytest.mark.parametrize(("scope", "headers"), VALID.values(), ids=VALID.keys())
def test_a_credential_is_taken_in_the_form_that_is_configured(
    keyring: Keyring, scope: str, headers: list[tuple[str, str]]
) -> None:
    """Each sender can do one thing only, so each form is there."""
    assert scope == keyring.sender(Headers.of(headers), scope, BODY, NOW).name


INVALID: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "nothing": ("basic", []),
    "another user": ("basic", [password("grafana", SECRETS["BASIC"])]),
    "another password": ("basic", [password("alertmanager", SECRETS["BEARER"])]),
    "a password as a bearer token": ("basic", [("Authorization", f"Bearer {SECRETS['BASIC']}")]),
    "a bearer token as a password": ("bearer", [password("", SECRETS["BEARER"])]),
    "no base64": ("basic", [("Authorization", "Basic a*b")]),
    "base64 of no text": ("basic", [("Authorization", "Basic /w==")]),
    "a user without a colon": ("basic", [("Authorization", "Basic YWxlcnRtYW5hZ2Vy")]),
    "the secret in another header": ("header", [("X-Token", SECRETS["HEADER"])]),
    "the secret of a header as a bearer token": ("header", [("Authorization", f"Bearer {SECRETS['HEADER']}")]),
    "a bearer token in a header": ("bearer", [("X-Runbook-Token", SECRETS["BEARER"])]),
    "a header with a scheme": ("header", [("X-Runbook-Token", f"Bearer {SECRETS['HEADER']}")]),
    "a header that comes twice": ("header", [("X-Runbook-Token", SECRETS["HEADER"])] * 2),
    "a header twice in one": ("header", [("X-Runbook-Token", f"{SECRETS['HEADER']},{SECRETS['HEADER']}")]),
    "a second header that would be valid alone": (
        "bearer",
        [("Authorization", "Bearer x"), ("authorization", f"Bearer {SECRETS['BEARER']}")],
    ),
    "a valid token beside a doubled signature": (
        "bearer",
        [("Authorization", f"Bearer {SECRETS['BEARER']}"), hub(), hub()],
    ),
    "a signature of another body": ("github", [hub(b"{}")]),
    "a signature without its prefix": ("github", [("X-Hub-Signature-256", mac("GITHUB", BODY).hex())]),
    "a signature in capitals": ("github", [("X-Hub-Signature-256", "sha256=" + mac("GITHUB", BODY).hex().upper())]),
    "a weaker algorithm": ("github", [("X-Hub-Signature-256", "sha1=" + mac("GITHUB", BODY, "sha1").hex())]),
    "two signatures in one header": ("github", [("X-Hub-Signature-256", f"{hub()[1]},{hub()[1]}")]),
    "a signature cut short": ("github", [("X-Hub-Signature-256", hub()[1][:-1])]),
    "no text at all": ("github", [("X-Hub-Signature-256", "\ud800é")]),
    "a signature without its time": ("timed", timed()[1:]),
    "the time of another delivery": ("timed", [("X-Timestamp", str(int(STAMP) + 1)), timed()[1]]),
    "a time that comes twice": ("timed", [timed()[0], *timed()]),
    "a time that is none": ("timed", timed(stamp="yesterday")),
    "a time without a zone": ("timed", timed(stamp="2026-05-11T07:41:00")),
    "a day that does not exist": ("timed", timed(stamp="2026-02-30T07:41:00Z")),
    "the secret of another scope": ("timed", timed("GITHUB")),
    "a scope of another token": ("header", [password("alertmanager", SECRETS["BASIC"])]),
    "a scope that does not exist": ("nowhere", [password("alertmanager", SECRETS["BASIC"])]),
}


@pytest.mark.parametrize(("scope", "headers"), INVALID.values(), ids=INVALID.keys())
def test_whatever_is_wrong_sounds_the_same(keyring: Keyring, scope: str, headers: list[tuple[str, str]]) -> None:
    """An answer must not tell how a sender is known."""
    with pytest.raises(Unauthenticated) as caught:
        keyring.sender(Headers.of(headers), scope, BODY, NOW)

    assert "no valid credential" == str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        pytest.param(-301, False, id="too old"),
        pytest.param(-300, True, id="just not too old"),
        pytest.param(300, True, id="just not too new"),
        pytest.param(301, False, id="too new"),
    ],
)
def test_a_signed_time_is_within_five_minutes(keyring: Keyring, seconds: int, taken: bool) -> None:
    """What was recorded yesterday is worth nothing today."""
    headers = Headers.of(timed(stamp=str(int(STAMP) + seconds)))

    if taken:
        assert "timed" == keyring.sender(headers, "timed", BODY, NOW).name
    else:
        with pytest.raises(Unauthenticated, match="no valid credential"):
            keyring.sender(headers, "timed", BODY, NOW)


@pytest.mark.parametrize(
    ("scope", "headers", "kept"),
    [
        pytest.param("timed", timed(), timedelta(minutes=10), id="a signed time: ten minutes"),
        pytest.param("github", [hub()], timedelta(hours=24), id="none: a day"),
    ],
)
def test_a_signature_counts_once(scope: str, headers: list[tuple[str, str]], kept: timedelta) -> None:
    """Who records a delivery cannot send it again, for as long as it would be believed."""
    seen = RecentSignatures()
    ring = load_keyring(CONFIGURATION, Settings(environment=SECRETS).secret, seen)
    bearer = ring.sender(Headers.of(headers), scope, BODY, NOW)

    with pytest.raises(Unauthenticated, match="no valid credential"):
        ring.sender(Headers.of(headers), scope, BODY, NOW)

    known = [seen.first(bearer.signature, now=NOW + after, keep=kept) for after in (kept - timedelta(seconds=1), kept)]
    assert [False, True] == known


def test_a_signature_counts_once_for_all_scopes_of_its_token() -> None:
    """No scope is signed, so what was meant for one must not pass for another's."""
    everywhere = Token(name="github", roles=("ingest",), secrets=(SecretReference(env="GITHUB"),), signature=GITHUB)
    scopes = (Scope(name="one"), Scope(name="two"))
    ring = load_keyring(Configuration(scopes=scopes, tokens=(everywhere,)), Settings(environment=SECRETS).secret)
    assert "github" == ring.sender(Headers.of([hub()]), "one", BODY, NOW).name

    with pytest.raises(Unauthenticated, match="no valid credential"):
        ring.sender(Headers.of([hub()]), "two", BODY, NOW)


def test_a_delivery_that_was_not_kept_may_come_again(keyring: Keyring) -> None:
    """The sender that is told to come again sends the same bytes."""
    headers = Headers.of(timed())
    bearer = keyring.sender(headers, "timed", BODY, NOW)

    with suppress(Overloaded), keyring.counting_once(bearer):
        raise Overloaded("no room")

    assert "timed" == keyring.sender(headers, "timed", BODY, NOW).name


def test_a_refused_delivery_is_not_remembered(keyring: Keyring) -> None:
    """Otherwise anybody could use up a signature by sending it to the wrong place first."""
    for scope in ("github", "nowhere"):
        with pytest.raises(Unauthenticated):
            keyring.sender(Headers.of(timed()), scope, BODY, NOW)

    assert "timed" == keyring.sender(Headers.of(timed()), "timed", BODY, NOW).name


def test_a_full_memory_lets_nothing_in_until_something_is_forgotten() -> None:
    """What cannot be remembered could come again, so it is not taken."""
    seen = RecentSignatures(most=2)
    keep = timedelta(minutes=10)
    assert seen.first("a", now=NOW, keep=keep)
    assert seen.first("b", now=NOW + timedelta(minutes=5), keep=keep)

    with pytest.raises(Overloaded) as caught:
        seen.first("c", now=NOW + timedelta(minutes=9), keep=keep)

    assert "2 signatures are remembered, and none is old enough to be forgotten" == str(caught.value)
    assert seen.first("c", now=NOW + timedelta(minutes=11), keep=keep)


def test_a_full_memory_forgets_of_a_day_what_is_too_old_to_start_anything() -> None:
    """A sender that signs no time and says much must not be shut out until tomorrow."""
    seen, day = RecentSignatures(most=2), timedelta(hours=24)
    for mark, minutes in (("a", 0), ("b", 10)):
        assert seen.first(mark, now=NOW + timedelta(minutes=minutes), keep=day)

    with pytest.raises(Overloaded):
        seen.first("c", now=NOW + timedelta(minutes=15), keep=day)

    later = NOW + timedelta(minutes=16)
    assert [True, False, False] == [seen.first(mark, now=later, keep=day) for mark in ("c", "b", "c")]


def test_only_a_signature_needs_the_body(keyring: Keyring) -> None:
    """A stranger's body is not read when it decides nothing."""
    assert [True, False] == [
        keyring.reads_body(Headers.of(headers)) for headers in ([hub()], [("Authorization", "Bearer x")])
    ]


def test_headers_that_carry_credentials_are_named(keyring: Keyring) -> None:
    """No source and no log may see them."""
    assert {
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-runbook-token",
        "x-hub-signature-256",
        "x-signature",
        "x-amzn-event-signature",
    } == keyring.guarded


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_no_secret_is_shown(keyring: Keyring, secret: str) -> None:
    """Those that sign must be kept, and never printed."""
    assert secret not in repr(keyring)


@pytest.mark.parametrize("secret", ["BASIC", "HEADER", "GITHUB"])
def test_people_present_bearer_tokens_only(keyring: Keyring, secret: str) -> None:
    """No other form opens the routes of people, not even with the right secret."""
    with pytest.raises(Unauthenticated, match="no valid credential"):
        keyring.bearer(f"Bearer {SECRETS[secret]}")
    with pytest.raises(Unauthenticated, match="no valid credential"):
        keyring.bearer(password("alertmanager", SECRETS["BASIC"])[1])


NAMES = st.sampled_from(["Authorization", "X-Runbook-Token", "X-Signature", "X-Timestamp", "X-Hub-Signature-256"])
RINGS = load_keyring(CONFIGURATION, Settings(environment=SECRETS).secret)


@given(pairs=st.lists(st.tuples(NAMES, st.text()), max_size=4), body=st.binary(max_size=40), scope=st.text())
def test_nobody_gets_in_by_chance(pairs: list[tuple[str, str]], body: bytes, scope: str) -> None:
    """Any other headers, bodies and scopes are refused, and nothing else happens."""
    for name in (scope, *(each.name for each in TOKENS)):
        with pytest.raises(Unauthenticated):
            RINGS.sender(Headers.of(pairs), name, body, NOW)


@given(body=st.binary(max_size=200), flipped=st.integers(min_value=0))
def test_a_signature_holds_for_exactly_its_body(body: bytes, flipped: int) -> None:
    """One bit more or less and it is another body."""
    ring = load_keyring(CONFIGURATION, Settings(environment=SECRETS).secret)
    place = flipped % (len(body) + 1)
    other = body[:place] + b"\x00" + body[place:]
    header = ("X-Hub-Signature-256", "sha256=" + hmac.new(SECRETS["GITHUB"].encode(), body, hashlib.sha256).hexdigest())

    with pytest.raises(Unauthenticated):
        ring.sender(Headers.of([header]), "github", other, NOW)
    assert "github" == ring.sender(Headers.of([header]), "github", body, NOW).name
