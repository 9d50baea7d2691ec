"""An AWS account of a test's own: in this process, or a small HTTP server that answers as a service would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from moto import mock_aws
from moto.core import models

from runbook_adapters.aws.clients import COMMON, AwsSettings, Purpose, Sessions
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served
from tests.contract.http_service import HttpService, Told, http_service

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
REGION = "eu-central-1"
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
ENDPOINT = "AWS_ENDPOINT_URL"
BOTO3 = {"RUNBOOK_AWS_CLIENT": "boto3"}  # within a process moto stands in for botocore's connections, not for others
NOWHERE = {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}


class SteppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += timedelta(seconds=seconds)


def of_aws(body: bytes, *headers: tuple[str, str]) -> Told:
    """Return a yes of AWS, which names the request that it answers."""
    return Told(200, body, (("x-amzn-RequestId", "R1"), *headers))


@cache
def _sessions_of(endpoint: str) -> Sessions:
    return Sessions()


def shared_sessions() -> Sessions:
    """Return the sessions of every test against one endpoint: a client takes longer to build than a test to run."""
    return _sessions_of(os.environ.get(ENDPOINT, ""))


def client(service_name: str) -> Any:
    """Return what somebody else asks and tells the account with."""
    return shared_sessions().client(service_name, AwsSettings(region=REGION), "looking")


def context(
    *, clock: SteppedClock | None = None, secrets: Mapping[str, str] | None = None, targets: tuple[str, ...] = ()
) -> AdapterContext:
    """Return what an adapter is built with."""
    return AdapterContext(
        clock=clock or SteppedClock(),
        configuration=Configuration(targets=targets),
        base=Path(),
        state=Path(),
        secret=lambda reference: (secrets or {})[reference.env],
        common={COMMON: shared_sessions()},
    )


def serve(spec: AdapterSpec, port: Port, within: AdapterContext | None = None, **settings: Any) -> Served:
    """Build an adapter for one port, with settings as engine.yaml spells them; in the test's region unless they say."""
    converted = msgspec.convert({"region": REGION, **settings}, spec.settings)
    return spec.build(port, converted, within or context())


@contextmanager
def environment(**names: str) -> Iterator[None]:
    """Let the process have these variables of AWS, and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with mock.patch.dict(os.environ, {**others, **NOWHERE, **names}, clear=True):
        yield


@contextmanager
def account() -> Iterator[None]:
    """Serve an empty account in this process."""
    nobody_calls_by_requests = mock.patch.object(models, "RESPONSES_METHODS", [])  # a thousand patterns for each test
    with environment(**KEYS, **BOTO3), nobody_calls_by_requests, mock_aws():
        yield


@contextmanager
def service() -> Iterator[HttpService]:
    """Answer for every AWS service, over HTTP, as the test tells it to."""
    with http_service() as running, environment(**KEYS, **{ENDPOINT: running.url}):
        yield running


def refusal(code: str, status: int = 400, message: str = "so it is") -> Told:
    """Return how a service that speaks JSON says no."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return Told(status, body, (("Content-Type", "application/x-amz-json-1.1"),))


def meanwhile(
    within: AdapterContext,
    service_name: str,
    operation: str,
    act: Callable[[], object],
    purpose: Purpose = "touching",
) -> None:
    """Let something happen right before the next call of that operation reaches the service."""
    sessions: Sessions = within.common[COMMON]
    events = sessions.client(service_name, AwsSettings(region=REGION), purpose).meta.events
    name = f"before-call.{service_name}.{operation}"

    def once(**_: object) -> None:
        events.unregister(name, once)
        act()

    events.register(name, once)
