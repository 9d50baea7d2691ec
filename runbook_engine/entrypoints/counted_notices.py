"""Counted notices: whether receivers could be told, as two counters of /metrics.

That an engine acts and nobody hears of it is seen nowhere else: the notices fail one by one, each in its own run.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter

from runbook_engine.errors import Busy, RunbookError
from runbook_engine.model.observation import Message
from runbook_engine.ports import Notifier


@dataclass(frozen=True, slots=True)
class CountedNotices:
    """Tells receivers through another notifier, and counts each attempt by what became of it."""

    notifier: Notifier
    notices: Counter

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the receiver's reference. Raises what the notifier raises."""
        try:
            reference = self.notifier.send(receiver, message)
        except Busy:
            raise
        except RunbookError:
            self.notices.labels(receiver, "failed").inc()
            raise
        self.notices.labels(receiver, "told").inc()
        return reference
