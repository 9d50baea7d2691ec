"""The small parts of the web page's doors: seals, attempts, proxies, and paths that are ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.entrypoints.server.web.attempts import MOST_WRONG, Attempts
from runbook_engine.entrypoints.server.web.origins import local_path
from runbook_engine.entrypoints.server.web.proxy import Proxies
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.session_key import read_session_key, write_session_key
from runbook_engine.model.web import Web, WebProxy

KEY, OTHER = b"k" * 32, b"o" * 32
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PARTS = st.lists(st.binary(max_size=8), max_size=4)


@given(content=st.binary(max_size=64), purpose=st.text(max_size=8))
def test_what_is_sealed_opens_for_its_purpose_and_its_key_alone(content: bytes, purpose: str) -> None:
    """Whatever it is."""
    sealed = Seals(KEY).seal(purpose, content)

    assert content == Seals(KEY).open(purpose, sealed)
    assert Seals(KEY).open(purpose + "x", sealed) is None
    assert Seals(OTHER).open(purpose, sealed) is None


@given(content=st.binary(min_size=1, max_size=32), place=st.integers(0, 10_000), letter=st.characters())
def test_what_is_sealed_opens_no_more_when_a_letter_is_another(content: bytes, place: int, letter: str) -> None:
    """In the content or in the mark; what it opens to is never anything else."""
    sealed = Seals(KEY).seal("session", content)
    at = place % len(sealed)
    changed = sealed[:at] + letter + sealed[at + 1 :]

    assert Seals(KEY).open("session", changed) in (None, content)
    if letter in "0123456789abcdef" and sealed[at] != letter and at > sealed.index("."):
        assert Seals(KEY).open("session", changed) is None


@given(given_text=st.text(max_size=80))
def test_what_somebody_made_up_opens_to_nothing(given_text: str) -> None:
    """And raises nothing."""
    assert Seals(KEY).open("session", given_text) is None


@given(one=PARTS, other=PARTS)
def test_marks_differ_when_parts_do(one: list[bytes], other: list[bytes]) -> None:
    """However the same bytes are divided."""
    seals = Seals(KEY)

    assert (seals.mark("csrf", *one) == seals.mark("csrf", *other)) == (one == other)


def test_a_key_that_could_be_guessed_is_refused() -> None:
    """And none is shown."""
    with pytest.raises(ValueError, match="the key of the web page has 32 bytes or more, not 3"):
        Seals(b"abc")
    assert "kkk" not in repr(Seals(KEY))


def test_attempts_are_forgotten_by_age_and_by_number() -> None:
    """The oldest counts for a minute; of too many clients the one that was quiet for the longest is let go."""
    attempts = Attempts(most_clients=2)
    for second in range(MOST_WRONG):
        attempts.failed("a", NOON + timedelta(seconds=second))
    later = NOON + timedelta(seconds=59)
    waits = [attempts.wait("a", later), attempts.wait("a", NOON + timedelta(seconds=60)), attempts.wait("b", later)]
    attempts.failed("b", later)
    attempts.failed("c", later)

    assert [timedelta(seconds=1), timedelta(0), timedelta(0)] == waits
    assert timedelta(0) == attempts.wait("a", later)


def test_each_start_has_a_key_of_its_own_that_nobody_else_reads(tmp_path: Path) -> None:
    """Even when somebody has put a file there, or a link to one, that everybody reads."""
    write_session_key(tmp_path)
    first = read_session_key(tmp_path)
    (tmp_path / "session.key").chmod(0o644)
    write_session_key(tmp_path)
    second, rights = read_session_key(tmp_path), (tmp_path / "session.key").stat().st_mode & 0o777
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "session.key").unlink()
    (tmp_path / "session.key").symlink_to(elsewhere)
    write_session_key(tmp_path)

    assert len({first, second, read_session_key(tmp_path)}) == 3
    assert (32, 0o600, False) == (len(second), rights, elsewhere.exists())


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("10.0.0.7", "203.0.113.5", "203.0.113.5", id="what the proxy saw"),
        pytest.param("10.0.0.7", "198.51.100.1, 203.0.113.5", "203.0.113.5", id="not what its client says"),
        pytest.param("10.0.0.7", "203.0.113.5, unknown", "10.0.0.7", id="the proxy, when it saw nobody"),
        pytest.param("10.0.0.7", None, "10.0.0.7", id="the proxy, when it says nothing"),
        pytest.param("192.0.2.1", "203.0.113.5", "192.0.2.1", id="a stranger is believed nothing"),
        pytest.param("2001:db8::1", None, "2001:db8::/64", id="a network is one client"),
        pytest.param("10.0.0.7", "2001:db8:0:0:ffff::2", "2001:db8::/64", id="behind the proxy too"),
        pytest.param("", None, "", id="a socket without an address"),
    ],
)
def test_a_client_is_who_can_be_believed(peer: str, forwarded_for: str | None, client: str) -> None:
    """Otherwise whoever guesses would be somebody else each time."""
    proxies = Proxies(Web(proxy=WebProxy(networks=("10.0.0.0/8",))))

    assert client == proxies.client(peer, forwarded_for)


@given(st.text(max_size=30))
def test_a_path_that_one_is_led_to_is_always_of_this_server(text: str) -> None:
    """It has one slash before it, and nothing that a browser could read as another host."""
    led = local_path("/" + text)

    assert led.startswith("/")
    assert not led.startswith(("//", "/\\"))
    assert led.isascii()
    assert led.isprintable()
