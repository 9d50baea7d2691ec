"""A bed of AWS adapters over moto in this process, and the faults that can be put between them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from moto.core.models import botocore_stubber

from runbook_adapters.aws.clients import AwsSettings, Clients, clients_of
from runbook_engine.entrypoints.adapters import convert_settings
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served
from runbook_engine.testing.clock import SimulatedClock

REGION = "eu-central-1"
HERE = AwsSettings(region=REGION)
BOTO3 = {"RUNBOOK_AWS_CLIENT": "boto3"}  # moto stands in for botocore's connections, and for no others


@cache
def shared_clients() -> dict[str, Any]:
    """Return what the adapters of this test process share: a client takes longer to build than a test to run."""
    return {}


@cache
def other_client(service: str) -> Any:
    """Return the client of somebody else, with which a test prepares and looks for itself."""
    return boto3.client(service, region_name=REGION)


@dataclass
class Workshop:
    """moto for one test module."""

    empty: Callable[[], None]

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Workshop]:
        """A workshop over an AWS of its own."""
        with mock.patch.dict(os.environ, BOTO3), mock_aws(config={"lambda": {"use_docker": False}}) as moto:
            yield cls(moto.reset)


@dataclass
class Bed:
    """An installation that has built adapters, and what is done to their clients as long as one test lasts."""

    workshop: Workshop
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    configuration: Configuration = field(default_factory=Configuration)
    _undo: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def on(cls, workshop: Workshop, **given: Any) -> Iterator[Bed]:
        """A bed over an AWS that is empty again."""
        workshop.empty()
        made = cls(workshop, **given)
        try:
            yield made
        finally:
            for undo in made._undo:
                undo()

    def other(self, service: str) -> Any:
        """A client of somebody else."""
        return other_client(service)

    def looking(self, service: str) -> Faults:
        """Faults of the adapters' client that looks."""
        return Faults(self.clients.looking(service), self._undo)

    def touching(self, service: str) -> Faults:
        """Faults of the adapters' client that touches."""
        return Faults(self.clients.touching(service), self._undo)

    @property
    def context(self) -> AdapterContext:
        """What an adapter is built with."""
        return AdapterContext(
            clock=self.clock,
            configuration=self.configuration,
            base=Path(),
            state=Path(),
            secret=lambda reference: "",
            common=shared_clients(),
        )

    @property
    def clients(self) -> Clients:
        """The clients of every adapter of this bed."""
        return clients_of(self.context, HERE)

    def serve(self, adapter: AdapterSpec, port: Port, **settings: Any) -> Served:
        """Build an adapter as an installation does."""
        given = convert_settings({"region": REGION, **settings}, adapter.settings, "here")
        return adapter.build(port, given, self.context)


@dataclass(frozen=True)
class Refusal:
    """What is enough of an answer for botocore to raise an error of it."""

    status_code: int


class Faults:
    """Puts faults between one client and AWS; `sent` counts what went through of the operations that are counted."""

    def __init__(self, client: Any, undo: list[Callable[[], None]]) -> None:
        self._client = client
        self._undo = undo
        self._service = client.meta.service_model.service_id.hyphenize()
        self.sent: dict[str, int] = {}

    def count(self, operation: str) -> None:
        """Count the requests of an operation that really are sent."""

        def counted(**event: Any) -> None:
            self.sent[operation] = self.sent.get(operation, 0) + 1

        self._register(f"before-send.{self._service}.{operation}", counted)

    def refuse(self, operation: str, code: str, *, status: int = 400, says: str = "no", times: int = 1) -> None:
        """Answer an operation with an error, without its effect."""
        answer = {"Error": {"Code": code, "Message": says}, "ResponseMetadata": {"HTTPStatusCode": status}}
        self._each(operation, "before-call", times, lambda event: (Refusal(status), answer))

    def answer(self, operation: str, answer: Mapping[str, Any], *, times: int = 1) -> None:
        """Answer an operation with this, without its effect."""
        self._each(operation, "before-call", times, lambda event: (Refusal(200), dict(answer)))

    def handle(self, operation: str, do: Callable[[Mapping[str, Any]], tuple[Refusal, dict[str, Any]]]) -> None:
        """Answer every request of an operation that moto does not know, whatever else is put before it."""

        def handled(**event: Any) -> Any:
            return do(json.loads(event["params"]["body"]))

        event = f"before-call.{self._service}.{operation}"
        self._client.meta.events.register_last(event, handled)
        self._undo.append(lambda: self._client.meta.events.unregister(event, handled))

    def before(self, operation: str, do: Callable[[], object]) -> None:
        """Do something between a caller's last look and its request, once."""

        def done(event: Mapping[str, Any]) -> None:
            do()

        self._each(operation, "before-call", 1, done)

    def lose_answer(self, operation: str) -> None:
        """Let an operation that moto knows have its effect, and lose the answer, once."""

        def lost(event: Mapping[str, Any]) -> None:
            answered = botocore_stubber(event["event_name"], event["request"])
            assert answered.status_code < 300, "the effect itself failed"
            raise ReadTimeoutError(endpoint_url=event["request"].url)

        self._each(operation, "before-send", 1, lost)

    def _each(self, operation: str, when: str, times: int, do: Callable[[Mapping[str, Any]], Any]) -> None:
        left = [times]

        def handle(**event: Any) -> Any:
            if not left[0]:
                return None
            left[0] -= 1
            return do(event)

        self._register(f"{when}.{self._service}.{operation}", handle)

    def _register(self, event: str, handle: Callable[..., Any]) -> None:
        self._client.meta.events.register_first(event, handle)
        self._undo.append(lambda: self._client.meta.events.unregister(event, handle))
