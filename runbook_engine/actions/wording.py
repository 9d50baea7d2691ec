"""The sentences and results that several actions share, so that the same fact reads the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runbook_engine.model.plan import Change, Outcome, Progress, Value


def shown(value: Value) -> str:
    """Return a value as people read it: text in quotes, absence as the word."""
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


def written(receipt: Mapping[str, Value]) -> Outcome:
    """Return what a writer's receipt means; `unchanged` says that the world was already so."""
    if receipt.get("unchanged"):
        return Outcome(status="noop", reason="already so", receipt=receipt)
    return Outcome(status="done", receipt=receipt)


def not_ours(change: Change, live: Value, receipt: Mapping[str, Value]) -> Progress:
    """Return what a look means that did not find our value: never written, or changed since by somebody else."""
    if live == change.before and not receipt:
        return Progress.absent(f"{change.field} of {change.target} is still {shown(live)}")
    return Progress.superseded(
        f"{change.field} of {change.target} is {shown(live)}, not {shown(change.after)}: somebody else has changed it"
    )
