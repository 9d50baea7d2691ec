"""The clock of the cluster: real time plus what a test has advanced it by."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Answers the time; `advance` makes deadlines of minutes pass at once."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


def stamp(moment: datetime) -> str:
    """Return the API's form of a time, which has no fraction."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(moment: datetime) -> str:
    """Return the API's MicroTime."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """Read an API time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def elapsed_ms(since: datetime, now: datetime) -> float:
    """Return the milliseconds from one moment to another."""
    return (now - since).total_seconds() * 1000
