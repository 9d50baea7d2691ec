"""Telling: one message of a run in a channel, brought up to date as it goes on, whatever breaks in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace as with_parts
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from runbook_adapters import slack
from runbook_adapters.slack import SlackSettings
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.links import LinkingNotifier, approval_links
from runbook_engine.entrypoints.receiver_breaker import ReceiverBreaker
from runbook_engine.entrypoints.routing import RoutedNotifier
from runbook_engine.errors import Retryable, StalePlan
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import SecretReference
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Message
from runbook_engine.model.runbook import Approval, ModeRule, NotifyRule
from runbook_engine.model.signal import Signal
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Notifier
from runbook_engine.registry import Registry
from tests.contract.http_service import Asked, HttpService, Told, http_service
from tests.contract.test_receivers import context
from tests.crash.mortality import Killed, Mortality, MortalNotifier
from tests.scenario.rig import DEGRADE, MINUTE, SCALE, Rig, configuration, runbook

CHAT = NotifyRule(receiver="chat", events=("started", "changed", "approval", "ended"))
ASKED = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=10 * MINUTE))
APPROVE = ModeRule(mode="approve")
ASKS = runbook(notify=(CHAT,), steps=(DEGRADE, ASKED))
LINKS = approval_links("https://runbooks.example/approvals", "k" * 32)


class Channel:
    """Slack with one channel: what was posted, what it became, and what was said in threads."""

    def __init__(self) -> None:
        self.messages: dict[str, list[str]] = {}  # by time: every text that the message has had
        self.replies: list[tuple[str, str]] = []

    def answer(self, asked: Asked) -> Told:
        """Post or update, as Slack does."""
        said: dict[str, Any] = json.loads(asked.body)
        ts = said.get("ts") or f"{len(self.messages) + 1}.0"
        if "thread_ts" in said:
            self.replies.append((said["thread_ts"], said["text"]))
        else:
            self.messages.setdefault(ts, []).append(json.dumps(said["blocks"], ensure_ascii=False))
        return Told(200, json.dumps({"ok": True, "channel": "C1", "ts": ts}).encode())

    def headlines(self, ts: str) -> list[str]:
        """Return the first words of a message, one after the other."""
        return [json.loads(blocks)[0]["text"]["text"].partition(":")[0] for blocks in self.messages[ts]]


class HangingPager:
    """A pager that does not answer for a while."""

    def __init__(self, pager: Notifier) -> None:
        self.pager = pager
        self.hangs = True
        self.calls = 0

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, unless it hangs."""
        self.calls += 1
        if self.hangs:
            raise Retryable(f"receiver {receiver} was not reached: no answer within the time limit")
        return self.pager.send(receiver, message)


@pytest.fixture
def channel() -> Channel:
    """A channel in which nothing was said."""
    return Channel()


@pytest.fixture
def service(channel: Channel) -> Iterator[HttpService]:
    """Slack."""
    with http_service(channel.answer) as running:
        yield running


@pytest.fixture
def rig(service: HttpService) -> Callable[..., Rig]:
    """Make an engine whose receiver `chat` is a channel; it may die around its deliveries."""
    wanted = SlackSettings(token=SecretReference(env="TOKEN"), channel="#oncall", url=service.url)
    chat = slack.ADAPTER.build("receiver", wanted, context(secrets={"TOKEN": "xoxb-1"})).writer

    def make(mortality: Mortality | None = None) -> Rig:
        made = Rig(ASKS)
        routed = RoutedNotifier({"chat": chat, "oncall": made.simulated.inbox})
        notifier: Notifier = LinkingNotifier(routed, lambda: LINKS)
        if mortality is not None:
            notifier = MortalNotifier(notifier, mortality)
        made.engine = Engine(
            bundle=Bundle((ASKS,), configuration()),
            journal=made.journal,
            world=made.simulated.world,
            effects=with_parts(made.simulated.effects, notifier=notifier),
            registry=Registry(),
        )
        return made

    return make


def until_asked(rig: Rig) -> Execution:
    """Fire, let the first step fail to help, and wait for the question of the second."""
    rig.errors(lambda world: 0.12 if rig.replicas() < 6 else 0.001)
    rig.fire()
    rig.run(4 * MINUTE)
    execution = rig.execution()
    assert execution.approval is not None
    return execution


