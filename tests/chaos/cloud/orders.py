"""Orders: alerts whose runs each make changes of their own, so that what happened can be counted at the targets.

A `shed` sets a parameter and puts it back (SSM keeps every version), an `ask` does so after a yes; a `call` sends a
request that must never be sent twice (a server counts). Whoever sends the alerts does as Alertmanager does: without a
202 it sends them again.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

import msgspec

from runbook_engine.model.execution import Execution
from tests.chaos.tally import Tally
from tests.crash.invariants import assert_chained
from tests.pipeline.installation import CONFIG, Installation

Kind = Literal["shed", "ask", "call"]
SHED = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: shed, owner: team-checkout, summary: Shed one feature until the alert has resolved.}
matchers: [alertname = Shed]
inputs: {flag: {from: alert.labels.target, type: parameter}}
target: {parameter: "{{ inputs.flag }}"}
mode: auto
guardrails: {cooldown: 1m, deadline: 2h}
steps:
  - name: shed
    action: degrade
    with: {parameter: "{{ inputs.flag }}", value: "true"}
    compensate: {when: resolved, holdFor: 1m}
notify:
  - {receiver: oncall, events: [notFixed]}
"""
CALL = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: call, owner: team-checkout, summary: Send one request that must not be sent twice.}
matchers: [alertname = Call]
inputs:
  flag: {from: alert.labels.target, type: parameter}
  order: {from: alert.labels.order, type: namespace}
target: {parameter: "{{ inputs.flag }}"}
mode: auto
guardrails: {cooldown: 1m, deadline: 2h}
steps:
  - name: call
    action: http
    with: {request: call, arguments: {order: "{{ inputs.order }}"}}
notify:
  - {receiver: oncall, events: [notFixed]}
"""
ASK = SHED.replace("Shed]", "Ask]").replace("name: shed,", "name: ask,").replace("mode: auto", "mode: approve")
REQUEST = """
storm: {maxTargets: 1000}
requests:
  call:
    method: POST
    url: %s/orders/{{ parameters.order }}
    parameters: [order]
    effect: {says: places an order, repeat: once, changes: order}
    approval: none
