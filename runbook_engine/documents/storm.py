"""When an installation holds every change: more targets at once than machines should touch unwatched."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Name, Span, refuse
from runbook_engine.model.storm import StormRule


class StormReleaseDocument(Document):
    """How what a storm held goes on."""

    at_a_time: Annotated[Count, Field(ge=1, le=1000)] | None = None
    """No more changes than this go on within `within` after a release; maxTargets when absent, and never more."""


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
    release: StormReleaseDocument = StormReleaseDocument()
    """How what was held goes on."""

    @model_validator(mode="after")
    def _is_let_go_without_another(self) -> Self:
        most = self.max_targets if self.max_targets is not None else StormRule().max_targets
        wanted = self.release.at_a_time
        if wanted is not None and wanted > most:
            message = f'"atATime" is {wanted}, and more than {most} are a storm: a release would be the next one'
            raise refuse("ration", message, "lower it, or raise maxTargets", "release")
        return self
