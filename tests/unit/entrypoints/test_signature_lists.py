"""A list of signatures holds ours or it does not, and a delivery is remembered by what was signed."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.entrypoints.signatures import MOST_CANDIDATES, SigningKey
from runbook_engine.model.configuration import Scope, Signature
from runbook_engine.model.delivery import Headers
from runbook_engine.sources.envelope import HttpDelivery, to_request

NOW = datetime(2026, 5, 11, 7, 41, tzinfo=UTC)
BODY = b'{"event": {}}'
SECRET = b"the-secret-of-pagerduty"
LISTED = SigningKey(Signature(header="X-Signed", prefix="v1=", several=True), SECRET)
SINGLE = SigningKey(Signature(header="X-Signed", prefix="v1="), SECRET)
TIMED = SigningKey(Signature(header="X-Signed", timestamp="X-Time", separator=":"), SECRET)
OURS = "v1=" + hmac.new(SECRET, BODY, "sha256").hexdigest()
OTHERS = st.text(st.characters(codec="ascii", exclude_characters=","), max_size=70).filter(
    lambda each: OURS not in each
)


def signed(*values: str, key: SigningKey = LISTED, **more: str) -> bool:
    """Whether a key takes these headers."""
    pairs = [("X-Signed", value) for value in values] + [(name.replace("_", "-"), text) for name, text in more.items()]
    return key.signs(Headers.of(pairs), BODY, NOW)


@given(st.lists(OTHERS, max_size=MOST_CANDIDATES - 1), st.integers(0, MOST_CANDIDATES))
def test_a_list_is_taken_exactly_when_ours_is_in_it(others: list[str], place: int) -> None:
    """Wherever it stands, and whatever else is there."""
    whole = [*others[:place], OURS, *others[place:]]

    assert signed(",".join(whole))
    assert not signed(",".join(others))
    assert not signed(",".join(whole), ",".join(whole))
    assert signed(",".join(whole), key=SINGLE) == (not others)


@given(st.integers(1, 40))
def test_a_long_list_is_no_list(length: int) -> None:
    """So that nobody can make us compare for long."""
    assert signed(",".join(["v1=0"] * (length - 1) + [OURS])) == (length <= MOST_CANDIDATES)


@given(st.text(max_size=80))
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    """Also when it is what was signed."""
    digest = hmac.new(SECRET, stamp.encode(errors="replace") + b":" + BODY, "sha256").hexdigest()

    taken = TIMED.signs(Headers.of([("X-Signed", digest), ("X-Time", stamp)]), BODY, NOW)

    assert taken == (stamp.isascii() and stamp.isdigit() and abs(int(stamp[:10]) - NOW.timestamp()) <= 300)


def test_a_delivery_is_known_by_what_was_signed() -> None:
    """Not by how the signature stands in its header."""
    orders = [Headers.of([("X-Signed", text)]) for text in (OURS, f"v1=0,{OURS}", f"{OURS}, v1=1")]
    times = [Headers.of([("X-Signed", "x"), ("X-Time", text)]) for text in ("1778485260", "1778485261")]

    assert 1 == len({LISTED.mark(headers, BODY) for headers in orders})
    assert 2 == len({TIMED.mark(headers, BODY) for headers in times})
    assert LISTED.mark(orders[0], BODY) != LISTED.mark(orders[0], BODY + b" ")


def test_how_old_news_may_be_depends_on_what_is_signed() -> None:
    """Of any age with its time; new without; not at all when the body came before."""
    assert [None, None, timedelta(minutes=15), timedelta(0)] == [
        key.fresh_within(is_first=first) for key in (TIMED, LISTED) for first in (True, False)
    ]


def test_a_function_hands_on_the_method_and_the_age() -> None:
    """As the server does."""
    delivery = HttpDelivery(
        id="r1", method="PUT", path="/hooks/g", scope="g", headers=Headers(), content="{}", encoded=False
    )

    request = to_request(
        delivery, Scope(name="g", source="grafana"), received_at=NOW, fresh_within=timedelta(minutes=15)
    )

    assert ("PUT", timedelta(minutes=15), "grafana") == (request.method, request.fresh_within, request.source)
