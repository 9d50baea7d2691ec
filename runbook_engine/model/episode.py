"""One continuous firing of one alert, and what the next notification did to it.

Senders repeat, reorder and drop notifications, so nothing here trusts their order: an episode is opened by
the first firing, joined by repeats, closed by a resolve, and only ever expires for want of news.
"""

from datetime import datetime
from typing import Literal

import msgspec

EpisodeState = Literal["open", "closed", "expired", "superseded"]
TransitionKind = Literal[
    "opened",  # a new episode: runbooks may be matched
    "repeat",  # the open episode again
    "resolved",  # the open episode closed
    "late",  # overtaken by what is already known
    "superseded",  # the sender skipped a resolve: `previous` was closed, `episode` opened
    "tombstone",  # resolved before it fired: remembered as closed, so the late firing is ignored
    "expired",  # no sign of life; nobody said that it is fixed
    "recorded",  # a status or kind that neither opens nor closes an episode
]


class Episode(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The record kept for one alert key; a new firing replaces it, keeping the recent openings."""

    alert_key: str
    episode_id: str
    scope: str
    name: str
    start: datetime
    displayed_start: datetime
    last_seen: datetime
    state: EpisodeState = "open"
    ends_at: datetime | None = None
    cycle: str = ""
    incident_id: str = ""
    openings: tuple[datetime, ...] = ()
    flapping: bool = False
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the alert still fires as far as anybody said."""
        return self.state == "open"


class Transition(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one notification did; `episode` is the record to store, None when nothing is to be stored."""

    kind: TransitionKind
    episode: Episode | None = None
    previous: Episode | None = None
    flapping: bool = False

    @property
    def opens(self) -> bool:
        """Whether a new episode began, so that runbooks may be matched."""
        return self.kind in ("opened", "superseded")

    @property
    def closes(self) -> bool:
        """Whether the sender said that an open episode is over."""
        return self.kind == "resolved"
