"""An audit record: one thing that an execution did or decided, chained to the one before by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change

SCHEMA_VERSION = 1


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to what, from what to what, and why."""

    execution_id: str
    number: int  # from 1, rising by one
    at: datetime
    actor: str  # a person's name, or `engine`
    event: str
    says: str  # the sentence that people read
    step: str = ""
    direction: str = ""
    change: Change | None = None
    verdicts: tuple[Verdict, ...] = ()
    detail: Mapping[str, Any] = {}
    previous: str = ""
    hash: str = ""
    schema_version: int = SCHEMA_VERSION

    def sealed(self) -> AuditRecord:
        """Return the record with its hash: SHA-256 over everything else in it, the previous hash included."""
        return msgspec.structs.replace(self, hash=self.expected_hash())

    def expected_hash(self) -> str:
        """Return the hash that this record must carry."""
        bare = msgspec.structs.replace(self, hash="")
        return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()