def test_a_run_is_one_message_that_tells_its_story(rig: Callable[..., Rig], channel: Channel) -> None:
    """Started, changed, asked, changed, ended: posted once, updated in place, and the button goes with the question."""
    run = rig()
    execution = until_asked(run)
    question = channel.messages["1.0"][-1]
    run.engine.approve(execution.id, plan_hash=execution.approval.hash, by="ann", now=run.now)
    run.run(4 * MINUTE)

    assert "succeeded" == run.execution().status
    assert ["1.0"] == list(channel.messages)
    assert [
        "[critical] running", "[critical] running", "[critical] needs approval", "[critical] running",
        "[critical] succeeded",
    ] == channel.headlines("1.0")  # fmt: skip
    assert "https://runbooks.example/approvals/" in question
    end = channel.messages["1.0"][-1]
    assert "approvals" not in end
    assert '/checkout/degraded_mode value \\"false\\" -&gt; \\"true\\"' in end
    assert "apps/deployment/checkout replicas 4 -&gt; 6" in end
    assert [("1.0", "needs approval"), ("1.0", "succeeded")] == [
        (ts, text.partition(": ")[0].removeprefix("[critical] ")) for ts, text in channel.replies
    ]
    assert (("chat", "C1:1.0"),) == run.execution().told


@pytest.mark.parametrize(
    ("dies_after", "messages"),
    [
        pytest.param(1, ["1.0", "2.0"], id="the first one is posted again: Slack has no key to know it by"),
        pytest.param(2, ["1.0"], id="an update is made again, which changes nothing"),
        pytest.param(3, ["1.0"], id="so is that of the question"),
    ],
)
def test_a_crash_between_delivery_and_commit(
    rig: Callable[..., Rig], channel: Channel, dies_after: int, messages: list[str]
) -> None:
    """Told at least once, and what is told goes on in the message that the journal knows."""
    mortality = Mortality(2 * dies_after)  # each delivery passes one place before it and one behind it
    run = rig(mortality)
    with pytest.raises(Killed):
        until_asked(run)
    run.simulated.push(timedelta(minutes=2))  # its lease has run out, and another worker has it
    run.owner = "the next one"

    run.run(4 * MINUTE)

    assert ["after-send"] == mortality.died_at
    assert messages == list(channel.messages)
    assert (("chat", f"C1:{messages[-1]}"),) == run.execution().told
    assert "[critical] needs approval" == channel.headlines(messages[-1])[-1]


def test_a_message_that_was_delayed_overwrites_no_later_one(
    rig: Callable[..., Rig], channel: Channel, service: HttpService
) -> None:
    """Slack was away for the news of a change, and has the question already when that arrives."""
    run = rig()

    def away_for_the_change(asked: Asked) -> Told:
        asks = b"needs approval" in asked.body
        known = "1.0" in channel.messages and "[critical] needs approval" in channel.headlines("1.0")
        return channel.answer(asked) if asks or known or not asked.path.endswith("chat.update") else Told(503)

    service.answer = away_for_the_change
    until_asked(run)

    assert ["[critical] running", "[critical] needs approval"] == channel.headlines("1.0")
    asked_at, told_late = channel.replies
    assert "needs approval" in asked_at[1]
    assert told_late[1].endswith("shed-optional-features: /checkout/degraded_mode value false -&gt; true")


def test_a_no_to_another_question_is_no_answer(rig: Callable[..., Rig]) -> None:
    """Whoever denies over a link denies what it showed, and nothing that was asked since."""
    run = rig()
    execution = until_asked(run)

    with pytest.raises(StalePlan) as refusal:
        run.engine.deny(execution.id, plan_hash="0123456789", by="ann", now=run.now)

    assert str(refusal.value) == (f"the plan is {execution.approval.hash[:8]} now, not 01234567: look at it again")
    run.engine.deny(execution.id, plan_hash=execution.approval.hash, by="ann", now=run.now)
    run.run(MINUTE)
    assert ("cancelled", "denied by ann") == (run.execution().status, run.execution().reason)


# --- what a receiver is told about how it stands -------------------------------------------------------------------


def last(run: Rig, event: str = "ended") -> Message:
    """Return the last message of an event to the receiver `chat`."""
    told = [kept.message for kept in run.simulated.inbox.messages if kept.receiver == "chat"]
    return [message for message in told if message.event == event][-1]


