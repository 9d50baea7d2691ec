"""Releases: the published versions of a function, as revisions that an alias may return to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from runbook_adapters.lambda_function.looks import Answer
from runbook_adapters.lambda_function.names import LATEST
from runbook_engine.model.observation import Revision

# What makes two versions behave alike, besides their code. Not the description, the dates and the state.
CONFIGURED = (
    *("Runtime", "Handler", "Role", "Environment", "MemorySize", "Timeout", "EphemeralStorage", "Architectures"),
    *("Layers", "VpcConfig", "FileSystemConfigs", "ImageConfigResponse", "DeadLetterConfig", "TracingConfig"),
    *("KMSKeyArn", "LoggingConfig", "RuntimeVersionConfig", "DurableConfig", "CapacityProviderConfig"),
)
UNSET: tuple[object, ...] = (None, "", [], {})


def published(versions: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return what was published, newest first: numbers, not text, and never the unpublished code."""
    found = [version for version in versions if str(version.get("Version", LATEST)).isdigit()]
    return tuple(sorted(found, key=number_of, reverse=True))


def revisions(versions: Iterable[Answer], current: int) -> tuple[Revision, ...]:
    """Return the published versions, newest first, without those that are what `current` is under another number."""
    newest_first = published(versions)
    now = next((version for version in newest_first if number_of(version) == current), None)
    same = None if now is None else _content(now)
    return tuple(
        Revision(
            number=number_of(version),
            released_at=released_at(version),
            summary=str(version.get("Description") or ""),
        )
        for version in newest_first
        if number_of(version) == current or _content(version) != same
    )


def number_of(version: Answer) -> int:
    """Return the number of a published version."""
    return int(version["Version"])


def released_at(version: Answer) -> datetime | None:
    """Return when a version was published; None when it is not said in a form that we know."""
    try:
        at = datetime.fromisoformat(str(version.get("LastModified") or ""))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _content(version: Answer) -> tuple[object, ...]:
    if (version.get("Environment") or {}).get("Error"):  # hidden from us: it is taken for the same as no other
        return (number_of(version),)
    configured = ((version.get(key) if version.get(key) not in UNSET else None) for key in CONFIGURED)
    return (version.get("CodeSha256"), *configured)
