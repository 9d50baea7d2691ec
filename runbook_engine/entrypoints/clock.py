"""The clock of a real host."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's own time, in UTC."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)
