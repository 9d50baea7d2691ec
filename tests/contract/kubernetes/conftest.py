"""The cluster that these tests run against: the emulator, or with RUNBOOK_TEST_KUBECONFIG any real one.

A real cluster is reached through the kubeconfig of that path, in the context RUNBOOK_TEST_CONTEXT. Each test makes a
namespace of its own and deletes it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_adapters.kubernetes.kubeconfig import load_kubeconfig
from runbook_adapters.kubernetes.settings import checked_server
from runbook_adapters.kubernetes.tls import ca_of_file, trust
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Wire
from tests.contract.kubernetes.bed import OURS, Bed
from tests.contract.kubernetes.client import Client
from tests.emulators.kubernetes import FakeCluster

REAL = os.environ.get("RUNBOOK_TEST_KUBECONFIG", "")
CONTEXT = os.environ.get("RUNBOOK_TEST_CONTEXT", "")
NODES = ("node-a", "node-b", "node-c")


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Nobody:
    """No credential: the emulator asks for none unless told to."""

    def authorization(self, now: datetime) -> str:
        return ""

    def refresh(self) -> None:
        """Nothing is kept."""


@pytest.fixture
def cluster() -> Iterator[Bed]:
    """A cluster with three nodes of the tests' own, and a namespace of this test's own."""
    yield from _real() if REAL else _emulated()


@pytest.fixture
def fake(cluster: Bed) -> FakeCluster:
    """The emulator behind the cluster: what loses answers on demand. Without it the test is skipped."""
    if cluster.fake is None:
        pytest.skip("a real cluster loses no answer on demand")
    return cluster.fake


def _emulated() -> Iterator[Bed]:
    with FakeCluster() as fake:
        for name in NODES:
            fake.node(name, labels=OURS)
        transport = Transport(Wire(fake.url), Nobody(), SystemClock(), patience=timedelta(seconds=1))
        yield from _within(transport, Client(Wire(fake.url), None), fake)


def _real() -> Iterator[Bed]:
    found = load_kubeconfig(Path(REAL), CONTEXT, may_guess=False)
    tls = trust(ca_of_file(found.ca) if found.ca else "", certificate=found.certificate, key=found.key)
    wire = Wire(checked_server(found.server), tls=tls, server_name=found.server_name)
    transport = Transport(wire, found.credentials, SystemClock())
    yield from _within(transport, Client(wire, found.credentials), None)


def _within(transport: Transport, client: Client, fake: FakeCluster | None) -> Iterator[Bed]:
    namespace = f"runbook-engine-test-{uuid.uuid4().hex[:8]}"
    client.create("namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    client.namespace = namespace
    try:
        yield Bed(transport, client, namespace, patience=90 if fake else 180, fake=fake)
    finally:
        client.delete("namespace", namespace)
