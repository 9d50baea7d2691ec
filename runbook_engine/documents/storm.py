"""When an installation holds every change: more targets at once than machines should touch unwatched."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Name, Span


class StormDocument(Document):
    """How many targets within what time are a storm, and when it is over."""

    max_targets: Annotated[Count, Field(ge=1, le=1000)] | None = None
    """With runs opened for more targets than this, every change is held and somebody is paged; 50 when absent."""
    within: Span | None = None
    """The time in which they are counted; 5m when absent."""
    calm: Span | None = None
    """So long without another target ends it; 15m when absent."""
    receiver: Name | None = None
    """Who is paged, once; the owner of the run that was one too many when absent."""
