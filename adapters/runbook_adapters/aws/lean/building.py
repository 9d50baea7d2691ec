"""Building lean clients: what those of one process share, which is its connections, its credentials and its time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from runbook_adapters.aws.lean.choosing import Place
from runbook_adapters.aws.lean.client import LeanClient, Timekeeper
from runbook_adapters.aws.lean.credentials import credentials_of
from runbook_adapters.aws.lean.retrying import Patience
from runbook_adapters.aws.lean.services import SERVICES
from runbook_adapters.aws.lean.wire import Wire


class LeanClients:
    """Makes the lean clients of one process."""

    def __init__(
        self, environment: Mapping[str, str], *, connect_timeout: float, read_timeout: float, connections: int
    ) -> None:
        self._credentials = credentials_of(environment)
        self._wire = Wire(connect_timeout, read_timeout, connections, environment)
        self._time = Timekeeper(lambda: datetime.now(UTC))

    def client(self, service: str, place: Place, *, attempts: int, whole: Callable[[], Any]) -> LeanClient:
        """Return a client; `whole` returns boto3's, for the calls that this one does not know."""
        known = SERVICES[service]
        return LeanClient(
            known,
            place,
            credentials=self._credentials,
            wire=self._wire,
            patience=Patience(attempts, known.first_wait, time.sleep, random.random),
            time=self._time,
            whole=whole,
        )
