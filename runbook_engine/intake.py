"""Intake: what one delivery means for episodes, incidents and executions, as one value to store at once.

Reads the journal, decides, and writes nothing: the engine stores the result, and builds it again when somebody
else was faster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from runbook_engine.correlation import expire, incident_key, observe_alert
from runbook_engine.errors import InvalidTarget, TemplateError
from runbook_engine.machine import open_execution
from runbook_engine.machine.opening import slot_of
from runbook_engine.model.alert import SEVERITY_NUMBERS, Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.episode import Episode, Transition
from runbook_engine.model.execution import Execution, Member
from runbook_engine.model.incident import Arrival, Decision, Incident, Intake
from runbook_engine.model.runbook import MODES, Mode, Runbook
from runbook_engine.model.signal import Signal, SignalKind
from runbook_engine.model.target import NO_TARGET, Target
from runbook_engine.ports import Journal
from runbook_engine.resolution import allowed, resolve_inputs, resolve_target, scope_refusal
from runbook_engine.templating import Templates

NEVER_REMEDIATED = frozenset(("Watchdog", "InfoInhibitor"))  # heartbeats: they always fire
INCIDENT_LABELS = ("cluster", "namespace", "service", "deployment", "team", "environment")


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A runbook that an alert asks for, and how far it may go."""

    runbook: Runbook
    mode: Mode


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a runbook would act on for an alert; or why it may not."""

    matched: Matched
    target: Target = NO_TARGET
    inputs: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    refused: str = ""


@dataclass(slots=True)
class _Touched:
    """An incident that a delivery touches. Its lists are keys here: a storm adds thousands of alerts to one."""

    stored: Incident
    open_alerts: dict[str, None]
    alert_keys: dict[str, None]
    execution_ids: dict[str, None]

    @classmethod
    def of(cls, incident: Incident) -> _Touched:
        return cls(
            incident,
            dict.fromkeys(incident.open_alerts),
            dict.fromkeys(incident.alert_keys),
            dict.fromkeys(incident.execution_ids),
        )

    def fires(self, alert: Alert, now: datetime) -> None:
        severity = max(self.stored.severity, alert.severity, key=SEVERITY_NUMBERS.__getitem__)
        self.stored = replace(self.stored, severity=severity, last_firing_at=now, resolved_at=None)
        self.open_alerts[alert.alert_key] = None
        self.alert_keys[alert.alert_key] = None

    def ends(self, alert_key: str, now: datetime, *, resolved: bool) -> None:
        self.open_alerts.pop(alert_key, None)
        if resolved and not self.open_alerts:
            self.stored = replace(self.stored, resolved_at=now)

    def incident(self) -> Incident:
        return replace(
            self.stored,
            open_alerts=tuple(self.open_alerts),
            alert_keys=tuple(self.alert_keys),
            execution_ids=tuple(self.execution_ids),
        )


@dataclass(slots=True)
class _Draft:
    """What has been decided so far of one delivery; later alerts see what earlier ones did."""

    episodes: dict[str, Episode]
    holders: dict[str, str]
    followers: dict[str, tuple[str, ...]]
    incidents: dict[str, _Touched] = field(default_factory=dict)  # by id
    newest: dict[str, str] = field(default_factory=dict)  # incident key -> id
    touched: dict[str, Episode] = field(default_factory=dict)
    opened: dict[str, Execution] = field(default_factory=dict)  # by slot
    members: dict[str, list[Member]] = field(default_factory=dict)  # by slot: of what was opened
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    joined: list[tuple[str, str, Signal]] = field(default_factory=list)
    signals: list[tuple[str, Signal]] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    def follow(self, alert_key: str, execution_id: str) -> None:
        """Let an execution hear of what else this delivery says of its alert."""
        self.followers[alert_key] = tuple(dict.fromkeys((*self.followers.get(alert_key, ()), execution_id)))

    def intake(self) -> Intake:
        return Intake(
            episodes=tuple(self.touched.values()),
            incidents=tuple(touched.incident() for touched in self.incidents.values()),
            opened=tuple(replace(each, members=tuple(self.members[slot])) for slot, each in self.opened.items()),
            runbooks=tuple(self.runbooks.values()),
            joined=tuple(self.joined),
            signals=tuple(self.signals),
            arrivals=tuple(self.arrivals),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeBuilder:
    """Decides what alerts mean, under one configuration."""

    configuration: Configuration
    journal: Journal
    match: Callable[[Alert], tuple[Matched, ...]]
    templates: Templates

    def build(self, alerts: tuple[Alert, ...], now: datetime) -> Intake:
        """Return all that these alerts change."""
        keys = list(dict.fromkeys(alert.alert_key for alert in alerts))
        draft = _Draft(
            episodes=dict(self.journal.episodes(keys)), holders={}, followers=dict(self.journal.followers(keys))
        )
        wishes = [self._wishes(alert) if _may_open(alert, draft) else None for alert in alerts]
        self._ask_for_holders([wish.slot for wished in wishes for wish in wished or () if wish.slot], draft)
        for alert, wished in zip(alerts, wishes, strict=True):
            self._take(alert, wished, draft, now)
        return draft.intake()

    def expire(self, now: datetime, after: timedelta, limit: int) -> Intake:
        """Return what it means that nobody has spoken of some open episodes for so long."""
        stale = self.journal.open_episodes(now - after, limit)
        keys = [episode.alert_key for episode in stale]
        draft = _Draft(episodes={}, holders={}, followers=dict(self.journal.followers(keys)))
        for episode in stale:
            transition = expire(episode, now, after)
            if transition is None or transition.episode is None:
                continue
            draft.touched[episode.alert_key] = _as_read(transition.episode, episode)
            self._close_in_incident(episode, draft, now, resolved=False)
            self._tell_followers("expired", episode, draft, now)
        return draft.intake()

    def rehearse(self, matched: Matched, alert: Alert, now: datetime) -> Execution:
        """Return the execution that this alert would open, for planning. Raises InvalidTarget."""
        inputs, target = self._aim(matched.runbook, alert)
        member = Member(alert_key=alert.alert_key, episode_id="rehearsal", name=alert.name, since=now)
        return self._open(matched, alert, (member,), target, inputs, incident_id="", now=now)

    def by_hand(
        self,
        runbook: Runbook,
        *,
        target: Target | None,
        inputs: Mapping[str, str],
        by: str,
        reason: str,
        now: datetime,
    ) -> Execution:
        """Return the execution of a run that a person wants. Raises InvalidTarget.

        No alert will resolve it, so what it changes is held until a person decides.
        """
        identity = hashlib.sha256(f"{runbook.name}{by}{now.isoformat()}".encode()).hexdigest()
        alert = Alert(
            scope="",
            source="manual",
            kind="control",
            name=reason or f"started by {by}",
            labels={"alertname": "manual"},
            alert_key=identity,
            received_at=now,
            starts_at=now,
            severity="unknown",
        )
        aimed = resolve_inputs(runbook.inputs, alert, inputs)
        if target is None:
            target = resolve_target(runbook.target, aimed, alert, self.configuration, self.templates)
        incident = self._new_incident(f"manual:{identity}", alert, identity, now)
        return open_execution(
            runbook=runbook,
            alert=alert,
            members=(),
            first_episode=identity,
            target=target,
            inputs=aimed,
            mode="approve",
            incident_id=incident.id,
            now=now,
            fallback_receiver=self._fallback_receiver(runbook),
            started_by=by,
        )

    def started_by_hand(self, execution: Execution, runbook: Runbook, now: datetime) -> Intake:
        """Return what storing a run by hand changes."""
        alert = execution.alert
        incident = self._new_incident(f"manual:{alert.alert_key}", alert, alert.alert_key, now)
        incident = replace(incident, open_alerts=(), execution_ids=(execution.id,))
        decision = Decision(runbook=runbook.name, outcome="opened", execution_id=execution.id, reason=alert.name)
        arrival = Arrival(incident_id=incident.id, at=now, alert=alert, transition="recorded", decisions=(decision,))
        return Intake(incidents=(incident,), opened=(execution,), runbooks=(runbook,), arrivals=(arrival,))

    # --- one alert ----------------------------------------------------------------------------------------

    def _take(self, alert: Alert, wished: tuple[_Wish, ...] | None, draft: _Draft, now: datetime) -> None:
        known = draft.touched.get(alert.alert_key) or draft.episodes.get(alert.alert_key)
        transition = observe_alert(alert, known)
        episode = transition.episode
        if episode is None:
            return
        decisions: tuple[Decision, ...] = ()
        if transition.opens:
            wishes = self._wishes(alert) if wished is None else wished
            episode, decisions = self._opened(alert, wishes, transition, episode, draft, now)
        elif transition.closes:
            self._close_in_incident(episode, draft, now, resolved=True)
            self._tell_followers("resolved", episode, draft, episode.ends_at or now)
        draft.touched[alert.alert_key] = _as_read(episode, known)
        if episode.incident_id and transition.kind not in ("repeat", "late"):
            told = replace(alert, episode_id=episode.episode_id)
            draft.arrivals.append(
                Arrival(
                    incident_id=episode.incident_id,
                    at=now,
                    alert=told,
                    transition=transition.kind,
                    decisions=decisions,
                )
            )

    def _opened(
        self,
        alert: Alert,
        wishes: tuple[_Wish, ...],
        transition: Transition,
        episode: Episode,
        draft: _Draft,
        now: datetime,
    ) -> tuple[Episode, tuple[Decision, ...]]:
        incident = self._incident_for(alert, episode, draft, now)
        episode = replace(episode, incident_id=incident.stored.id)
        decisions = []
        for wish in wishes:
            wanted = wish.matched
            if transition.flapping:
                wanted = replace(wanted, mode=min(wanted.mode, "propose", key=MODES.index))
            decisions.append(self._decide(wanted, wish, alert, episode, draft, now))
        incident.execution_ids.update((each.execution_id, None) for each in decisions if each.execution_id)
        return episode, tuple(decisions)

    def _wishes(self, alert: Alert) -> tuple[_Wish, ...]:
        """Return what every runbook that matches would act on: all that can be said without asking the journal."""
        if alert.name in NEVER_REMEDIATED:
            return ()
        return tuple(self._wish(matched, alert) for matched in self.match(alert))

    def _wish(self, matched: Matched, alert: Alert) -> _Wish:
        refused = scope_refusal(self.configuration, alert.scope, runbook=matched.runbook.name)
        if refused:
            return _Wish(matched, refused=refused)
        try:
            inputs, target = self._aim(matched.runbook, alert)
        except (InvalidTarget, TemplateError) as error:
            return _Wish(matched, refused=str(error))
        return _Wish(matched, target, inputs, slot_of(matched.runbook.name, target))

    def _decide(
        self, matched: Matched, wish: _Wish, alert: Alert, episode: Episode, draft: _Draft, now: datetime
    ) -> Decision:
        runbook = matched.runbook
        if wish.refused:
            return Decision(runbook=runbook.name, outcome="refused", reason=wish.refused)
        member = Member(alert_key=alert.alert_key, episode_id=episode.episode_id, name=alert.name, since=now)
        holder = self._holder(wish.slot, draft)
        if holder:
            self._join(wish.slot, holder, member, draft)
            draft.follow(alert.alert_key, holder)
            return Decision(runbook=runbook.name, outcome="joined", execution_id=holder)
        execution = self._open(
            matched, alert, (member,), wish.target, wish.inputs, incident_id=episode.incident_id, now=now
        )
        draft.opened[wish.slot] = execution
        draft.members[wish.slot] = [member]
        draft.holders[wish.slot] = execution.id
        draft.runbooks[runbook.digest] = runbook
        draft.follow(alert.alert_key, execution.id)
        return Decision(
            runbook=runbook.name, outcome="opened", execution_id=execution.id, reason=f"mode {matched.mode}"
        )

    def _holder(self, slot: str, draft: _Draft) -> str:
        if slot not in draft.holders:
            self._ask_for_holders([slot], draft)
        return draft.holders[slot]

    def _ask_for_holders(self, slots: Sequence[str], draft: _Draft) -> None:
        """Read who holds these slots, all at once: a storm wants hundreds."""
        found = self.journal.holders(slots) if slots else {}
        draft.holders.update((slot, found.get(slot, "")) for slot in slots)

    def _join(self, slot: str, holder: str, member: Member, draft: _Draft) -> None:
        if slot in draft.opened:
            draft.members[slot].append(member)
            return
        signal = Signal(
            kind="joined", at=member.since, alert_key=member.alert_key, episode_id=member.episode_id, name=member.name
        )
        draft.joined.append((slot, holder, signal))

    def _aim(self, runbook: Runbook, alert: Alert) -> tuple[dict[str, str], Target]:
        inputs = resolve_inputs(runbook.inputs, alert)
        target = resolve_target(runbook.target, inputs, alert, self.configuration, self.templates)
        if target.kind != "none" and not allowed(target, self.configuration.targets):
            raise InvalidTarget(f"invalid_target: {target.pattern_form} is not in the targets of engine.yaml")
        return inputs, target

    def _open(
        self,
        matched: Matched,
        alert: Alert,
        members: tuple[Member, ...],
        target: Target,
        inputs: Mapping[str, str],
        *,
        incident_id: str,
        now: datetime,
    ) -> Execution:
        return open_execution(
            runbook=matched.runbook,
            alert=replace(alert, episode_id=members[0].episode_id),
            members=members,
            first_episode=members[0].episode_id,
            target=target,
            inputs=inputs,
            mode=matched.mode,
            incident_id=incident_id,
            now=now,
            fallback_receiver=self._fallback_receiver(matched.runbook),
        )

    def _fallback_receiver(self, runbook: Runbook) -> str:
        """Return who hears what no rule covers: the owner's receiver, else the first one there is."""
        for team in self.configuration.teams:
            if team.name == runbook.owner and team.receiver:
                return team.receiver
        return self.configuration.receivers[0].name if self.configuration.receivers else ""

    # --- incidents ----------------------------------------------------------------------------------------

    def _incident_for(self, alert: Alert, episode: Episode, draft: _Draft, now: datetime) -> _Touched:
        key = incident_key(alert, self.configuration.correlation.keys)
        touched = draft.incidents.get(draft.newest.get(key, ""))
        if touched is None and (stored := self.journal.newest_incident(key)) is not None:
            touched = draft.incidents.get(stored.id) or _Touched.of(stored)
        window = self.configuration.correlation.window
        if touched is None or (not touched.open_alerts and now - touched.stored.last_firing_at > window):
            touched = _Touched.of(self._new_incident(key, alert, episode.episode_id, now))
        draft.incidents[touched.stored.id] = touched
        draft.newest[key] = touched.stored.id
        touched.fires(alert, now)
        return touched

    def _new_incident(self, key: str, alert: Alert, episode_id: str, now: datetime) -> Incident:
        identity = hashlib.sha256(f"{len(key)}:{key}{episode_id}".encode()).hexdigest()[:12]
        return Incident(
            id=identity,
            key=key,
            title=alert.name,
            severity=alert.severity,
            opened_at=now,
            last_firing_at=now,
            open_alerts=(alert.alert_key,),
            alert_keys=(alert.alert_key,),
            labels=tuple((name, alert.labels[name]) for name in INCIDENT_LABELS if name in alert.labels),
        )

    def _close_in_incident(self, episode: Episode, draft: _Draft, now: datetime, *, resolved: bool) -> None:
        if not episode.incident_id:
            return
        touched = draft.incidents.get(episode.incident_id)
        if touched is None:
            touched = draft.incidents[episode.incident_id] = _Touched.of(self.journal.incident(episode.incident_id))
        touched.ends(episode.alert_key, now, resolved=resolved)

    def _tell_followers(self, kind: SignalKind, episode: Episode, draft: _Draft, at: datetime) -> None:
        signal = Signal(
            kind=kind,
            at=at,
            alert_key=episode.alert_key,
            episode_id=episode.episode_id,
            name=episode.name,
        )
        draft.signals.extend((execution_id, signal) for execution_id in draft.followers.get(episode.alert_key, ()))


def _may_open(alert: Alert, draft: _Draft) -> bool:
    """Whether an alert is likely to open an episode, going by what is stored; a guess that costs nothing when wrong."""
    known = draft.episodes.get(alert.alert_key)
    return alert.status == "firing" and (known is None or not known.is_open)


def _as_read(episode: Episode, known: Episode | None) -> Episode:
    """Return the episode with the version that it was read with, which its store checks."""
    return replace(episode, version=known.version if known is not None else 0)