def test_an_end_says_who_it_is_about_and_that_nobody_need_look() -> None:
    """The only run of its incident, verified."""
    run = Rig(runbook(notify=(CHAT,)))
    run.healed_by_flag()
    run.fire()
    run.run(4 * MINUTE)

    message = last(run)
    assert ("succeeded", True, "") == (message.status, message.settled, message.taken_by)
    assert ("CheckoutHighErrorRate", "apps/deployment/checkout", "team-checkout") == (
        message.alert, message.target, message.owner,
    )  # fmt: skip
    assert 1 == len(message.did)
    assert message.did[0].endswith('/checkout/degraded_mode value "false" -> "true"')
    assert f"chat/{run.execution().id}" == message.reference


def test_an_incident_is_not_settled_while_another_of_its_runs_went_wrong() -> None:
    """One runbook has mended what it is for; the other one's end still needs somebody."""
    elsewhere = msgspec.structs.replace(DEGRADE, arguments={"parameter": "/other/flag", "value": "true"})
    other = runbook(
        name="other", digest="other", steps=(elsewhere,), notify=(CHAT,),
        target=TargetTemplate(kind="parameter", name="/other/flag"),
    )  # fmt: skip
    run = Rig(runbook(notify=(CHAT,)), other)
    run.healed_by_flag()
    run.fire()
    run.run(4 * MINUTE)

    statuses = {execution.runbook: execution.status for execution in run.journal.executions(limit=9)}
    assert {"checkout-high-error-rate": "succeeded", "other": "blocked"} == statuses
    fixed = [
        kept.message
        for kept in run.simulated.inbox.messages
        if kept.message.event == "ended" and kept.message.status == "succeeded"
    ]
    assert [False] == [message.settled for message in fixed]


def test_a_rehearsal_keeps_no_incident_unsettled() -> None:
    """A runbook in mode observe did nothing and told nobody, so nobody need look at its end."""
    rehearsed = runbook(name="other", digest="other", notify=(CHAT,), mode=(ModeRule(mode="observe"),))
    run = Rig(runbook(notify=(CHAT,)), rehearsed)
    run.healed_by_flag()
    run.fire()
    run.run(4 * MINUTE)

    statuses = {execution.runbook: execution.status for execution in run.journal.executions(limit=9)}
    assert {"checkout-high-error-rate": "succeeded", "other": "cancelled"} == statuses
    assert last(run).settled


def test_an_incident_is_not_settled_while_an_alert_fires_that_nobody_took_care_of() -> None:
    """No runbook is for it: what was mended is another alert of the incident."""
    run = Rig(runbook(notify=(CHAT,)))
    run.healed_by_flag()
    run.fire(service="checkout")
    run.fire("CheckoutHighLatency", service="checkout")
    run.run(4 * MINUTE)

    assert 1 == len(run.journal.incidents(limit=9))
    assert ("succeeded", False) == (last(run).status, last(run).settled)


def test_nobody_need_look_at_what_went_away_by_itself() -> None:
    """It is told as not fixed, since nothing was; and that it is over is said with it."""
    run = Rig(runbook(notify=(NotifyRule(receiver="chat", events=("approval", "notFixed")),), mode=(APPROVE,)))
    run.errors(lambda world: 0.12)
    run.fire()
    run.run(MINUTE)
    run.resolve()
    run.run(MINUTE)

    assert ("cancelled", True) == (last(run, "notFixed").status, last(run, "notFixed").settled)


def test_news_after_the_end_settle_nothing() -> None:
    """The alert expired while our changes stand: a person decides, and must be woken for it."""
    run = Rig(ASKS)
    execution = until_asked(run)
    member = execution.members[0]
    expired = Signal(kind="expired", at=run.now, alert_key=member.alert_key, episode_id=member.episode_id, name="Fire")
    run.engine.deny(execution.id, by="ann", now=run.now)
    run.run(MINUTE)
    run.journal.signal(execution.id, expired)
    run.run(MINUTE)

    assert ("cancelled", "held") == (run.execution().status, run.execution().compensation)
    assert "Fire expired without being resolved: our changes stay until a person decides" == last(run, "notFixed").text
    assert not any(kept.message.settled for kept in run.simulated.inbox.messages)


