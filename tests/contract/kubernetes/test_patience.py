"""Patience with an API server: nothing is prepared for a second try before the first has failed, and none is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import tenacity

from runbook_adapters.kubernetes.problems import NotFound, Unavailable
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Times, Wire
from runbook_engine.entrypoints.clock import SystemClock
from tests.contract.http_service import Asked, HttpService, Told, http_service

WHERE = "/api/v1/namespaces/shop/pods/a"
POD = Told(200, b'{"kind": "Pod", "metadata": {"name": "a"}}')
AWAY = Told(503, b'{"kind": "Status", "status": "Failure", "reason": "ServiceUnavailable", "code": 503}')
GONE = Told(404, b'{"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}')


class Nobody:
    """No credential is needed."""

    def authorization(self, now: object) -> str:
        """None."""
        return ""

    def refresh(self) -> None:
        """Nothing to renew."""


def _transport(
    service: HttpService, patience: float = 5.0, waits: Callable[[float], object] = lambda _: None
) -> Transport:
    wire = Wire(service.url, times=Times(connect=5.0, read=30.0, write=30.0))
    return Transport(wire, Nobody(), SystemClock(), patience=timedelta(seconds=patience), sleep=waits)


def test_nothing_is_prepared_for_a_second_try_when_the_first_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs more than all else that is done for a call, and a refusal that stays one is an answer, too."""
    prepared: list[object] = []
    monkeypatch.setattr(tenacity, "Retrying", lambda **named: prepared.append(named))

    with http_service(lambda asked: POD if asked.path == WHERE else GONE) as service:
        transport = _transport(service)
        found = transport.get(WHERE)
        with pytest.raises(NotFound):
            transport.get("/api/v1/namespaces/shop/pods/b")

    assert ("a", [], 2) == (found["metadata"]["name"], prepared, len(service.asked))


def test_the_first_try_counts_when_a_server_stays_away() -> None:
    """Five tries in all, with a wait before each but the first."""
    waits: list[float] = []

    with http_service(lambda _asked: AWAY) as service, pytest.raises(Unavailable):
        _transport(service, patience=3600.0, waits=waits.append).get(WHERE)

    assert (5, 4) == (len(service.asked), len(waits))


def test_the_time_of_the_first_try_counts_when_it_was_long() -> None:
    """Whoever was waited for longer than patience lasts is not asked again."""

    def slowly(_asked: Asked) -> Told:
        time.sleep(0.2)
        return AWAY

    with http_service(slowly) as service, pytest.raises(Unavailable):
        _transport(service, patience=0.1).get(WHERE)

    assert 1 == len(service.asked)
