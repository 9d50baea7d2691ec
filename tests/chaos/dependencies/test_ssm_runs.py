"""Parameters of SSM behind a proxy that lies: each call at the port, and whole runs; counted by SSM's own versions."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import boto3
import pytest

from runbook_adapters.aws import clients
from runbook_adapters.ssm import ADAPTER
from runbook_engine.model.runbook import Step
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, Served, World
from tests.chaos.dependencies.judging import Judge, Look, Write
from tests.chaos.dependencies.proxy import BEFORE, FAULTS, Fault, Pace, Proxy, Seeded, proxy
from tests.chaos.dependencies.runs import PLACE, Case, JumpingClock, Runs
from tests.chaos.tally import LONG, SEED, tries
from tests.contract.aws.account import ENDPOINT, KEYS, NOW, REGION, context, environment, serve
from tests.emulators.aws.faults import Faults
from tests.emulators.aws.server import Server
from tests.emulators.aws.wire import Wire

pytestmark = pytest.mark.timeout(3600 if LONG else 120)
PACE = Pace(slow=0.01, late=0.9, drip=0.01)
UNBOUNDED: tuple[Fault, ...] = ("drip", "endless")  # boto3 bounds neither the time nor the size of a whole answer
LOST: tuple[Fault, ...] = ("reset after", "cut", "garbage", "page after", "other shape", "late", "500 after")
KINDS: list[tuple[str, tuple[Fault, ...]]] = [
    ("lost responses", LOST),
    ("lost requests and refusals", BEFORE),
    ("every fault", FAULTS),
]
SWITCHES = ["", "boto3"] if LONG else [""]
Fresh = tuple[Callable[[], Any], Callable[[], int]]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for an answer here, nor tries four times."""
    monkeypatch.setattr(clients, "READ_TIMEOUT", 0.5)
    monkeypatch.setattr(clients, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setitem(clients.ATTEMPTS, "looking", 1)


@dataclass
class Account:
    """An account of AWS, the proxy before it, and what others ask it directly."""

    name: str
    before: Proxy
    direct: Any
    spared: tuple[Fault, ...]  # what its client has no bound against

    def served(self, port: Any, **settings: Any) -> Served:
        """Return the adapter for one port."""
        return serve(ADAPTER, port, context(), **settings)

    def set(self, value: str | None) -> Target:
        """Arrange a parameter of its own."""
        name = f"/{uuid.uuid4().hex}"
        if value is not None:
            self.direct.put_parameter(Name=name, Value=value, Type="String")
        return Target("parameter", PLACE, "", name)

    def versions(self, target: Target) -> int:
        """Return how often a parameter was written."""
        try:
            return int(self.direct.get_parameter(Name=target.name)["Parameter"]["Version"])
        except self.direct.exceptions.ParameterNotFound:
            return 0

    def absent(self, target: Target) -> int:
        """Return whether a parameter is gone, as a count."""
        return int(self.versions(target) == 0)

    def writing(self, writer: Any, before: str | None, after: str | None) -> Callable[[], Fresh]:
        """Return what arranges one write of a parameter of its own."""

        def fresh() -> Fresh:
            target = self.set(before)
            count = self.absent if after is None else self.versions
            return lambda: writer.write(target, after, expected=before), lambda: count(target)

        return fresh


@pytest.fixture(params=SWITCHES, ids=lambda switch: switch or "the lean client")
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account over HTTP, behind the proxy."""
    with ExitStack() as stack:
        server = Server(Wire(Faults()))
        stack.callback(server.close)
        before = stack.enter_context(proxy(server.url, pace=PACE))
        switch = {"RUNBOOK_AWS_CLIENT": request.param} if request.param else {}
        stack.enter_context(environment(**KEYS, **{ENDPOINT: before.url}, **switch))
        name = "ssm, by boto3" if request.param else "ssm"
        direct = boto3.client("ssm", region_name=REGION, endpoint_url=server.url)
        yield Account(name, before, direct, UNBOUNDED if request.param else ())


def test_every_call_of_ssm_is_right_or_says_so(account: Account) -> None:
    """A value is read or unreadable; a change is done, not done, or in doubt."""
    flags, pause = account.served("flags"), account.served("pause", parameter="/pause")
    secrets = account.served("secrets")
    target, absent = account.set("on"), account.set(None)
    account.direct.put_parameter(Name="/secret", Value="hunter2", Type="SecureString", Overwrite=True)
    judge = Judge(account.name, account.before, limit=6.0, spare=lambda name, fault: fault in account.spared)

    for look in (
        Look("flag", lambda: flags.reader.flag(target)),
        Look("no flag", lambda: flags.reader.flag(absent)),
        Look("no pause", lambda: pause.reader.pause(NOW)),
        Look("secret", lambda: secrets.reader._fetch("/secret")),
    ):
        judge.look(look)
    for write in (
        Write("create", account.writing(flags.writer, None, "on")),
        Write("replace", account.writing(flags.writer, "off", "on")),
        Write("remove", account.writing(flags.writer, "off", None)),
    ):
        judge.write(write)

    judge.settle()


@pytest.mark.parametrize(("name", "faults"), KINDS if LONG else KINDS[-1:], ids=lambda given: str(given)[:12])
def test_flags_are_set_once_when_ssm_lies(account: Account, name: str, faults: tuple[Fault, ...]) -> None:
    """Whatever is lost or garbled: what is said to be set is set, and has one version more."""
    lot, clock = random.Random(SEED), JumpingClock()
    flags = account.served("flags")
    faults = tuple(fault for fault in faults if fault not in account.spared)

    def world(simulated: World) -> World:
        return replace(simulated, flags=flags.reader)

    def effects(simulated: Effects) -> Effects:
        return replace(simulated, flags=flags.writer)

    runs = Runs(account.name, name, clock, world, effects, pause=0.0)
    while account.before.faulty < tries(5, 500):
        target = account.set("off")
        step = Step(name="degrade", action="degrade", arguments={"parameter": target.name, "value": "on"})
        account.before.decide = Seeded(lot.randrange(2**31), lot.choice((0.1, 0.3, 0.6)), faults)
        runs.play(Case(target, (step,), (), partial(account.versions, target)))
        account.before.decide = lambda asked: None

    runs.settle(account.before.faulty)
