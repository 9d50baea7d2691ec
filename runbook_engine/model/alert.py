"""One labelled signal, whatever system sent it.

Every source parses its sender's format into this one value, so that matching, correlation and the runbooks
never learn who the sender was. Label and annotation values are hostile text: they are data, kept verbatim,
and never become code, a path, an address or a log line.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

Kind = Literal["alert", "event", "change", "control"]
AlertStatus = Literal["firing", "resolved", "nodata", "suppressed", "unknown"]
Severity = Literal["critical", "high", "warning", "low", "info", "none", "unknown"]
FingerprintKind = Literal["native", "derived"]

SCHEMA_VERSION = 1
TOLD_LATE = "told_late"  # it may be a recording that somebody sends again
ACKNOWLEDGED = "acknowledged"  # somebody has taken it already

SEVERITY_NUMBERS: Mapping[Severity, int] = {
    "critical": 5,
    "high": 4,
    "warning": 3,
    "low": 2,
    "info": 1,
    "none": 0,
    "unknown": -1,
}


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Where an alert stood in the delivery that brought it."""

    index: int = 0
    size: int = 1
    truncated: int = 0


class Resource(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the alert is about; every value has passed the validator of its type, else it is None."""

    cluster: str | None = None
    namespace: str | None = None
    kind: str | None = None
    name: str | None = None
    container: str | None = None
    account: str | None = None
    region: str | None = None
    arn: str | None = None


class Links(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Where a person may look; http and https only, shown and never fetched."""

    runbook: str | None = None
    dashboard: str | None = None
    generator: str | None = None
    silence: str | None = None
    source: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One alert after normalisation; the fields are the contract of every source."""

    scope: str
    source: str
    name: str
    labels: Mapping[str, str]
    alert_key: str
    received_at: datetime
    status: AlertStatus = "firing"
    kind: Kind = "alert"
    severity: Severity = "unknown"
    severity_raw: str = ""
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    observed_at: datetime | None = None
    fingerprint: str = ""
    fingerprint_kind: FingerprintKind = "derived"
    episode_id: str = ""
    cycle: str = ""  # the sender's own name for one firing, from its begin to its end
    group_key: str | None = None
    delivery_id: str = ""
    batch: Batch = Batch()
    values: Mapping[str, float] = msgspec.field(default_factory=dict)
    resource: Resource = Resource()
    links: Links = Links()
    warnings: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def severity_number(self) -> int:
        """The severity as a number that orders: critical 5 down to none 0, unknown -1."""
        return SEVERITY_NUMBERS[self.severity]

    @property
    def begins_nothing(self) -> bool:
        """Whether it may carry on what fires already, and never begin a firing of its own: somebody has it."""
        return ACKNOWLEDGED in self.warnings

    @property
    def told_late(self) -> bool:
        """Whether people are told of it and nothing starts: it may be true and late, or a recording."""
        return TOLD_LATE in self.warnings
