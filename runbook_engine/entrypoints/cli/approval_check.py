"""What doctor says of approvals: whether whoever is asked gets a link to answer by."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_engine.entrypoints.links import links_of
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.errors import RunbookError
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.render.checkup import Finding
from runbook_engine.render.wording import count

NAME = "approval links"
ASKING = ("approve", "propose")


def examine_approvals(bundle: Bundle, settings: Settings) -> Iterator[Finding]:
    """Yield a finding when links are set up, or when a runbook asks and none are."""
    configuration = bundle.configuration
    links = links_of(configuration, settings)
    if links is None:
        asking = [runbook.name for runbook in bundle.runbooks if _asks(runbook, configuration)]
        if asking:
            yield _without_links(asking)
        return
    try:
        base = links().base
    except RunbookError as error:
        remedy = "correct approvals in engine.yaml: until then, questions carry no link"
        yield Finding(name=NAME, health="broken", says=str(error), remedy=remedy)
        return
    yield Finding(name=NAME, health="ok", says=f"questions are answered at {base}")


def _without_links(asking: list[str]) -> Finding:
    more = f" and {len(asking) - 3} more" if len(asking) > 3 else ""
    names = f"{count(len(asking), 'runbook')} that may ask for approval ({', '.join(asking[:3])}{more})"
    remedy = "name approvals with url and key in engine.yaml (in AWS, the stack does); runbook approve works without"
    return Finding(name=NAME, health="warning", says=f"none are made, with {names}", remedy=remedy)


def _asks(runbook: Runbook, configuration: Configuration) -> bool:
    """Whether it may ask, by its own modes and steps or by the installation's ceiling. No ceiling is propose."""
    if all(rule.mode == "observe" for rule in runbook.mode):
        return False
    if any(step.approval is not None for step in runbook.steps):
        return True
    ceiling = configuration.mode_ceiling
    return _has_asking(runbook.mode) or _has_asking(ceiling) or not ceiling or bool(ceiling[-1].matchers)


def _has_asking(rules: tuple[ModeRule, ...]) -> bool:
    return any(rule.mode in ASKING for rule in rules)