def test_a_question_that_is_asked_otherwise_by_now_has_no_link(
    rig: Callable[..., Rig], channel: Channel, service: HttpService
) -> None:
    """The news of the first question come late: their words must not lead to another change."""
    run = rig()
    held: list[bool] = [True]

    def away_for_questions(asked: Asked) -> Told:
        return Told(503) if held[0] and b"approval by" in asked.body else channel.answer(asked)

    service.answer = away_for_questions
    execution = until_asked(run)
    first = execution.approval
    later = msgspec.structs.replace(
        execution, approval=msgspec.structs.replace(first, hash="another", asked_at=first.asked_at + MINUTE)
    )
    run.journal.commit(later, expected_version=execution.version, records=(), now=run.now)
    held[0] = False
    run.run(MINUTE)

    assert "approval by" in channel.messages["1.0"][-1]
    assert "approvals/" not in json.dumps(channel.messages)


def test_a_receiver_that_asks_for_a_rest_is_given_it(
    rig: Callable[..., Rig], channel: Channel, service: HttpService
) -> None:
    """Slack's Retry-After is the earliest instant of the next attempt."""
    run = rig()
    service.answer = lambda asked: Told(429, b"", (("Retry-After", "45"),))

    def attempts() -> int:
        return sum(b"started on" in asked.body for asked in service.asked)

    run.fire()
    run.run(timedelta(seconds=44))

    assert 1 == attempts()
    run.run(timedelta(seconds=2))
    assert 2 == attempts()


def test_who_takes_over_is_named() -> None:
    """So that a pager knows that a person has it."""
    run = Rig(ASKS)
    execution = until_asked(run)
    run.engine.take_over(execution.id, undo=False, by="ann", now=run.now)
    run.run(MINUTE)

    message = last(run)
    assert ("handed_over", "ann", False) == (message.status, message.taken_by, message.settled)


def test_nobody_has_what_nobody_answered() -> None:
    """A proposal that lapses is handed over too, and whoever is paged must go on being paged."""
    run = Rig(runbook(notify=(CHAT,), mode=(ModeRule(mode="propose"),)))
    run.healed_by_flag()
    run.fire()
    run.run(60 * MINUTE, step=MINUTE)

    message = last(run)
    assert ("handed_over", "", False) == (message.status, message.taken_by, message.settled)


def test_a_page_is_delivered_once_its_receiver_is_back() -> None:
    """The pager hangs while the run acts; it is left alone meanwhile, and hears of the end, once."""
    made = Rig(runbook(notify=(NotifyRule(receiver="oncall", events=("started", "notFixed", "ended")),)))
    pager = HangingPager(made.simulated.inbox)
    effects = with_parts(made.simulated.effects, notifier=ReceiverBreaker(pager, made.simulated.clock))
    made.engine = Engine(
        bundle=made.engine.bundle,
        journal=made.journal,
        world=made.simulated.world,
        effects=effects,
        registry=Registry(),
    )
    made.errors(lambda world: 0.12)
    made.fire()
    made.run(2 * MINUTE)
    tries, told = pager.calls, made.told("oncall")
    pager.hangs = False
    made.run(20 * MINUTE)

    assert [] == told
    assert 1 < tries <= 5
    assert 6 == made.replicas()
    assert "unresolved" == made.execution().status
    assert ["notFixed", "started"] == sorted(made.told("oncall"))
    assert () == made.execution().outbox


def test_nothing_is_told_before_it_is_durable() -> None:
    """Whoever goes on after a crash may find it otherwise; what was said to people cannot be taken back."""
    run = Rig(ASKS)
    ahead: list[str] = []
    heard: list[str] = []

    class Witness:
        """A receiver that looks into the journal before it believes."""

        def send(self, receiver: str, message: Message) -> str:
            """Compare what is told with what is stored."""
            stored = run.journal.load(message.execution_id)
            heard.append(message.event)
            if message.id not in [notice.id for notice in stored.outbox] or message.status != stored.status:
                ahead.append(f"{message.event}: {message.status}, and stored is {stored.status}")
            return ""

    run.engine = Engine(
        bundle=Bundle((ASKS,), configuration()),
        journal=run.journal,
        world=run.simulated.world,
        effects=with_parts(run.simulated.effects, notifier=Witness()),
        registry=Registry(),
    )
    execution = until_asked(run)
    assert execution.approval is not None
    run.engine.approve(execution.id, plan_hash=execution.approval.hash, by="ann", now=run.now)
    run.run(4 * MINUTE)

    assert {"started", "changed", "approval", "ended"} <= set(heard)
    assert [] == ahead
