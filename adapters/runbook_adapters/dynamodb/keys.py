"""Keys: where every item of the table lies, and how times become text that sorts."""

from __future__ import annotations

import hashlib
import zlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from runbook_engine.model.target import Target

BEGINNING = datetime.min.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DIGITS = 18
END = 10**DIGITS
LONGEST = 900  # bytes of a name inside a key: a partition key may have 2,048, a sort key 1,024
SHARDS = 4  # of what is found by time: one partition of an index takes 1,000 writes a second
COUNTERS = 32  # two commits that end executions rarely meet in one of so many
META = "META"
EXECUTIONS, ACTIVE, CHANGES, COUNTS, AUDITED = "EXECUTIONS", "ACTIVE", "CHANGES", "COUNTS", "AUDITED"
DUE = "DUE"
SAID = "!"  # sorts before every time: what a signal waits for comes before a crowd that is due longer
LAST_NAME = "\U0010ffff"  # sorts after every name
OPEN_INCIDENTS, RESOLVED_INCIDENTS = "INCIDENTS#open", "INCIDENTS#resolved"


class Key(NamedTuple):
    """The primary key of one item."""

    pk: str
    sk: str


def moment(at: datetime) -> str:
    """Return a time as text that sorts as times do; exact."""
    return f"{(at - BEGINNING) // MICROSECOND:0{DIGITS}}"


def parse_moment(text: str) -> datetime:
    """Return the time that `moment` was given, in UTC."""
    return BEGINNING + int(text) * MICROSECOND


def newest_first(at: datetime, name: str) -> str:
    """Return text that sorts the newest first, and what is of one time by name."""
    return f"{END - (at - BEGINNING) // MICROSECOND:0{DIGITS}}#{name}"


def execution(execution_id: str) -> Key:
    """The execution: its newest version, and what the journal itself decides by."""
    return Key(named("EXEC", execution_id), META)


def signals(execution_id: str, last: int) -> Key:
    """Signals that arrived together, under the number of the last of them."""
    return Key(named("EXEC", execution_id), f"SIG#{last:010}")


def audit(execution_id: str, first: int) -> Key:
    """Audit records that were committed together, under the number of the first of them."""
    return Key(named("EXEC", execution_id), f"AUD#{first:010}")


def evidence(execution_id: str, serial: str) -> Key:
    """One piece of evidence."""
    return Key(named("EXEC", execution_id), f"EVI#{serial}")


def trace(execution_id: str, version: int) -> Key:
    """What happened before a version was stored."""
    return Key(named("EXEC", execution_id), f"TRC#{version:010}")


def ends(runbook: str, digest: str) -> str:
    """The partition of how the runs of a runbook ended."""
    return named("ENDS", f"{digest}#{runbook}")


def end(runbook: str, digest: str, at: datetime, execution_id: str) -> Key:
    """How one execution ended."""
    return Key(ends(runbook, digest), newest_first(at, execution_id))


def lowering(runbook: str, digest: str, mode: str, at: datetime, execution_id: str) -> Key:
    """How one execution ended that lowered its runbook to this mode, found beside all others."""
    return Key(ends(runbook, digest), f"LOWERS#{mode}#{newest_first(at, execution_id)}")


def execution_of(incident_id: str, opened_at: datetime, execution_id: str) -> Key:
    """Where an incident and a runbook find an execution."""
    return Key(named("INC", incident_id), f"EXEC#{newest_first(opened_at, execution_id)}")


def alert(alert_key: str) -> Key:
    """One alert: its episode, and the executions that follow it."""
    return Key(named("ALERT", alert_key), META)


def incident(incident_id: str) -> Key:
    """One incident."""
    return Key(named("INC", incident_id), META)


def arrivals(incident_id: str, serial: str) -> Key:
    """What one delivery brought an incident."""
    return Key(named("INC", incident_id), f"ARR#{serial}")


def group(group_id: str) -> Key:
    """One group."""
    return Key(named("GROUP", group_id), META)


def part(group_id: str, opened_at: datetime, execution_id: str) -> Key:
    """One execution as its group sees it."""
    return Key(named("GROUP", group_id), f"PART#{moment(opened_at)}#{execution_id}")


def newest(kind: str, owner: str, at: datetime, name: str) -> Key:
    """Where the newest incident of a key, or the newest group of a runbook, is found without an index."""
    return Key(named(kind, owner), newest_first(at, name))


def one(kind: str, name: str) -> Key:
    """What there is one of: a slot, a lock, a cooldown, a budget, a runbook, a seat, a first use."""
    return Key(named(kind, name), kind)


def changes(target: Target) -> str:
    """The partition of a target's recorded changes."""
    return named("CHANGES", target.key)


def counter(execution_id: str) -> Key:
    """Where the end of an execution is counted."""
    return Key(COUNTS, f"{zlib.crc32(execution_id.encode()) % COUNTERS:02}")


def shard(kind: str, name: str) -> str:
    """The partition of an index in which something is found by its time."""
    return f"{kind}#{zlib.crc32(name.encode()) % SHARDS}"


def shards(kind: str) -> tuple[str, ...]:
    """All partitions that `shard` spreads over."""
    return tuple(f"{kind}#{number}" for number in range(SHARDS))


def named(kind: str, name: str) -> str:
    """Return the partition of something by its name; a name that is too long for a key stands there by its digest."""
    encoded = name.encode()
    return f"{kind}#{name if len(encoded) <= LONGEST else 'sha256:' + hashlib.sha256(encoded).hexdigest()}"


def shortened(text: str) -> str:
    """Return as much of a text as a key can hold; what it sorts by comes first."""
    return text.encode()[:LONGEST].decode(errors="ignore")
