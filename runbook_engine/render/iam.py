"""Allowances as a policy of IAM, as a table for people, and as values for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runbook_engine.model.iam import Allowance, conditions_of
from runbook_engine.render.lines import Lines, Mark, Piece, Span, line, table
from runbook_engine.render.wording import count

VERSION = "2012-10-17"
LONGEST_POLICY = 6144  # characters of a managed policy, white space aside


def iam_policy(allowances: Sequence[Allowance]) -> dict[str, Any]:
    """Return the policy that allows exactly this: what has the same resources and conditions is one statement."""
    resources: dict[tuple[Any, ...], set[str]] = {}
    for each in allowances:
        resources.setdefault((each.action, each.conditions, bool(each.why_all), each.reads), set()).add(each.resource)
    together: dict[tuple[Any, ...], list[str]] = {}
    for (action, conditions, wide, reads), found in sorted(resources.items()):
        together.setdefault((not reads, wide, tuple(sorted(found)), conditions), []).append(action)
    statements = [
        _statement(number, key, actions) for number, (key, actions) in enumerate(sorted(together.items()), start=1)
    ]
    return {"Version": VERSION, "Statement": statements}


def policy_size(policy: Mapping[str, Any]) -> int:
    """Return how much of a managed policy's limit a policy takes."""
    return len(json.dumps(policy, separators=(",", ":")))


def render_allowances(allowances: Sequence[Allowance]) -> Lines:
    """Return every allowance with what needs it, those that change something marked."""
    if not allowances:
        return ()
    writes = len({_what(each) for each in allowances if not each.reads})
    total = len({_what(each) for each in allowances})
    return (*table(list(_rows(allowances))), line(f"{count(total, 'allowance')} of AWS, {writes} of them write"))


def render_allowance_check(missing: Sequence[Allowance], extra: Sequence[Allowance]) -> Lines:
    """Return by what a policy is narrower and wider than what is needed."""
    if not missing and not extra:
        return (line("exactly what is needed"),)
    rows = [
        [Span(word, "bad"), *row] for word, found in (("missing", missing), ("too much", extra)) for row in _rows(found)
    ]
    return (*table(rows), line(f"{count(len(missing), 'allowance')} missing, {len(extra)} too many"))


def record_allowances(allowances: Sequence[Allowance]) -> list[dict[str, Any]]:
    """Return the allowances for scripts."""
    return [
        {
            "action": each.action,
            "resource": each.resource,
            "conditions": conditions_of(each),
            "why_all": each.why_all,
            "because": each.because,
        }
        for each in allowances
    ]


def record_allowance_check(missing: Sequence[Allowance], extra: Sequence[Allowance]) -> dict[str, Any]:
    """Return the same as `render_allowance_check` for scripts."""
    return {
        "exact": not missing and not extra,
        "missing": record_allowances(missing),
        "extra": record_allowances(extra),
    }


def _statement(number: int, key: tuple[Any, ...], actions: Sequence[str]) -> dict[str, Any]:
    writes, wide, resources, conditions = key
    purpose = f"{'Change' if writes else 'Look'}{'AtWhatHasNoNarrowerName' if wide else ''}"
    statement: dict[str, Any] = {
        "Sid": f"{purpose}{number}",
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(resources),
    }
    if conditions:
        statement["Condition"] = conditions_of(Allowance(action="", resource="", conditions=conditions))
    return statement


def _rows(allowances: Sequence[Allowance]) -> Iterator[list[Piece]]:
    """Yield one row for what is read of a resource and one for what is written, why it is so wide if it is."""
    found: dict[tuple[str, bool, str], list[Allowance]] = {}
    for each in allowances:
        found.setdefault((each.resource, not each.reads, each.why_all), []).append(each)
    for (resource, writes, why_all), group in sorted(found.items()):
        mark: Mark = "change" if writes else ""
        needs = sorted({each.because if writes else each.because.partition(":")[0] for each in group} - {""})
        why = "; ".join([*needs, *([why_all] if why_all else [])])
        actions = ", ".join(sorted({each.action for each in group}))
        yield [Span(resource, "strong"), Span(actions, mark), Span(why, "faint")]


def _what(allowance: Allowance) -> tuple[str, str]:
    return allowance.action, allowance.resource