"""
SOON = timedelta(seconds=15)  # a sender's pause between two tries
STEP = timedelta(minutes=1)
LONGEST = 100  # steps until an order must be at rest: its deadline and the undoing are over
MOST_POSTS = 60
DEMOTED = "demoted to approve until a commit changes it"  # of a runbook of which another run ended in doubt


class CountingServer:
    """Counts the requests that it gets for each order, and takes them all."""

    def __init__(self) -> None:
        counted: Counter[str] = Counter()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # as it is called
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                counted[self.path.rpartition("/")[2]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # as it is called
                """Say nothing."""

        self.counted = counted
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def config(url: str) -> str:
    """Return the installation that lets both runbooks act."""
    allowed = CONFIG.replace('["parameter=/checkout/*"]', '["parameter=/checkout/*", "request=call"]')
    return allowed.replace("  flags:", "  requests: {adapter: http}\n  flags:") + REQUEST % url


class Order(msgspec.Struct, frozen=True):
    """One alert, and the one target that only its run touches."""

    name: str
    kind: Kind

    @property
    def parameter(self) -> str:
        """The parameter that is its target."""
        return f"/checkout/{self.name}"

    @property
    def effects(self) -> int:
        """How many changes its target must see: set and put back, or called."""
        return 1 if self.kind == "call" else 2


@dataclass
class Found:
    """What the targets and the journals say of orders so far."""

    effects: int = 0
    lost: int = 0
    doubled: int = 0
    doubtful: int = 0
    unpaged: int = 0
    broken: int = 0
    withheld: int = 0  # runs of a runbook that is no longer trusted to act by itself
    says: list[str] = field(default_factory=list)

    def tally(self, host: str, fault: str, tries: int, remark: str) -> Tally:
        """Return the row of the table."""
        if self.withheld:
            remark = f"{remark}; {self.withheld} more withheld and paged: a run of their runbook ended unknown"
        return Tally(
            host=host,
            fault=fault,
            tries=tries,
            effects=self.effects,
            lost=self.lost,
            doubled=self.doubled,
            doubtful=self.doubtful,
            unpaged=self.unpaged,
            broken=self.broken,
            remark=remark,
        )


@dataclass
class Shop:
    """One installation, and the orders that it was given."""

    installed: Installation
    calls: Counter[str]
    answers: Counter[int] = field(default_factory=Counter)  # statuses of posts
    orders: list[tuple[Order, dict[str, Any]]] = field(default_factory=list)
    between: Callable[[], None] = lambda: None  # what happens besides while time passes

    def place(self, orders: Iterable[Order]) -> None:
        """Let the alerts of orders fire in one delivery, until the front door has taken them."""
        ssm = self.installed.aws.client("ssm")
        placed = []
        for order in orders:
            ssm.put_parameter(Name=order.parameter, Value="false", Type="String")
            alert = self.installed.fires(order.kind.capitalize(), target=order.parameter, order=order.name)
            placed.append((order, alert))
        self._post([alert for _, alert in placed])
        self.orders += placed

    def resolve(self) -> None:
        """Let all that fires resolve."""
        for start in range(0, len(self.orders), 4):
            self._post([self.installed.resolved(alert) for _, alert in self.orders[start : start + 4]])

    def pass_time(self, steps: int) -> None:
        """Let minutes pass; the platform does what is due in them."""
        for _ in range(steps):
            self.between()
            self._approve()
            self.installed.aws.advance(STEP, timeout=300)

    def rest(self) -> None:
        """Let time pass until every run has come to its end, or until it must have."""
        for _ in range(LONGEST):
            if all(_at_rest(run) for run in self._runs().values()):
                break
            self.pass_time(1)
        self.pass_time(1)  # for what comes late, and must come to nothing

    def judge(self, found: Found) -> None:
        """Count at the targets what was made of every order, and hold it against what the journal says."""
        runs, journal = self._runs(), self.installed.host(acts=False).engine.journal
        paged = {told["execution_id"] for told in self.installed.told() if told["event"] == "notFixed"}
        for order, _ in self.orders:
            run = runs.get(order.parameter)
            judge_order(found, order, run, self._counted(order), paged)
            if run is None:
                continue
            try:
                assert_chained(run, journal.audit(run.id))
            except AssertionError as error:
                found.broken += 1
                found.says.append(f"{order.name}: {error}")

    def _approve(self) -> None:
        """Say yes to all that is asked, as a person does who looks once a minute."""
        front = self.installed.host(acts=False)
        for run in self._runs().values():
            if run.approval is not None and not front.engine.journal.signals(run.id, run.signals_consumed):
                front.engine.approve(run.id, plan_hash=run.approval.hash, by="ann", now=front.clock.now())
                front.waker.wake([run.id])

    def _counted(self, order: Order) -> int:
        """Return how many effects the target had."""
        if order.kind == "call":
            return self.calls[order.name]
        history = self.installed.aws.client("ssm").get_parameter_history(Name=order.parameter)["Parameters"]
        return len(history) - 1

    def _runs(self) -> dict[str, Execution]:
        journal = self.installed.host(acts=False).engine.journal
        found = journal.executions(limit=1000)
        assert len({run.target.name for run in found}) == len(found), "two runs of one alert"
        return {run.target.name: run for run in found}

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        for _ in range(MOST_POSTS):
            status = self.installed.post(*alerts).status
            self.answers[status] += 1
            if status == 202:
                return
            self.installed.aws.advance(SOON, timeout=300)
        raise AssertionError(f"not taken in after {MOST_POSTS} posts: {dict(self.answers)}")


def _at_rest(run: Execution) -> bool:
    return run.ended and run.due_at is None and run.compensation not in ("held", "undoing")


def judge_order(found: Found, order: Order, run: Execution | None, counted: int, paged: Collection[str]) -> None:
    """Hold what the target counted of one order against what the journal says of its run, and who was paged for.

    A run that never began, since another one of its runbook ended in doubt, wants nothing but a person.
    """
    if run is not None and run.status == "blocked" and DEMOTED in run.reason and not counted:
        found.withheld += 1
        if run.id not in paged:
            found.unpaged += 1
            found.says.append(f"{order.name} is withheld, and nobody was paged")
        return
    found.effects += order.effects
    found.doubled += max(0, counted - order.effects)
    if run is None:
        found.lost += order.effects
        found.says.append(f"{order.name} was taken, and there is no run")
        return
    if any(effect.status == "unknown" for step in run.steps for effect in step.effects):
        found.doubtful += 1
        if run.id not in paged:
            found.unpaged += 1
            found.says.append(f"{order.name} is in doubt, and nobody was paged")
        return
    found.lost += max(0, order.effects - counted)
    wanted = ("succeeded", "none" if order.kind == "call" else "undone")
    if counted != order.effects or (run.status, run.compensation) != wanted:
        found.says.append(f"{order.name}: {counted} effects, {run.status} {run.compensation}: {run.reason}")


def new_orders(count: int, first: int, dice: random.Random, kinds: Sequence[Kind] = ("shed", "call")) -> list[Order]:
    """Return so many orders that nobody has placed yet, of these kinds."""
    return [Order(f"order-{number}", dice.choice(kinds)) for number in range(first, first + count)]
