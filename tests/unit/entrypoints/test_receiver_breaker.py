"""The breaker before the receivers: who hangs is spared, and told again once it answers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.entrypoints.receiver_breaker import MOST_KNOWN, ReceiverBreaker
from runbook_engine.errors import Busy, Permanent, Retryable
from runbook_engine.model.observation import Message
from runbook_engine.testing.clock import SimulatedClock
from tests.lab import wait_until

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
MESSAGE = Message(id="e1-1", event="ended", title="t", text="x", at=NOW)
SECOND = timedelta(seconds=1)


class Moody:
    """Receivers that answer, fail as told, or block until they are let go."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.blocks = False
        self.let_go = threading.Event()

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, or not."""
        self.calls.append(receiver)
        if self.blocks:
            assert self.let_go.wait(10)
        if self.fails is not None and receiver == "chat":
            raise self.fails
        return f"{receiver}/{message.id}"


@pytest.fixture
def clock() -> SimulatedClock:
    """A clock that stands still."""
    return SimulatedClock(NOW)


def hung() -> Retryable:
    """Return what a receiver that does not answer raises."""
    return Retryable("receiver chat was not reached: no answer within the time limit")


def test_a_receiver_that_did_not_answer_is_not_called_for_a_while(clock: SimulatedClock) -> None:
    """It refuses at once, with the rest of the time; others are told; then it is tried, and is back."""
    moody = Moody()
    breaker = ReceiverBreaker(moody, clock)
    moody.fails = hung()
    with pytest.raises(Retryable, match="was not reached"):
        breaker.send("chat", MESSAGE)
    clock.push(10.5 * SECOND)

    with pytest.raises(Retryable) as caught:
        breaker.send("chat", MESSAGE)
    told = breaker.send("oncall", MESSAGE)

    assert "receiver chat did not answer lately; tried again in 20 s" == str(caught.value)
    assert 19.5 * SECOND == caught.value.after
    assert "oncall/e1-1" == told
    assert ["chat", "oncall"] == moody.calls
    moody.fails = None
    clock.push(19.5 * SECOND)
    assert ["chat/e1-1", "chat/e1-1"] == [breaker.send("chat", MESSAGE) for _ in range(2)]


@pytest.mark.parametrize(
    ("fails", "took", "away"),
    [
        pytest.param(hung(), 0, True, id="no answer"),
        pytest.param(Retryable("HTTP 429", 7 * SECOND), 0, False, id="it asks us to wait: that is an answer"),
        pytest.param(Retryable("no answer", 1 * SECOND), 10, True, id="nobody asked for that wait: it took too long"),
        pytest.param(Permanent("HTTP 404"), 0, False, id="it refuses: that is an answer"),
    ],
)
def test_only_who_does_not_answer_is_away(clock: SimulatedClock, fails: Exception, took: int, away: bool) -> None:
    """A receiver that answers whatever it likes is called again when it is due."""

    class Taking(Moody):
        def send(self, receiver: str, message: Message) -> str:
            clock.push(took * SECOND)
            return super().send(receiver, message)

    moody = Taking()
    breaker = ReceiverBreaker(moody, clock)
    moody.fails = fails
    for _ in range(2):
        with pytest.raises((Retryable, Permanent)):
            breaker.send("chat", MESSAGE)

    assert (1 if away else 2) == len(moody.calls)


def test_a_third_send_at_the_same_time_is_refused_at_once(clock: SimulatedClock) -> None:
    """Even the first hang takes two threads; once they are back there is room again."""
    moody = Moody()
    breaker = ReceiverBreaker(moody, clock)
    moody.blocks = True
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(breaker.send, "chat", MESSAGE) for _ in range(2)]
        wait_until(lambda: len(moody.calls) == 2, "both are under way")
        with pytest.raises(Busy) as caught:
            breaker.send("chat", MESSAGE)
        moody.let_go.set()
        assert ["chat/e1-1"] * 2 == [each.result(10) for each in sent]

    assert "receiver chat is being told 2 others; tried again in 5 s" == str(caught.value)
    assert 5 * SECOND == caught.value.after
    assert "chat/e1-1" == breaker.send("chat", MESSAGE)


@pytest.mark.parametrize("back", [pytest.param(True, id="it answers"), pytest.param(False, id="it hangs still")])
def test_one_send_alone_tries_a_receiver_that_was_away(clock: SimulatedClock, back: bool) -> None:
    """The others refuse until it has answered, and for as long again when it has not."""
    moody = Moody()
    breaker = ReceiverBreaker(moody, clock)
    moody.fails = hung()
    with pytest.raises(Retryable):
        breaker.send("chat", MESSAGE)
    clock.push(30 * SECOND)
    moody.fails, moody.blocks = None if back else hung(), True
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(breaker.send, "chat", MESSAGE)
        wait_until(lambda: len(moody.calls) == 2, "the probe is under way")
        with pytest.raises(Retryable) as caught:
            breaker.send("chat", MESSAGE)
        moody.let_go.set()
        assert back is (probe.exception(10) is None)

    assert "receiver chat did not answer lately; tried again in 5 s" == str(caught.value)
    assert 2 == len(moody.calls)
    if back:
        assert "chat/e1-1" == breaker.send("chat", MESSAGE)
    else:
        with pytest.raises(Retryable, match="tried again in 30 s"):
            breaker.send("chat", MESSAGE)


def test_a_receiver_is_tried_when_the_clock_was_put_back(clock: SimulatedClock) -> None:
    """Nobody waits for an hour that comes twice."""
    moody = Moody()
    moody.fails = hung()
    with pytest.raises(Retryable):
        (breaker := ReceiverBreaker(moody, clock)).send("chat", MESSAGE)
    moody.fails = None
    earlier = ReceiverBreaker(moody, SimulatedClock(NOW - timedelta(hours=1)), breaker._lines)

    assert "chat/e1-1" == earlier.send("chat", MESSAGE)


AWAY = "receiver chat did not answer lately; tried again in 30 s"
BROKE = "receiver chat answered with status 502"
ANOTHER_FIRST = "receiver chat is tried with another message first; again in 5 s"


class Picky(Moody):
    """A receiver that breaks over some messages, and takes all others."""

    def __init__(self, *poisonous: str) -> None:
        super().__init__()
        self.poisonous = set(poisonous)
        self.asked: list[str] = []

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, or say that the server broke over it."""
        self.asked.append(message.id)
        if message.id in self.poisonous:
            raise Retryable(BROKE)
        return super().send(receiver, message)


