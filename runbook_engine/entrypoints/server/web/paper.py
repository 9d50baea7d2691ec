"""Paper: what pages are written on. Every text is escaped, made visible and cut; the words are those of all screens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runbook_engine.checks import describe_check, number
from runbook_engine.entrypoints.server.web import rules
from runbook_engine.entrypoints.server.web.links import safe_link
from runbook_engine.model.duration import say_duration
from runbook_engine.render import card, execution, first_screen, inbox, incident, standing, storm, wording
from runbook_engine.render.visible import visible

HERE = Path(__file__).parent
LONGEST = 2000  # characters of any one text: a label may have ten thousand
LONGEST_TITLE = 120
MEDIA_TYPES = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
WORDS = (
    (card, "list_done say_alert_state say_default NEVER_UNDONE"),
    (execution, "EVENT_MARKS say_outcome say_progress"),
    (first_screen, "say_backlog say_held_until say_undoable say_unhandled"),
    (inbox, "say_waiting"),
    (incident, "STATUSES UNSAID say_change say_decision say_times say_where"),
    (rules, "list_guardrails list_step say_mode say_target"),
    (standing, "say_hold say_reasons say_why"),
    (storm, "say_held say_pace say_released"),
    (
        wording,
        "STATUS_MARKS age clock count day difference movement record_time say_actor say_changes say_compensation_state "
        "say_status sentence short subject_of until_when when",
    ),
)


def read_assets() -> Mapping[str, bytes]:
    """Return the files that pages load, by name."""
    return {name: (HERE / "static" / name).read_bytes() for name in MEDIA_TYPES}


def make_paper(assets: Mapping[str, bytes]) -> Environment:
    """Return the environment of the templates."""
    paper = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    paper.globals.update({name: getattr(module, name) for module, names in WORDS for name in names.split()})
    paper.globals.update(describe_check=describe_check, number=number, say_duration=say_duration, safe_link=safe_link)
    versions = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in assets.items()}
    paper.globals["asset"] = lambda name: f"/assets/{name}?v={versions[name]}"
    paper.filters["brief"] = brief
    return paper


def brief(text: str) -> str:
    """Return a text as a heading can bear it: the beginning of a very long one."""
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 3]}..."


def _shown(value: Any) -> Any:
    """Return what is written for a value: markup is ours, any other text may be anybody's."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    if len(value) <= LONGEST:
        return visible(value)
    return f"{visible(value[:LONGEST])}... ({len(value) - LONGEST} more characters)"
