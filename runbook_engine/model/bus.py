"""What the engine tells the world around it: events on a bus, which others may act on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

BUS_SOURCE = "runbook-engine"
BUS_VERSION = 1  # of the details; raised when a consumer would have to change

BusEventKind = Literal["Execution Due", "Alert Received", "Execution Audited"]


class BusEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. It is delivered at least once and in no order, and its detail stays small: ids, not bodies."""

    kind: BusEventKind
    at: datetime
    detail: Mapping[str, Any]


class Unpublished(msgspec.Struct, frozen=True, kw_only=True):
    """One event that the bus did not take, after every try."""

    event: BusEvent
    code: str
    reason: str
