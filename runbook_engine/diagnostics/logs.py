"""Logs: the last lines of the target, redacted, with control characters written out, and bounded."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from runbook_engine.diagnostics.arguments import CollectorArguments
from runbook_engine.diagnostics.redaction import escape_controls, redact
from runbook_engine.model.looking import FUNCTION_LOGS, finding_pods
from runbook_engine.model.observation import LogExcerpt
from runbook_engine.model.target import SERVERLESS_KINDS, Target
from runbook_engine.ports import CollectorSpec, Evidenced, World

MOST_BYTES = 64 * 1024
LONGEST_LINE = 4096
OMITTED = "[older lines left out]\n"


class LogsArguments(CollectorArguments):
    """How many lines."""

    pods: Literal["affected"] = Field("affected", description="Those of the target; there is no other choice yet.")
    lines: int = Field(100, ge=1, le=1000, description="How many of the last lines of each log.")
    previous: bool = Field(
        False, description="true: also those of each container before its last restart; false when absent."
    )
    title: str = Field("", description="The heading.")
    emails: Literal["keep", "redact"] = Field("keep", description="Whether e-mail addresses are taken out as well.")


def collect(arguments: LogsArguments, target: Target, now: datetime, world: World) -> Evidenced:
    """Return the newest lines of the target's logs; of too much, the oldest lines are left out."""
    excerpts = world.logs.logs(target, arguments.lines, previous=arguments.previous)
    title = arguments.title or f"Logs of {target}"
    raw = "\n".join(_section(excerpt, arguments.lines, named=len(excerpts) > 1) for excerpt in excerpts)
    text = escape_controls(redact(raw, emails=arguments.emails == "redact"))
    return Evidenced(title=title, text=_newest(text) if text else "no lines")


def _section(excerpt: LogExcerpt, count: int, *, named: bool) -> str:
    lines = [line[:LONGEST_LINE].replace("\n", "\\n") for line in excerpt.lines[-count:]]
    before = " (before its last restart)" if excerpt.previous else ""
    return "\n".join([f"== {excerpt.name}{before}", *lines] if named or before else lines)


def _newest(text: str) -> str:
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= MOST_BYTES:
        return encoded.decode()
    tail = encoded[len(OMITTED) - MOST_BYTES :]
    whole_lines = tail.partition(b"\n")[2] or tail
    return OMITTED + whole_lines.decode("utf-8", "ignore")


def needs(kind: str) -> tuple[str, ...]:
    """Return what it takes to read the logs of a target of this kind."""
    if kind in SERVERLESS_KINDS:
        return FUNCTION_LOGS if kind == "function" else ()
    return (*finding_pods(kind), "core/pods/log:get")


COLLECTOR = CollectorSpec(
    name="logs",
    summary="The last lines of the target's logs, redacted.",
    arguments=LogsArguments,
    collect=collect,
    needs=needs,
)
