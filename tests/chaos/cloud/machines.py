"""Step Functions at its worst: executions that end or are forgotten anywhere, tasks called twice, too late or never.

Everything is in this process: the product's own handlers, and moto's machines in threads of their own. A function whose
execution is ended goes on, as in AWS, and answers nobody; or it dies with it, and only the sweep is left.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from runbook_engine.entrypoints.aws_lambda.driving import drive_on
from tests.emulators.aws import ACCOUNT, REGION, FunctionFailed, Killed
from tests.pipeline.installation import Installation

DRIVE = "runbook-engine-runbook-action"
ENDINGS = ("stopped", "stopped with its function", "forgotten", "forgotten with its function", "ended asleep")
CALLINGS = ("called twice", "called again later", "answered too late", "answer lost", "not called", "called too often")
REFUSED = {"not called": "Lambda.ServiceException", "called too often": "Lambda.TooManyRequestsException"}
MOST_CALLS = 30  # of AWS in one invocation, of which one is chosen
TOO_LATE = 301.0  # seconds: past the limit of the task
PATIENCE = 60.0
AGAIN = timedelta(seconds=30)  # that a function has which is called long after it was wanted
Invoke = Callable[[Any, Any], Any]


@dataclass
class Unreliable:
    """The state machine of one installation. `share` of the calls goes wrong, in one of these ways."""

    installed: Installation
    random: random.Random
    share: float
    ways: tuple[str, ...]
    done: Counter[str] = field(default_factory=Counter)
    _late: list[tuple[Any, Any]] = field(default_factory=list)
    _fate: threading.local = field(default_factory=threading.local)
    _working: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> None:
        """Be between the state machine and the function that drives, and between that and AWS."""
        aws = self.installed.aws
        aws._functions.by_name[DRIVE].handler = self._invoke
        exchange = aws._wire.exchange

        def watched(service: str, operation: str, request: AWSPreparedRequest, send: Callable[[], Any]) -> Any:
            self._pass_call()
            return exchange(service, operation, request, send)

        aws._wire.exchange = watched  # type: ignore[method-assign]  # of this one account

    def between(self) -> None:
        """Wait for functions that answer nobody, call some again that were called long ago, and end who sleeps."""
        end = time.monotonic() + PATIENCE
        while self._working and time.monotonic() < end:
            time.sleep(0.002)
        late, self._late = self._late, []
        for event, context in late:
            self._answer(event, replace(context, deadline=context.clock.now() + AGAIN))
        if "ended asleep" in self.ways:
            for running in self.installed.aws.executions("RUNNING"):
                if self.random.random() < self.share / 4:
                    self._end(running.arn, forget=self.random.random() < 0.5)
                    self.done["ended asleep"] += 1

    def _invoke(self, event: Any, context: Any) -> Any:
        with self._guard:
            way = self.random.choice(self.ways) if self.random.random() < self.share else ""
            nth = self.random.randint(1, MOST_CALLS)
        try:
            return self._spoiled(way, nth, event, context)
        finally:
            self._fate.left = 0

    def _spoiled(self, way: str, nth: int, event: Any, context: Any) -> Any:
        """Answer one call of the task, or not."""
        if way in ENDINGS:
            self._fate.left, self._fate.way, self._fate.execution = nth, way, event["driver"]
            return self._answer(event, context)
        self.done[way] += bool(way)
        if way in REFUSED:
            raise FunctionFailed({"errorType": REFUSED[way], "errorMessage": way})
        answer = self._answer(event, context)
        if way == "called twice":
            return self._answer(event, context)
        if way == "called again later":
            self._late.append((event, context))
        if way == "answered too late":
            self.installed.aws._machines.hang(TOO_LATE)
        if way == "answer lost":
            raise FunctionFailed({"errorType": "Lambda.Unknown", "errorMessage": way})
        return answer

    def _answer(self, event: Any, context: Any) -> Any:
        with self._guard:
            self._working += 1
            host = self.installed.host(acts=True)
        try:
            return drive_on(event, context, host)
        except Killed:
            self.installed._hosts.pop(True, None)
            raise
        finally:
            with self._guard:
                self._working -= 1

    def _pass_call(self) -> None:
        """Pass one call of AWS: at the chosen one the execution ends, and perhaps its function."""
        left = getattr(self._fate, "left", 0)
        if not left:
            return
        self._fate.left = left - 1
        if left == 1:
            way = self._fate.way
            self.done[way] += 1
            self._end(self._fate.execution, forget=way.startswith("forgotten"))
            if way.endswith("with its function"):
                raise Killed(way)

    def _end(self, execution: str, *, forget: bool) -> None:
        """End one run of the state machine from outside; forgotten, nobody can ask for it any more."""
        self.installed.aws.client("stepfunctions").stop_execution(executionArn=execution)
        machines: list[Any] = stepfunctions_parser_backends[ACCOUNT][REGION].state_machines
        for machine in machines:
            if forget:
                machine.executions = [each for each in machine.executions if each.exec_arn != execution]