def tell(breaker: ReceiverBreaker, name: str) -> str:
    """Return what comes of a message: its reference, or why it did not arrive."""
    try:
        return breaker.send("chat", replace(MESSAGE, id=name))
    except Retryable as error:
        return str(error)


def test_a_message_that_the_receiver_never_takes_costs_the_others_one_wait(clock: SimulatedClock) -> None:
    """Another one tries the receiver first; once that has passed, the bad one fails for itself alone."""
    breaker = ReceiverBreaker(Picky("bad"), clock)
    before = [tell(breaker, name) for name in ("bad", "good")]
    clock.push(30 * SECOND)

    half_open = [tell(breaker, name) for name in ("bad", "good")]
    after = [tell(breaker, name) for name in ("bad", "second", "bad", "bad", "third")]

    assert [BROKE, AWAY] == before
    assert [ANOTHER_FIRST, "chat/good"] == half_open
    assert [BROKE, "chat/second", BROKE, BROKE, "chat/third"] == after


def test_a_message_that_failed_tries_the_receiver_itself_when_the_others_do_not_come(clock: SimulatedClock) -> None:
    """They may have been given up; it waits for them as long again, and not for ever."""
    picky = Picky("bad")
    breaker = ReceiverBreaker(picky, clock)
    for name in ("bad", "good"):
        tell(breaker, name)
    clock.push(59 * SECOND)
    waits = tell(breaker, "bad")
    clock.push(SECOND)

    picky.poisonous.clear()

    assert (ANOTHER_FIRST, "chat/bad") == (waits, tell(breaker, "bad"))
    assert ["bad", "bad"] == picky.asked


def test_a_receiver_that_takes_nothing_any_more_is_away_although_one_message_failed_before(
    clock: SimulatedClock,
) -> None:
    """The one that failed alone proves nothing; the next that fails does, and whoever passes clears it."""
    picky = Picky("bad")
    breaker = ReceiverBreaker(picky, clock)
    tell(breaker, "bad")
    clock.push(30 * SECOND)
    tell(breaker, "good")
    picky.poisonous |= {"second", "third"}

    gone = [tell(breaker, name) for name in ("bad", "second", "third", "bad")]
    clock.push(30 * SECOND)
    picky.poisonous.clear()
    back = [tell(breaker, name) for name in ("bad", "third", "bad")]
    picky.poisonous.add("bad")

    assert [BROKE, BROKE, AWAY, AWAY] == gone
    assert [ANOTHER_FIRST, "chat/third", "chat/bad"] == back
    assert [BROKE, AWAY] == [tell(breaker, name) for name in ("bad", "good")]


def test_a_bad_message_counts_no_attempt_while_another_goes_first(clock: SimulatedClock) -> None:
    """It was not even tried."""
    breaker = ReceiverBreaker(Picky("bad"), clock)
    for name in ("bad", "good"):
        tell(breaker, name)
    clock.push(30 * SECOND)

    with pytest.raises(Busy) as caught:
        breaker.send("chat", replace(MESSAGE, id="bad"))

    assert (ANOTHER_FIRST, 5 * SECOND) == (str(caught.value), caught.value.after)


def test_a_breaker_remembers_so_many_messages_and_no_more(clock: SimulatedClock) -> None:
    """A receiver that is gone for weeks fills no memory."""
    breaker = ReceiverBreaker(Picky(*(f"bad-{number}" for number in range(300))), clock)
    for number in range(300):
        tell(breaker, f"bad-{number}")
        tell(breaker, f"late-{number}")
        clock.push(61 * SECOND)

    line = breaker._lines["chat"]
    assert [MOST_KNOWN, 0, MOST_KNOWN] == [len(line.failing), len(line.alone), len(line.waiting)]
