"""The prometheus adapter when a range holds more than is taken: it says so by type, so that less is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_adapters.prometheus.reader import PrometheusReader
from runbook_adapters.web import Web
from runbook_engine.errors import TooMuch
from tests.contract.http_service import Told, http_service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_answer_that_is_too_large_is_too_much() -> None:
    """With the address and the query, as every failure is told."""
    with http_service() as service:
        service.tell(Told(200, b"x" * 2000, (("Content-Type", "application/json"),)))
        reader = PrometheusReader(Web(most_bytes=1000), service.url, lambda: "")

        with pytest.raises(TooMuch) as refusal:
            reader.history("ALERTS", {}, NOON, NOON + timedelta(days=1), timedelta(minutes=1))

    assert f"{service.url} cannot answer ALERTS: the answer is larger than 1000 bytes" == str(refusal.value)
