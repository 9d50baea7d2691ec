"""Secrets in SecureString parameters, remembered for less than five minutes: that is how long a rotation takes."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import NamedTuple

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import looking
from runbook_adapters.ssm.names import is_name
from runbook_adapters.ssm.parameters import fetch
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import Clock

SERVICE = "ssm"
LONGEST = timedelta(seconds=270)  # whoever makes a keyring of them keeps it for half a minute more
MOST = 100  # secrets remembered at once


class _Kept(NamedTuple):
    value: str
    at: datetime


class SsmSecretReader:
    """Looks up secrets. Any number of threads may ask."""

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def secret(self, path: str) -> str:
        """Return a secret, less than five minutes old. Raises NoAdapter when there is none, Unreadable."""
        now = self._clock.now()
        with self._guard:
            kept = self._kept.get(path)
        if kept is not None and timedelta(0) <= now - kept.at < LONGEST:
            return kept.value
        value = self._fetch(path)
        with self._guard:
            self._kept.pop(path, None)
            while len(self._kept) >= MOST:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = _Kept(value, now)
        return value

    def _fetch(self, path: str) -> str:
        where = f"the secret {{ssm: {path}}}"
        if not is_name(path):
            raise NoAdapter(f"{where} is not the name of a parameter", "write a path such as /runbook-engine/token")
        client = self._clients.looking(SERVICE)
        with looking(where):
            found = fetch(client, path, decrypted=True)
        make = f"aws ssm put-parameter --type SecureString --region {client.meta.region_name} --name {path}"
        if found is None:
            raise NoAdapter(f"{where} does not exist in {client.meta.region_name}", f"make it: {make}")
        if not found.is_secure:
            raise NoAdapter(f"{where} is a {found.kind}, not encrypted", f"delete it, change it, make it: {make}")
        if not found.value.strip():
            raise NoAdapter(f"{where} is empty", "it holds the secret and nothing else")
        return found.value.strip()
