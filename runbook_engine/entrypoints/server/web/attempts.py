"""Attempts: whoever shows wrong tokens has to wait, and nobody else does.

After so many wrong ones within a minute, tokens from the same client are not even looked at until the oldest of those
attempts is a minute old. That keeps out people at that address who have yet to sign in, and only them: sessions, names
from a proxy and the API are not slowed. It holds for one web process, and for a bounded number of clients; when there
are more, the one that was quiet for the longest is forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST_WRONG = 10
WITHIN = timedelta(minutes=1)
MOST_CLIENTS = 4096


@dataclass(slots=True)
class Attempts:
    """The wrong tokens of the last minute, by client."""

    most_clients: int = MOST_CLIENTS
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _wrong: OrderedDict[str, deque[datetime]] = field(default_factory=OrderedDict)

    def wait(self, client: str, now: datetime) -> timedelta:
        """Return how long a client must wait before its next attempt; nothing = it need not."""
        with self._guard:
            wrong = self._wrong.get(client, deque())
            if len(wrong) < MOST_WRONG:
                return timedelta(0)
            return max(timedelta(0), wrong[0] + WITHIN - now)

    def failed(self, client: str, now: datetime) -> None:
        """Count a wrong token."""
        with self._guard:
            self._wrong.setdefault(client, deque(maxlen=MOST_WRONG)).append(now)
            self._wrong.move_to_end(client)
            while len(self._wrong) > self.most_clients:
                self._wrong.popitem(last=False)
