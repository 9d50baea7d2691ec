"""Rollouts: the target's releases as the cluster keeps them, which one runs, and how each is known to have done."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from runbook_engine.diagnostics.arguments import CollectorArguments
from runbook_engine.diagnostics.redaction import escape_controls, redact
from runbook_engine.model.looking import looking
from runbook_engine.model.observation import Revision, Workload
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced, World

MOST_REVISIONS = 20
LONGEST_SUMMARY = 512
HEALTH = {True: "healthy", False: "unhealthy", None: "not known how it did"}


class RolloutsArguments(CollectorArguments):
    """Under which heading."""

    title: str = Field("", description="The heading.")


def collect(arguments: RolloutsArguments, target: Target, now: datetime, world: World) -> Evidenced:
    """Return how far the rollout is, and the revisions that are kept, newest first."""
    workload = world.cluster.workload(target)
    lines = [_state(workload), *(_line(kept, workload, now) for kept in workload.revisions[:MOST_REVISIONS])]
    if len(workload.revisions) > MOST_REVISIONS:
        lines.append(f"and {len(workload.revisions) - MOST_REVISIONS} older revisions")
    text = "\n".join(escape_controls(redact(line)).replace("\n", "\\n") for line in lines)
    return Evidenced(title=arguments.title or f"Rollouts of {target}", text=text)


def _state(workload: Workload) -> str:
    state = f"{workload.rollout}: {workload.ready} ready and {workload.updated} updated of {workload.replicas} replicas"
    paused = ", paused" if workload.paused else ""
    return f"{state}{paused}: {workload.rollout_reason}" if workload.rollout_reason else f"{state}{paused}"


def _line(revision: Revision, workload: Workload, now: datetime) -> str:
    mark = "*" if revision.number == workload.revision else " "
    formerly = f" (formerly {', '.join(str(number) for number in revision.formerly)})" if revision.formerly else ""
    summary = f": {revision.summary[:LONGEST_SUMMARY]}" if revision.summary else ""
    return f"{mark} {revision.number}{formerly}  {_age(revision, now)}  {HEALTH[revision.healthy]}{summary}"


def _age(revision: Revision, now: datetime) -> str:
    if revision.released_at is None:
        return "released at an unknown time"
    return f"{duration_text(timedelta(seconds=max(0, round((now - revision.released_at).total_seconds()))))} old"


COLLECTOR = CollectorSpec(
    name="rollouts",
    summary="The target's releases, which one runs, and how each did.",
    arguments=RolloutsArguments,
    collect=collect,
    needs=looking,
)
