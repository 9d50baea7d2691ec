"""One delivery: what a host hands to the engine, and what a source reads from it.

A host authenticates, the engine parses: a `Request` is already known to come from its scope, and the scope
comes from the credential, never from the payload.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.model.alert import Alert, Severity
from runbook_engine.model.mapping import AlertMapping
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.recent import Recent
from runbook_engine.model.target import Target

MEBIBYTE = 1024 * 1024
CREDENTIALS = frozenset(("authorization", "cookie", "proxy-authorization"))
SECRET_WORDS = (  # in the name of a header: what it holds is nothing to store
    "apikey",
    "api-key",
    "access-key",
    "assertion",
    "authenticat",
    "authoriz",
    "cookie",
    "credential",
    "jwt",
    "oidc",
    "passw",
    "principal",
    "secret",
    "session",
    "signature",
    "token",
)
JSON_TYPES = ("application/json", "application/*+json", "")  # "" = none named
IGNORED = "ignored"  # the code of what is understood, and of which nothing is wanted


class Headers(msgspec.Struct, frozen=True):
    """Every header of a request: names in lower case, each with all the values that were sent."""

    values: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """Return the headers that these pairs are, in any spelling of their names."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            found[name.lower()] = (*found.get(name.lower(), ()), value)
        return cls(found)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return self.values.get(name.lower(), ())

    def one(self, name: str) -> str | None:
        """Return the value of a header that was sent once; None when it is absent, or there are two to choose from."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def plain(self, without: Collection[str] = ()) -> dict[str, str]:
        """Return the headers as a source reads them: without those named in lower case, and without credentials.

        A proxy adds some that no configuration of ours names, and a delivery may be stored with its headers.
        """
        return {
            name: ", ".join(values)
            for name, values in self.values.items()
            if name not in CREDENTIALS and name not in without and not any(word in name for word in SECRET_WORDS)
        }


class Request(msgspec.Struct, frozen=True):
    """One authenticated delivery; header names are lower case, the body is the raw bytes that were sent.

    `origin` is who of the platform delivered it (a topic, a queue, a rule), and empty for what was posted over HTTP:
    what only the platform may say is not believed of a body that anybody with a token can write. What is older than
    `fresh_within` may be a recording of somebody's: people are told of it, and nothing starts.
    """

    scope: str
    source: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    delivery_id: str = ""
    origin: str = ""
    method: str = "POST"
    fresh_within: timedelta | None = None  # None = whoever sent it is believed that it is new


class Rejected(msgspec.Struct, frozen=True):
    """One alert of a delivery that was dropped, and the sentence that says why."""

    index: int
    reason: str


class Parsed(msgspec.Struct, frozen=True):
    """What a delivery meant: the alerts that are valid, those that are not, and codes about the whole.

    `changes` is what somebody else changed, and in what: kept for "what changed?", it never starts a runbook.
    """

    alerts: tuple[Alert, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[tuple[Target, ChangeEvent], ...] = ()

    @property
    def is_useless(self) -> bool:
        """Whether its sender should hear that it cannot be used; what is left out on purpose is none of its faults."""
        return bool(self.rejected) and not self.alerts and not self.changes and IGNORED not in self.warnings


class SourceSettings(msgspec.Struct, frozen=True):
    """What an installation may set about reading deliveries; the defaults are safe."""

    drop_labels: tuple[str, ...] = ("prometheus_replica", "replica")
    severities: Mapping[str, Severity] = msgspec.field(default_factory=dict)
    max_body_bytes: int = 6 * MEBIBYTE
    max_decoded_bytes: int = 20 * MEBIBYTE
    max_alerts: int = 10_000
    mapping: AlertMapping | None = None
    recent: Recent[Any] | None = None  # what this engine has read lately; None = it remembers nothing


class SenderNote(msgspec.Struct, frozen=True, kw_only=True):
    """What people should know of one who sends in a format; the page of senders is made of these."""

    sender: str
    proves: str  # how it says who it is
    retries: str  # what it sends again, and when
    comes: str = "posted"
    example: str = ""  # a file of tests/data/alerts, whole, as it is sent


class SourceSpec(msgspec.Struct, frozen=True):
    """One sender's format: its name, how to parse a request in it, and the media types and methods it may arrive by.

    What is not `posted` comes through the platform alone, so its scope must say from whom.
    """

    name: str
    parse: Callable[[Request, SourceSettings], Parsed]
    content_types: tuple[str, ...] = JSON_TYPES
    posted: bool = True
    methods: tuple[str, ...] = ("POST",)
    notes: tuple[SenderNote, ...] = ()
