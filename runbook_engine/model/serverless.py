"""What is looked at of a serverless installation: functions with their aliases, queues, and pinned automations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.digest import hash_parts
from runbook_engine.model.observation import Revision
from runbook_engine.model.target import Target


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it is now, with the alias that its target names, if it names one.

    The target's name is `NAME` or `NAME:ALIAS`. A published version never changes; an alias points to one, and may
    send a share of the calls to a second (the canary).
    """

    target: Target
    version: int = 0  # that the alias points to; 0 = the unpublished code, or no alias is named
    canary: str = ""  # the second version and its share in percent, as in 8=10; empty = every call goes to `version`
    versions: tuple[Revision, ...] = ()  # published, newest first
    concurrency: int | None = None  # reserved for it; None = what the account has left, 0 = it is never called
    state: Literal["active", "updating", "failed"] = "active"
    reason: str = ""  # of `state`
    service: str = ""  # of its tags; empty = not said
    bypassed: str = ""  # who calls it without the alias, as a sentence: what the alias says does not reach them
    managed: str = ""  # what else deploys it, as in terraform; empty = nobody known


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One redrive: messages on their way from a dead-letter queue to where they came from."""

    id: str
    status: Literal["running", "completed", "cancelling", "cancelled", "failed"]
    started_at: datetime
    moved: int = 0
    wanted: int | None = None  # how many there were when it began; None = not said
    reason: str = ""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as it is now. Counts are approximate, as the service gives them."""

    target: Target
    messages: int  # that wait
    in_flight: int = 0  # that somebody has taken and not yet deleted
    sources: tuple[str, ...] = ()  # names of the queues whose dead letters come here; empty = no dead-letter queue
    moves: tuple[Move, ...] = ()  # newest first
    service: str = ""


class AutomationTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned automation document that runbooks may start: the escape hatch. Labels reach it as parameters only."""

    name: str
    document: str  # its name or ARN
    version: str  # a number: what was reviewed is what runs
    says: str  # what it does, in the words that an approver reads
    parameters: tuple[str, ...] = ()
    fixed: Mapping[str, str] = {}  # parameters that no runbook sets
    role: str = ""  # the ARN that the automation assumes; empty = the caller's
    place: str = ""
    approval: bool = True  # a person says yes first

    @property
    def digest(self) -> str:
        """What an approval binds: what would run, and as whom."""
        fixed = msgspec.json.encode(self.fixed, order="deterministic").decode()
        return hash_parts(self.document, self.version, self.role, fixed)[:12]


class AutomationRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an automation as it is now."""

    id: str
    status: Literal["running", "succeeded", "failed"]
    reason: str = ""
