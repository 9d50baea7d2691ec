"""What `runbook doctor` says of the inbox: that deliveries were set aside, which only a person can settle."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.backlog import fill
from runbook_engine.errors import RunbookError
from runbook_engine.render.checkup import Finding
from runbook_engine.render.inbox import LOOK, say_set_aside


def examine_inbox(engine: Engine) -> Iterator[Finding]:
    """Yield a finding when something was set aside; of an inbox that cannot be read, the journal's says enough."""
    try:
        found = fill(engine)
    except RunbookError:
        return
    if found.set_aside:
        yield Finding(name="inbox", health="warning", says=say_set_aside(found), remedy=LOOK)
