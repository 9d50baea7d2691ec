"""Wishes: what a runbook that matches would act on, or why it may not; all that needs no journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec.structs import replace

from runbook_engine.errors import InvalidTarget, TemplateError
from runbook_engine.machine.ending import conclude, end_silently
from runbook_engine.machine.opening import open_execution, slot_of
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution, Member
from runbook_engine.model.group import Group
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.model.standing import Standing
from runbook_engine.model.target import NO_TARGET, Target
from runbook_engine.resolution import allowed, resolve_inputs, resolve_target, scope_refusal
from runbook_engine.templating import Templates


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A runbook that an alert asks for, and how far it may go."""

    runbook: Runbook
    mode: Mode
    standing: Standing = Standing()  # looked up once it is about to open a run


@dataclass(frozen=True, slots=True)
class Wish:
    """What a runbook would act on for an alert; or why it may not.

    A sender that asks for what is not its own is `out_of_scope`, and that is all there is to say of it. Any other
    refusal is one that the runbook's owner wants to hear of.
    """

    matched: Matched
    target: Target = NO_TARGET
    inputs: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    refused: str = ""
    out_of_scope: bool = False


def wish(matched: Matched, alert: Alert, configuration: Configuration, templates: Templates) -> Wish:
    """Return what the runbook would act on for this alert."""
    refused = scope_refusal(configuration, alert.scope, runbook=matched.runbook.name)
    if refused:
        return Wish(matched, refused=refused, out_of_scope=True)
    try:
        inputs = resolve_inputs(matched.runbook.inputs, alert)
        target = resolve_target(matched.runbook.target, inputs, alert, configuration, templates)
        judged_later = target.kind == "none" or matched.runbook.target.provisional(target)
        if not judged_later and not allowed(target, configuration.targets):
            raise InvalidTarget(f"invalid_target: {target.pattern_form} is not in the targets of engine.yaml")
    except (InvalidTarget, TemplateError) as error:
        return Wish(matched, refused=str(error))
    return Wish(matched, target, inputs, slot_of(matched.runbook, target, inputs, alert))


def open_wished(
    wished: Wish,
    alert: Alert,
    member: Member,
    configuration: Configuration,
    *,
    incident_id: str,
    now: datetime,
    group: Group | None = None,
    behind: tuple[str, ...] = (),
) -> Execution:
    """Return the execution that a wish opens."""
    return open_execution(
        runbook=wished.matched.runbook,
        alert=alert if alert.episode_id == member.episode_id else replace(alert, episode_id=member.episode_id),
        members=(member,),
        first_episode=member.episode_id,
        target=wished.target,
        slot=wished.slot,
        inputs=wished.inputs,
        mode=wished.matched.mode,
        incident_id=incident_id,
        now=now,
        fallback_receiver=fallback_receiver(wished.matched.runbook, configuration),
        group=group,
        trusted=wished.matched.standing.ceiling,
        demoted=wished.matched.standing.says,
        behind=behind,
    )


def open_refused(
    wished: Wish, alert: Alert, member: Member, configuration: Configuration, *, incident_id: str, now: datetime
) -> Execution:
    """Return an execution that is blocked from its start: on record, and told to whoever hears of blocked runs."""
    opened = open_wished(wished, alert, member, configuration, incident_id=incident_id, now=now)
    alone = replace(opened, slot=opened.id, slot_given_up=True)
    return conclude(alone, wished.matched.runbook, "blocked", wished.refused, now)


def open_held(execution: Execution, runbook: Runbook, group: Group, now: datetime, *, tells: bool) -> Execution:
    """Return an execution that is blocked from its start with the group that it came too late for."""
    alone = replace(execution, slot=execution.id, slot_given_up=True)
    reason = f"held with its group: {group.reason}"
    if tells:
        return conclude(alone, runbook, "blocked", reason, now)
    return end_silently(alone, "blocked", reason, now)


def fallback_receiver(runbook: Runbook, configuration: Configuration) -> str:
    """Return who hears what no rule covers: the owner's receiver, else the first one there is."""
    for team in configuration.teams:
        if team.name == runbook.owner and team.receiver:
            return team.receiver
    return configuration.receivers[0].name if configuration.receivers else ""
