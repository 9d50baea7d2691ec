"""A signal: what others tell an execution. It is appended beside it; only `drive` consumes it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

SignalKind = Literal["joined", "resolved", "expired", "approved", "denied", "cancelled", "taken_over", "released"]


class Signal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One signal. `number` is given by the journal, rising by one for each execution, from 1."""

    kind: SignalKind
    at: datetime
    number: int = 0
    by: str = ""  # a person's name, empty for alerts
    reason: str = ""
    alert_key: str = ""
    episode_id: str = ""
    name: str = ""
    plan_hash: str = ""  # approved, denied: the hash of what is answered; a no without one answers whatever is asked
    until: datetime | None = None  # taken over: how long its targets are kept from other runs; None = as is usual
    storm: bool = False  # released: the storm latch lets go, nobody gives back what they took over
    undo: bool = False  # cancelled, taken over: undo what we changed, else keep it
