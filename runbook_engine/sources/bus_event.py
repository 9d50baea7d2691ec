"""One event of EventBridge, as it arrives through whatever carried it: a rule, a topic or a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import Request
from runbook_engine.sources.values import text_of

REPLAYED = "replayed"


class BusEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, as some service told the bus."""

    id: str
    source: str
    detail_type: str
    account: str
    region: str
    time: str
    resources: tuple[str, ...]
    detail: Mapping[str, Any]
    replayed: bool  # out of an archive: told again, long after it happened

    @property
    def place(self) -> str:
        """Where it happened, as targets name it."""
        return f"{self.account}/{self.region}"


def read_bus_event(values: object) -> BusEvent | None:
    """Return the event that these values are; None when they are none."""
    if not isinstance(values, dict) or not isinstance(values.get("detail"), dict):
        return None
    if not isinstance(values.get("detail-type"), str) or not isinstance(values.get("source"), str):
        return None
    resources = values.get("resources")
    return BusEvent(
        id=text_of(values.get("id")),
        source=values["source"],
        detail_type=values["detail-type"],
        account=text_of(values.get("account")),
        region=text_of(values.get("region")),
        time=text_of(values.get("time")),
        resources=tuple(map(text_of, resources)) if isinstance(resources, list) else (),
        detail=values["detail"],
        replayed="replay-name" in values,
    )


def demand_platform(request: Request, what: str) -> None:
    """Raise InvalidAlert unless AWS itself brought the delivery: posted text can claim to be anything."""
    if not request.origin:
        raise InvalidAlert(
            "schema",
            f"{what} come through AWS and are never posted (let a rule, a topic or a queue call the function, and name "
            "it in the scope's from)",
        )
