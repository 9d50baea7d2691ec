"""Retrying as botocore's standard mode does: only what may pass, ever later, and not for ever when all fails.

Only what looks asks again; what touches has one attempt, and the engine decides what a lost answer means.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runbook_adapters.aws.lean.failures import CallRefused, LeanError

THROTTLES = frozenset(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
    )
)
PASSING = frozenset(("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"))
PASSING_STATUS = frozenset((500, 502, 503, 504))
THROTTLE_WAIT = 1.0  # seconds, before it is doubled
LONGEST_WAIT = 20.0
MOST_ADDED = 5.0  # seconds that a service may ask for beyond that
RETRY_AFTER = "x-amz-retry-after"  # milliseconds
CAPACITY, COST, THROTTLE_COST = 500, 14, 5


@dataclass(slots=True)
class Quota:
    """How many retries are left; a service that fails everybody is not asked four times by everybody."""

    left: int = CAPACITY
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self, cost: int) -> bool:
        """Take what a retry costs, if there is as much."""
        with self._guard:
            enough = self.left >= cost
            self.left -= cost if enough else 0
            return enough

    def give_back(self, cost: int) -> None:
        """Give back what the last retry cost, or a little for a call that needed none."""
        with self._guard:
            self.left = min(CAPACITY, self.left + (cost or 1))


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a client asks, and how long it waits in between."""

    attempts: int
    first_wait: float
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    quota: Quota = field(default_factory=Quota)

    def ask(self, once: Callable[[int], Any]) -> Any:
        """Return what `once` returns, which is told how often it was called before. Raises what it raises last."""
        spent, attempt = 0, 0
        while True:
            try:
                answer = once(attempt)
            except LeanError as failure:
                attempt += 1
                cost = cost_of(failure)
                if attempt >= self.attempts or not cost or not self.quota.take(cost):
                    raise
                spent = cost
                self.sleep(self._wait(failure, attempt))
                continue
            self.quota.give_back(spent)
            return answer

    def _wait(self, failure: LeanError, attempt: int) -> float:
        first = THROTTLE_WAIT if cost_of(failure) == THROTTLE_COST else self.first_wait
        wait: float = self.jitter() * min(first * 2 ** (attempt - 1), LONGEST_WAIT)
        return max(wait, min(_asked_for(failure), MOST_ADDED + wait))


def cost_of(failure: LeanError) -> int:
    """Return what asking again costs; 0 = it is in vain."""
    if not isinstance(failure, CallRefused):
        return COST
    code = failure.response["Error"]["Code"]
    if code in THROTTLES:
        return THROTTLE_COST
    status = failure.response["ResponseMetadata"]["HTTPStatusCode"]
    return COST if code in PASSING or status in PASSING_STATUS else 0


def _asked_for(failure: LeanError) -> float:
    headers = failure.response["ResponseMetadata"]["HTTPHeaders"] if isinstance(failure, CallRefused) else {}
    told = str(headers.get(RETRY_AFTER, ""))
    return int(told) / 1000 if told.isascii() and told.isdigit() and len(told) < 10 else 0.0
