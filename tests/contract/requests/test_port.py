"""The port `requests`: what every adapter of it promises, the simulated one included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from runbook_adapters.http import ADAPTER, HttpSettings
from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.configuration import Configuration, RequestTemplate, StatusRequest
from runbook_engine.ports import AdapterContext, RequestReader, RequestWriter
from runbook_engine.testing.clock import SimulatedClock
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.contract.http_service import Asked, Told, http_service

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
POOL = {"pool": "blue"}


class Rig(NamedTuple):
    """One adapter of the port with one pinned request, and how often the other side did what it asks for."""

    template: RequestTemplate
    reader: RequestReader
    writer: RequestWriter
    done: Callable[[], int]
    finish: Callable[[], None]


def pinned(url: str) -> RequestTemplate:
    """Return the pinned request, to a server."""
    return RequestTemplate(
        name="drain-pool",
        method="POST",
        url=f"{url}/pools/{{{{ parameters.pool }}}}/drain",
        says="drains a pool",
        repeat="token",
        parameters=("pool",),
        time_limit=timedelta(seconds=2),
        status=StatusRequest(url=f"{url}/jobs/{{{{ answer.id }}}}", pointer="/state", done=("done",), id="/id"),
    )


def simulated() -> Iterator[Rig]:
    """Yield the simulated one."""
    world, template = SimulatedWorld(), pinned("https://lb.example")
    requests = world.requests
    requests.allow(template)
    yield Rig(template, requests, requests, lambda: len(requests.sent), lambda: world.push(timedelta(minutes=1)))


def http() -> Iterator[Rig]:
    """Yield the one that sends, to a server that keeps its promise about tokens."""
    jobs: dict[str, str] = {}

    def answer(asked: Asked) -> Told:
        if asked.method == "GET":
            state = b"done" if asked.path.removeprefix("/jobs/") in finished else b"queued"
            return Told(200, b'{"state": "%s"}' % state)
        job = jobs.setdefault(asked.headers["Idempotency-Key"], f"j{len(jobs)}")
        return Told(202, b'{"id": "%s"}' % job.encode())

    finished: set[str] = set()
    with http_service(answer) as service:
        template = pinned(service.url)
        context = AdapterContext(
            clock=SimulatedClock(NOW),
            configuration=Configuration(requests=(template,)),
            base=Path(),
            state=Path(),
            secret=lambda reference: "",
        )
        served: Any = ADAPTER.build("requests", HttpSettings(), context)
        yield Rig(template, served.reader, served.writer, lambda: len(jobs), lambda: finished.update(jobs.values()))


@pytest.fixture(params=[pytest.param(simulated, id="simulated"), pytest.param(http, id="http")])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Return each adapter of the port."""
    yield from request.param()


def test_one_token_is_taken_once(rig: Rig) -> None:
    """A repeat after a crash finds what the call before it began."""
    first = rig.writer.send("drain-pool", POOL, digest=rig.template.digest, token="e-1/0/do")
    again = rig.writer.send("drain-pool", POOL, digest=rig.template.digest, token="e-1/0/do")

    assert (1, first["id"]) == (rig.done(), again["id"])


def test_another_token_is_another_request(rig: Rig) -> None:
    """Two effects are two."""
    for token in ("e-1/0/do", "e-2/0/do"):
        rig.writer.send("drain-pool", POOL, digest=rig.template.digest, token=token)

    assert 2 == rig.done()


def test_state_is_under_way_until_it_is_done(rig: Rig) -> None:
    """What was taken is not yet done."""
    receipt = rig.writer.send("drain-pool", POOL, digest=rig.template.digest, token="e-1/0/do")

    before = rig.reader.state("drain-pool", POOL, str(receipt["id"]))
    rig.finish()
    after = rig.reader.state("drain-pool", POOL, str(receipt["id"]))

    assert ("running", "done") == (before.status, after.status)


def test_what_was_not_approved_is_not_sent(rig: Rig) -> None:
    """The digest is of another request."""
    with pytest.raises(Conflict, match=r"request drain-pool .*is another one now than the one that was approved"):
        rig.writer.send("drain-pool", POOL, digest=replace(rig.template, method="PUT").digest, token="t")

    assert 0 == rig.done()


def test_what_is_not_pinned_is_nothing(rig: Rig) -> None:
    """No name but those of engine.yaml."""
    sentence = "unknown request 'rm'; known are drain-pool (add it under requests in engine.yaml)"

    with pytest.raises(InvalidTarget) as looked:
        rig.reader.template("rm")
    with pytest.raises(Permanent) as sent:
        rig.writer.send("rm", {}, digest="", token="t")

    assert [sentence, sentence] == [str(looked.value), str(sent.value)]


@pytest.mark.parametrize("pool", ["", ".", ".."])
def test_what_would_change_the_address_is_refused(pool: str, rig: Rig) -> None:
    """Before anything is sent."""
    with pytest.raises(Permanent, match="would make it another address"):
        rig.writer.send("drain-pool", {"pool": pool}, digest=rig.template.digest, token="t")

    assert 0 == rig.done()
