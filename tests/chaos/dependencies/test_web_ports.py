"""Adapters that speak HTTP behind a proxy that lies: metrics, receivers and requests, counted at the service."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_adapters import http, pagerduty, prometheus, receivers, scrape, slack
from runbook_adapters.web import Web
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.configuration import (
    Configuration,
    RequestTemplate,
    SecretReference,
    SeriesRule,
    StatusRequest,
)
from runbook_engine.model.runbook import Step
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, AdapterSpec, Effects, Port, World
from tests.chaos.dependencies.judging import Judge, Look, Write
from tests.chaos.dependencies.proxy import FAULTS, Fault, Pace, Proxy, Seeded, proxy
from tests.chaos.dependencies.runs import CONFIGURATION, PLACE, Case, JumpingClock, Runs
from tests.chaos.tally import LONG, SEED, tries
from tests.contract.http_service import Asked, HttpService, Told, http_service
from tests.contract.test_receivers import MESSAGE

pytestmark = pytest.mark.timeout(3600 if LONG else 120)
NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
PACE = Pace(slow=0.01, late=0.9, drip=0.02)
EXPOSED = b"# TYPE degraded_mode gauge\ndegraded_mode 1\n"
MODE = SeriesRule(name="mode", kind="value", metric="degraded_mode")
SECRETS = {"TOKEN": "xoxb-1", "KEY": "0123456789abcdef0123456789abcdef"}
POINT = [NOW.timestamp(), "0.12"]
VECTOR = {"resultType": "vector", "result": [{"metric": {"job": "shop"}, "value": POINT}]}
MATRIX = {"resultType": "matrix", "result": [{"metric": {"job": "shop"}, "values": [POINT]}]}
PATIENCE = timedelta(seconds=0.5)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        """Return the present."""
        return NOW


def answer(asked: Asked) -> Told:
    """Answer as each of the services does when all is well."""
    if asked.path.endswith("/metrics"):
        return Told(200, EXPOSED)
    documents: dict[str, object] = {
        "/api/v1/query": {"status": "success", "data": VECTOR},
        "/api/v1/query_range": {"status": "success", "data": MATRIX},
        "/api/chat.postMessage": {"ok": True, "channel": "C1", "ts": "1.2"},
        "/v2/enqueue": {"status": "success", "message": "Event processed", "dedup_key": "k"},
        "/drain": {"job": {"id": "j-1"}},
        "/jobs/j-1": {"job": {"state": "finished"}},
    }
    if asked.path == "/hook":
        return Told(200, b"ok")
    status = 202 if asked.path in ("/v2/enqueue", "/drain") else 200
    return Told(status, json.dumps(documents[asked.path]).encode(), (("Content-Type", "application/json"),))


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for an answer here."""
    monkeypatch.setitem(Web.__init__.__kwdefaults__ or {}, "read_time_limit", PATIENCE.total_seconds())


@pytest.fixture
def service() -> Iterator[HttpService]:
    """All the services in one."""
    with http_service(answer) as running:
        yield running


@pytest.fixture
def before(service: HttpService) -> Iterator[Proxy]:
    """The proxy before them."""
    with proxy(service.url, pace=PACE) as running:
        yield running


def build(spec: AdapterSpec, port: Port, settings: Any, *, secrets: dict[str, str] | None = None, **more: Any) -> Any:
    """Build an adapter as an installation does."""
    context = AdapterContext(
        clock=FixedClock(),
        configuration=Configuration(series=(MODE,), **more),
        base=Path(),
        state=Path(),
        secret=lambda reference: {**SECRETS, **(secrets or {})}[reference.env],
    )
    return spec.build(port, settings, context)


def pinned(url: str) -> RequestTemplate:
    """Return the request that is sent, and whose outcome can be asked for."""
    return RequestTemplate(
        name="drain",
        method="POST",
        url=f"{url}/drain",
        says="drains a pool",
        repeat="token",
        approval=False,
        time_limit=PATIENCE,
        status=StatusRequest(
            url=f"{url}/jobs/{{{{ answer.id }}}}", id="/job/id", pointer="/job/state", done=("finished",), failed=()
        ),
    )


def sent(service: HttpService, path: str) -> Callable[[], int]:
    """Return what counts the messages or requests that have arrived."""
    return lambda: sum(asked.path == path for asked in service.asked)


