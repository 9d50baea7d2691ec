"""Credentials: who may ask, and that nothing else gets in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook_engine.entrypoints.credentials import Bearer, Keyring, demand_credentials, is_loopback, load_keyring
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.errors import Forbidden, Unauthenticated
from runbook_engine.model.configuration import Configuration, Role, Scope, SecretReference, Token
from runbook_engine.model.delivery import Headers
from runbook_engine.model.sender import Sender

NOW = datetime(2026, 5, 11, 7, 41, tzinfo=UTC)
OLD, NEW, READER = "old-secret-of-the-sender", "new-secret-of-the-sender", "the-secret-of-the-reader"
SETTINGS = Settings(environment={"OLD": OLD, "NEW": NEW, "READER": READER, "SHORT": "short", "SPACED": "x" * 20 + " y"})


def token(name: str, *variables: str, roles: tuple[Role, ...] = ("ingest",), scopes: tuple[str, ...] = ()) -> Token:
    """Return a token whose secrets are in these variables."""
    return Token(
        name=name, roles=roles, scopes=scopes, secrets=tuple(SecretReference(env=variable) for variable in variables)
    )


def posted(keyring: Keyring, authorization: str | None, scope: str) -> Bearer:
    """Return who posts with this header."""
    pairs = [] if authorization is None else [("Authorization", authorization)]
    return keyring.sender(Headers.of(pairs), scope, b"{}", NOW)


CONFIGURATION = Configuration(
    scopes=(Scope(name="lab"), Scope(name="other"), Scope(name="aws", senders=(Sender("events", "aws.cloudwatch"),))),
    tokens=(token("sender", "OLD", "NEW", scopes=("lab",)), token("reader", "READER", roles=("read",))),
)


@pytest.mark.parametrize("secret", [OLD, NEW], ids=["the old secret", "the new secret"])
def test_both_secrets_of_a_token_are_valid_while_it_is_rotated(secret: str) -> None:
    """A sender and the engine cannot change at the same instant."""
    keyring = load_keyring(CONFIGURATION, SETTINGS.secret)

    assert "sender" == posted(keyring, f"Bearer {secret}", "lab").name


def test_a_rotation_may_begin_before_the_second_secret_is_there() -> None:
    """One secret that can be read is enough to start."""
    configuration = Configuration(scopes=(Scope(name="lab"),), tokens=(token("sender", "OLD", "NOT_YET"),))

    assert "sender" == posted(load_keyring(configuration, SETTINGS.secret), f"bearer {OLD}", "lab").name


@pytest.mark.parametrize(
    ("authorization", "scope"),
    [
        pytest.param(None, "lab", id="no header"),
        pytest.param("", "lab", id="an empty header"),
        pytest.param(f"Bearer {OLD}x", "lab", id="a wrong secret"),
        pytest.param(f"Bearer {OLD[:-1]}", "lab", id="a secret cut short"),
        pytest.param(f"Basic {OLD}", "lab", id="another scheme"),
        pytest.param(OLD, "lab", id="no scheme"),
        pytest.param(f"Bearer {OLD}, Bearer {OLD}", "lab", id="two headers joined"),
        pytest.param(f"Bearer {OLD},Bearer {NEW}", "lab", id="two headers joined without a space"),
        pytest.param(f"Bearer {OLD}\n", "lab", id="a line break at the end"),
        pytest.param(f"Bearer {OLD}", "other", id="a scope that is not the token's"),
        pytest.param(f"Bearer {OLD}", "unheard-of", id="a scope that does not exist"),
        pytest.param(f"Bearer {READER}", "lab", id="a role that may not post"),
        pytest.param(f"Bearer {OLD}", "aws", id="a scope that AWS alone delivers into"),
    ],
)
def test_whatever_is_wrong_with_a_sender_sounds_the_same(authorization: str | None, scope: str) -> None:
    """An answer must not tell which scopes or secrets exist."""
    keyring = load_keyring(CONFIGURATION, SETTINGS.secret)

    with pytest.raises(Unauthenticated) as caught:
        posted(keyring, authorization, scope)

    assert "no valid credential" == str(caught.value)


def test_a_known_token_without_the_role_is_forbidden() -> None:
    """Who is known is told what they lack."""
    keyring = load_keyring(CONFIGURATION, SETTINGS.secret)

    assert "reader" == keyring.person(f"Bearer {READER}", "read").name
    with pytest.raises(Forbidden) as caught:
        keyring.person(f"Bearer {READER}", "operate")
    assert "this token does not have the role operate" == str(caught.value)


def test_no_secret_is_kept_in_the_keyring() -> None:
    """What is not there cannot leak."""
    assert OLD not in repr(load_keyring(CONFIGURATION, SETTINGS.secret))


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        pytest.param(
            (token("sender", "GONE"),),
            "token sender has no secret: the secret {env: GONE} is not set (export GONE before starting)",
            id="a secret that is not set",
        ),
        pytest.param(
            (token("sender", "OLD"), token("reader", "OLD", roles=("read",))),
            "tokens sender and reader have one secret (make another)",
            id="one secret for two tokens",
        ),
        pytest.param(
            (token("sender", "SHORT"),),
            "a secret of token sender cannot be used: 16 or more letters and digits, no spaces "
            "(make one with: openssl rand -hex 32)",
            id="a secret that can be guessed",
        ),
        pytest.param(
            (token("sender", "SPACED"),),
            "a secret of token sender cannot be used: 16 or more letters and digits, no spaces "
            "(make one with: openssl rand -hex 32)",
            id="a secret that no header can carry",
        ),
    ],
)
def test_tokens_that_would_protect_nothing_are_refused_at_the_start(tokens: tuple[Token, ...], sentence: str) -> None:
    """A start without a credential that works is worse than no start."""
    with pytest.raises(InvalidSettings) as caught:
        load_keyring(Configuration(tokens=tokens), SETTINGS.secret)

    assert sentence == str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", "localhost.example.org"])
def test_strangers_are_not_listened_to_without_credentials(host: str) -> None:
    """Beyond loopback somebody must say who may send."""
    demand_credentials(CONFIGURATION, host)

    with pytest.raises(InvalidSettings) as caught:
        demand_credentials(Configuration(), host)

    assert (
        f"refusing to listen on {host}: anybody who reaches it could start runbooks "
        "(name tokens with the role ingest in engine.yaml, or listen on 127.0.0.1)" == str(caught.value)
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_open_when_no_token_is_named(host: str) -> None:
    """On one machine, without tokens, whoever is there may ask."""
    demand_credentials(Configuration(), host)

    keyring = load_keyring(Configuration(scopes=(Scope(name="lab"),)), SETTINGS.secret)

    assert is_loopback(host)
    assert "local" == posted(keyring, None, "lab").name
