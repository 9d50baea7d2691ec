"""Functions, queues and automations of the simulated world as tests describe them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Duration, Flag, Text

Version = Annotated[Count, Field(ge=1)]
CanaryText = Annotated[str, Field(pattern=r"^([0-9]+=[0-9]+(\.[0-9]+)?)?$")]
Value = Annotated[str | None, WithJsonSchema({"type": ["string", "null"]})]
AutomationEnd = Literal["succeeded", "failed"]


class VersionDocument(Document):
    """One published version of a function."""

    number: Version
    """Its number, rising."""
    released_ago: Duration | None = None
    """How long before the start it was published."""
    healthy: Flag | None = None
    """How it did; unknown when absent."""
    summary: str = ""
    """What people call it."""


class FunctionDocument(Document):
    """A function of the simulated world."""

    name: Text
    """Its name."""
    place: str = ""
    """The place of the adapter that serves it."""
    aliases: Mapping[str, Version] = {}
    """Its aliases, and the version that each points to."""
    canaries: Mapping[str, CanaryText] = {}
    """Aliases whose calls go to a second version too, and the share in percent, as in {live: 8=10}."""
    versions: tuple[VersionDocument, ...] = ()
    """Its published versions, newest first; those that its aliases point to when absent."""
    env: Mapping[str, str] = {}
    """The environment of its unpublished code."""
    concurrency: Count | None = None
    """How many calls may run at once; no bound when absent."""
    service: str = ""
    """The service that it belongs to."""
    bypassed: str = ""
    """Who calls it without the alias, as a sentence; nobody when absent."""
    managed: str = ""
    """What else deploys it, as in terraform; nobody known when absent."""


class QueueDocument(Document):
    """A queue of the simulated world."""

    name: Text
    """Its name."""
    place: str = ""
    """The place of the adapter that serves it."""
    messages: Count = 0
    """How many wait in it."""
    sources: tuple[Text, ...] = ()
    """The queues whose dead letters come here; none = no dead-letter queue."""
    poisoned: Count = 0
    """How many of them are dead again as soon as they have been moved."""
    service: str = ""
    """The service that it belongs to."""


class FunctionEdit(Document):
    """What is new about a function."""

    name: Text
    """Its name."""
    place: str = ""
    """The place of the adapter that serves it."""
    alias: Text | None = None
    """The alias that is pointed to a new release."""
    released: Text | None = None
    """A new version, under this name."""
    concurrency: Count | None = None
    """How many calls may run at once now."""


class FunctionExpectation(Document):
    """What must be true of a function."""

    name: Text
    """Its name."""
    place: str = ""
    """The place of the adapter that serves it."""
    alias: Text | None = None
    """The alias that `version` and `canary` are about."""
    version: Version | None = None
    """The version that the alias points to."""
    canary: CanaryText | None = None
    """The second version and its share; empty text = there is none."""
    concurrency: Count | None = None
    """How many calls may run at once."""
    throttled: Flag | None = None
    """Whether there is a bound of its own at all."""
    env: Mapping[str, Value] = {}
    """Values of its environment; null = it does not exist."""
