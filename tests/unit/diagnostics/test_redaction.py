"""Redaction: credentials do not reach the evidence, whatever they are wrapped in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.diagnostics.redaction import escape_controls, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        pytest.param("Authorization: Bearer abc.def", "Authorization: [redacted]", id="an authorization header"),
        pytest.param(
            '{"authorization": "Basic dTpw", "n": 1}', '{"authorization": "[redacted]", "n": 1}', id="in JSON"
        ),
        pytest.param("sent Bearer abcdef123456 to x", "sent Bearer [redacted] to x", id="a bearer token in prose"),
        pytest.param("Set-Cookie: sid=1; path=/", "Set-Cookie: [redacted]", id="a cookie, to the end of the line"),
        pytest.param("password=hunter2 user=bob", "password=[redacted] user=bob", id="a password"),
        pytest.param("db_password: 'two words' x", "db_password: [redacted] x", id="a quoted password"),
        pytest.param('{"apiKey":"k-1","a":2}', '{"apiKey":[redacted],"a":2}', id="an API key in JSON"),
        pytest.param("?access_token=abc&page=2", "?access_token=[redacted]&page=2", id="a token in a query"),
        pytest.param("CLIENT_SECRET => s3cr3t", "CLIENT_SECRET => [redacted]", id="a secret with an arrow"),
        pytest.param("aws_secret_access_key = wJalr/K7", "aws_secret_access_key = [redacted]", id="an AWS secret"),
        pytest.param("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used", id="an AWS key id"),
        pytest.param("key ASIAIOSFODNN7EXAMPLE used", "key [redacted] used", id="a temporary AWS key id"),
        pytest.param(f"got {JWT}, refused", "got [redacted], refused", id="a JWT"),
        pytest.param("postgres://bob:pw@db:5432/x", "postgres://[redacted]@db:5432/x", id="credentials in an address"),
        pytest.param("ghp_abcdefghijklmnopqrstuvwxyz0123", "[redacted]", id="a forge token"),
        pytest.param(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nnext", "[redacted]\nnext", id="a key"
        ),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIE\nMIIF", "[redacted]", id="a key whose end was cut off"),
    ],
)
def test_redact_takes_credentials_out_when_they_look_like_it(line: str, redacted: str) -> None:
    """What looks like a credential is replaced, and the rest is kept."""
    assert redact(line) == redacted


@pytest.mark.parametrize(
    "line",
    [
        "GET /checkout 500 in 0.41s",
        "worker 12 exited with code 3",
        "the passenger list was empty",
        "https://grafana.example/d/checkout?from=now-1h",
        "bob@example.com placed an order",
    ],
)
def test_redact_keeps_the_line_when_nothing_is_secret(line: str) -> None:
    """Evidence that says nothing is no evidence."""
    assert redact(line) == line


def test_redact_takes_addresses_out_when_asked() -> None:
    """E-mail addresses go on request."""
    assert redact("bob.b@mail.example.com placed an order", emails=True) == "[redacted] placed an order"


@given(st.text(alphabet="abcXYZ019-_./+=", min_size=1, max_size=60))
def test_redact_never_leaks_when_a_secret_is_assigned(secret: str) -> None:
    """Whatever the secret is made of, none of its text follows the word."""
    assert redact(f"password={secret}") == "password=[redacted]"


@pytest.mark.parametrize(
    "hostile",
    [
        "password" * 8000,
        "a" * 65_000,
        "authorization" + " " * 65_000,
        "x://" + "a:" * 32_000,
        "secret='" + "\\" * 65_000,
        "-----BEGIN " * 6_000,
        "eyJaaaaa." * 7_000,
    ],
    ids=["words", "one word", "blanks", "address", "backslashes", "key headers", "token headers"],
)
def test_redact_takes_little_time_when_the_text_is_hostile(hostile: str) -> None:
    """64 KiB of the worst text are no way to keep the engine busy."""
    started = time.process_time()

    redact(hostile, emails=True)

    assert time.process_time() - started < 2


def test_escape_controls_makes_them_visible_when_present() -> None:
    """A terminal is not steered by a log, and text is not reordered; tabs and line feeds stay."""
    assert escape_controls("a\x1b[31mb\tc\nd\r\x00\x9b\u202e\u2028") == "a\\x1b[31mb\tc\nd\\r\\x00\\x9b\\u202e\\u2028"