def test_metrics_are_right_or_unreadable(before: Proxy) -> None:
    """No page and no other service's JSON is ever a figure, nor the absence of one."""
    judge = Judge("prometheus and scrape", before, limit=6.0)
    reader = build(prometheus.ADAPTER, "metrics", prometheus.PrometheusSettings(url=before.url)).reader
    settings = scrape.ScrapeSettings(url=f"{before.url}/metrics")

    judge.look(Look("prometheus", lambda: reader.query("up", {}, NOW)))
    judge.look(Look("history", lambda: reader.history("up", {}, NOW, NOW, timedelta(seconds=15))))
    judge.look(Look("scrape", lambda: build(scrape.ADAPTER, "metrics", settings).reader.query("mode", {}, NOW)))

    judge.settle()


def test_receivers_are_told_or_told_again(before: Proxy, service: HttpService) -> None:
    """A message that is said to be delivered has arrived; whatever is in doubt is sent again."""

    def spare(name: str, fault: Fault) -> bool:
        """A redirect is given up, told or not; and 200 is all that a webhook of somebody's own may say."""
        return fault == "redirect after" or (name, fault) == ("webhook", "page")

    judge = Judge("receivers", before, limit=6.0, spare=spare)
    key, token = SecretReference(env="KEY"), SecretReference(env="TOKEN")
    hook = {"HOOK": f"{before.url}/hook"}
    writers = {
        ("webhook", "/hook"): build(receivers.ADAPTER, "receiver", receivers.WebhookSettings(url=f"{before.url}/hook")),
        ("slack", "/api/chat.postMessage"): build(
            slack.ADAPTER, "receiver", slack.SlackSettings(token=token, channel="C1", url=f"{before.url}/api")
        ),
        ("slack webhook", "/hook"): build(
            slack.ADAPTER, "receiver", slack.SlackSettings(webhook_url=SecretReference(env="HOOK")), secrets=hook
        ),
        ("pagerduty", "/v2/enqueue"): build(
            pagerduty.ADAPTER, "receiver", pagerduty.PagerDutySettings(routing_key=key, url=before.url)
        ),
    }

    for (name, path), served in writers.items():
        count = sent(service, path)

        def fresh(served: Any = served, count: Callable[[], int] = count) -> Any:
            return lambda: served.writer.send("oncall", MESSAGE), count

        judge.write(Write(name, fresh, raises=(Retryable, Permanent), again=True))

    judge.settle()


def test_requests_are_done_or_not_done_or_in_doubt(before: Proxy, service: HttpService) -> None:
    """What came of a request is known, or it is in doubt."""
    judge = Judge("http", before, limit=6.0)
    template = pinned(before.url)
    served = build(http.ADAPTER, "requests", http.HttpSettings(), requests=(template,))
    count = sent(service, "/drain")

    def fresh() -> Any:
        return lambda: served.writer.send("drain", {}, digest=template.digest, token="e-1/0/do"), count

    judge.look(Look("state", lambda: served.reader.state("drain", {}, "j-1")))
    judge.write(Write("send", fresh))

    judge.settle()


def test_requests_of_whole_runs_arrive_once_when_the_service_lies(before: Proxy, service: HttpService) -> None:
    """Each token has had its effect once, however often it was sent; a run that succeeded has had it."""
    lot, clock = random.Random(SEED), JumpingClock()
    template = pinned(before.url)
    served = build(http.ADAPTER, "requests", http.HttpSettings(), requests=(template,))

    def world(simulated: World) -> World:
        return replace(simulated, requests=served.reader)

    def effects(simulated: Effects) -> Effects:
        return replace(simulated, requests=served.writer)

    def done() -> int:
        tokens = [asked.headers["idempotency-key"] for asked in service.asked if asked.path == "/drain"]
        return len(set(tokens))

    configuration = replace_requests(template)
    runs = Runs("http", "every fault", clock, world, effects, pause=0.0, configuration=configuration)
    step = Step(name="drain", action="http", arguments={"request": "drain"})
    while before.faulty < tries(5, 300):
        before.decide = Seeded(lot.randrange(2**31), lot.choice((0.1, 0.3, 0.6)), FAULTS)
        runs.play(Case(Target("request", PLACE, "", "drain"), (step,), (), done))
        before.decide = lambda asked: None

    runs.settle(before.faulty)


def replace_requests(template: RequestTemplate) -> Configuration:
    """Return the installation with one pinned request."""
    return msgspec.structs.replace(CONFIGURATION, requests=(template,))
