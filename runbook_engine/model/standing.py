"""How the runs of one runbook, as it is written now, have ended: by this its mode is lowered, or a person raises it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runbook_engine.model.execution import FinalStatus
from runbook_engine.model.runbook import Mode


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How one execution ended. Kept under the runbook's digest, so a changed runbook begins anew."""

    runbook: str
    digest: str
    execution_id: str
    at: datetime
    status: FinalStatus
    mode: Mode  # that it ran in
    verified: bool = False  # it changed something, and verification passed
    harmed: bool = False  # it made worse what must not get worse
