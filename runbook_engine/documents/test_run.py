"""What a test demands of a run besides its end: what was judged, what was changed, and what was said, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import WithJsonSchema

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import MAY_BE_ABSENT, Name, Text

ChangedValue = Annotated[
    str | int | float | bool | None, MAY_BE_ABSENT, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
VerdictsExpectation = Mapping[Name, Mapping[Text, Text]]


class ChangedExpectation(Document):
    """One change that was made; what is absent is not asked."""

    target: Text
    """What was changed, as in apps/deployment/checkout or deployment=apps/checkout."""
    field: Text | None = None
    """Which of its fields."""
    before: ChangedValue = None
    """What it was; null = it did not exist."""
    after: ChangedValue = None
    """What it became; null = it was removed."""
