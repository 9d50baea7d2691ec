"""The kind RunbookPart: what several runbooks share, written once; a runbook that uses it fills in its parameters.

A part says nothing about alerts, targets or modes: those are why and on what a runbook acts, and stay in the runbook
where an on-call looks for them. What it holds is judged in full wherever it is used, with the values it has there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from runbook_engine.documents.document import Document, Envelope
from runbook_engine.documents.field_types import Name

ParameterType = Literal["string", "integer", "number", "boolean", "duration", "percent"]
Section = Mapping[str, Any]
Sections = Section | tuple[Section, ...]


class PartMetadata(Document):
    """What this part is."""

    name: Name
    """The name."""
    summary: str = ""
    """What it does, in a sentence."""


class ParameterDocument(Document):
    """One value that a runbook fills in."""

    type: ParameterType = "string"
    """What the value must be."""
    default: str | int | float | bool | None = None
    """The value when a runbook gives none; without a default every runbook must."""
    description: str = ""
    """What it means."""


class RunbookPartDocument(Envelope):
    """What several runbooks share; a text in it may hold {{ parameters.NAME }}."""

    kind: Literal["RunbookPart"]
    """This document is a part of runbooks."""
    metadata: PartMetadata
    """What this part is."""
    parameters: Mapping[str, ParameterDocument] = {}
    """The values that a runbook fills in, under "with"."""
    require: Sections = ()
    """As in a runbook; its own are added."""
    diagnostics: tuple[Section, ...] = ()
    """As in a runbook; its own are added."""
    verify: Sections = ()
    """As in a runbook; its own are added."""
    do_no_harm: Section | None = None
    """As in a runbook, which then has none of its own."""
    guardrails: Section | None = None
    """As in a runbook, which may only tighten them."""
    steps: tuple[Section, ...] = ()
    """As in a runbook; its own come after these."""
    notify: tuple[Section, ...] = ()
    """As in a runbook; its own are added."""
