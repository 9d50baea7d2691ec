"""The builder: goes through the alerts of a delivery, and drafts all that they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_mode
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from runbook_engine.correlation import expire, incident_key, is_news, observe_alert, silent_since
from runbook_engine.intake.draft import Draft
from runbook_engine.intake.groups import find_group, told_again
from runbook_engine.intake.incidents import close_in_incident, reopen_in_incident, touch_incident
from runbook_engine.intake.room import Room
from runbook_engine.intake.storm import count_opening
from runbook_engine.intake.wishes import Matched, Wish, open_held, open_refused, open_wished, wish
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.episode import Episode, Transition
from runbook_engine.model.execution import Execution, Member
from runbook_engine.model.group import Group
from runbook_engine.model.incident import Arrival, Decision, Intake
from runbook_engine.model.runbook import MODES, Runbook
from runbook_engine.model.standing import MOST_ENDS, Standing, standing_of
from runbook_engine.ports import Journal
from runbook_engine.templating import Templates

FIRST_GLANCE = 8  # alerts
NEVER_REMEDIATED = frozenset(("Watchdog", "InfoInhibitor"))  # heartbeats: they always fire
LATE = (
    "told late: it may be a recording of an older alert, because its sender signs no time (look whether it is true, "
    "then start the runbook by hand)"
)


class Opening(NamedTuple):
    """What an alert that may open an episode would open: all that needs no journal."""

    wishes: tuple[Wish, ...]
    incident_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeBuilder:
    """Decides what alerts mean, under one configuration."""

    configuration: Configuration
    journal: Journal
    match: Callable[[Alert], tuple[Matched, ...]]
    templates: Templates
    room: Room

    def build(self, alerts: tuple[Alert, ...], now: datetime, counted_at: datetime | None = None) -> Intake:
        """Return all that these alerts change, which came `now`. What they open counts towards a storm at `counted_at`.

        That is later for alerts that had to wait: however far apart they came, their runs act together.
        """
        keys = list(dict.fromkeys([alert.alert_key for alert in alerts]))
        over = list(dict.fromkeys([alert.alert_key for alert in alerts if alert.status == "resolved"]))
        draft = Draft(
            episodes=dict(self.journal.episodes(keys)),
            holders={},
            followers=dict(self.journal.followers(over)) if over else {},
            counted_at=counted_at,
        )
        openings = [self._opening(alert) if _may_open(alert, draft) else None for alert in alerts]
        self._read_for(list(filter(None, openings)), draft)
        openings.reverse()
        for alert in alerts:
            self._take(alert, openings.pop(), draft, now)  # what is taken is let go: a storm brings thousands
        self.room.take(len(draft.opened))
        return draft.intake()

    def brings_news(self, alerts: Sequence[Alert]) -> bool:
        """Return whether these alerts change anything. It looks at a few first: news is seldom only in the last one."""
        start, size = 0, FIRST_GLANCE
        while start < len(alerts):
            some = alerts[start : start + size]
            known = self.journal.episodes([alert.alert_key for alert in some])
            if any(self._is_news(alert, known.get(alert.alert_key)) for alert in some):
                return True
            start, size = start + size, size * 8
        return False

    def _is_news(self, alert: Alert, known: Episode | None) -> bool:
        episode = observe_alert(alert, known, cycle=alert.cycle).episode
        if episode is None:
            return False
        return known is None or is_news(known, episode, self.configuration.correlation.expire_after)

    def expire(self, now: datetime, after: timedelta, limit: int) -> Intake:
        """Return what it means that nobody has spoken of some open episodes for so long."""
        stale = self.journal.open_episodes(silent_since(now, after), limit)
        keys = [episode.alert_key for episode in stale]
        draft = Draft(episodes={}, holders={}, followers=dict(self.journal.followers(keys)))
        for episode in stale:
            transition = expire(episode, now, after)
            if transition is None or transition.episode is None:
                continue
            draft.touched[episode.alert_key] = _as_read(transition.episode, episode)
            close_in_incident(episode, draft, self.journal, now, resolved=False)
            draft.tell_followers("expired", episode, now)
        return draft.intake()

    def wishes(self, alert: Alert) -> tuple[Wish, ...]:
        """Return what every runbook that matches would act on: all that can be said without asking the journal."""
        if alert.name in NEVER_REMEDIATED:
            return ()
        return tuple(wish(matched, alert, self.configuration, self.templates) for matched in self.match(alert))

    def trusted(self, wished: Wish, standings: dict[str, Standing]) -> Wish:
        """Return the wish as far as its runbook is trusted after what its runs did; asks the journal once for each."""
        runbook, mode = wished.matched.runbook, wished.matched.mode
        if mode not in ("approve", "auto"):  # there is nothing below that a run could be lowered to
            return wished
        if runbook.name not in standings:
            standings[runbook.name] = standing_of(self.journal.ends(runbook.name, runbook.digest, MOST_ENDS))
        standing = standings[runbook.name]
        lowered = replace(wished.matched, mode=standing.within(mode), standing=standing)
        return with_mode(wished, matched=lowered)

    def _opening(self, alert: Alert) -> Opening:
        return Opening(self.wishes(alert), incident_key(alert, self.configuration.correlation.keys))

    def _read_for(self, openings: Sequence[Opening], draft: Draft) -> None:
        """Read what openings ask of the journal, all at once: a storm brings hundreds."""
        if not openings:
            return
        self._ask_for_holders([each.slot for opening in openings for each in opening.wishes if each.slot], draft)
        keys = list(dict.fromkeys([opening.incident_key for opening in openings]))
        found = self.journal.newest_incidents(keys)
        draft.stored.update((key, found.get(key)) for key in keys)

    def _take(self, alert: Alert, opening: Opening | None, draft: Draft, now: datetime) -> None:
        known = draft.touched.get(alert.alert_key) or draft.episodes.get(alert.alert_key)
        transition = observe_alert(alert, known, cycle=alert.cycle)
        episode = transition.episode
        if episode is None:
            return
        if known is not None and not is_news(known, episode, self.configuration.correlation.expire_after):
            return
        decisions: tuple[Decision, ...] = ()
        if transition.opens:
            opening = opening or self._opening(alert)
            alert = replace(alert, episode_id=episode.episode_id)
            episode, decisions = self._opened(alert, opening, transition, episode, draft, now)
        elif transition.closes:
            close_in_incident(episode, draft, self.journal, now, resolved=True)
            draft.tell_followers("resolved", episode, episode.ends_at or now)
        elif episode.is_open and episode.incident_id and known is not None and known.state == "expired":
            reopen_in_incident(alert, episode, draft, self.journal, now)
        draft.touched[alert.alert_key] = _as_read(episode, known)
        if episode.incident_id and transition.kind not in ("repeat", "late"):
            told = _of_episode(alert, episode.episode_id)
            draft.arrivals.append(
                Arrival(
                    incident_id=episode.incident_id,
                    at=now,
                    alert=told,
                    transition=transition.kind,
                    flapping=transition.flapping,
                    decisions=decisions,
                )
            )

    def _opened(
        self,
        alert: Alert,
        opening: Opening,
        transition: Transition,
        episode: Episode,
        draft: Draft,
        now: datetime,
    ) -> tuple[Episode, tuple[Decision, ...]]:
        window = self.configuration.correlation.window
        incident = touch_incident(opening.incident_key, alert, episode, draft, self.journal, window, now)
        episode = replace(episode, incident_id=incident.stored.id)
        wanted = [_while_flapping(each) for each in opening.wishes] if transition.flapping else opening.wishes
        wanted = [_told_late(each) for each in wanted] if alert.told_late else wanted
        decisions: tuple[Decision, ...] = ()
        for each in wanted:
            decisions = (*decisions, self._decide(each, alert, episode, draft, now, after=decisions))
        incident.execution_ids.update((each.execution_id, None) for each in decisions if each.execution_id)
        return episode, decisions

    def _decide(
        self, wished: Wish, alert: Alert, episode: Episode, draft: Draft, now: datetime, after: tuple[Decision, ...]
    ) -> Decision:
        """Decide what one runbook does about an alert, `after` what those before it in the order of priority do."""
        runbook = wished.matched.runbook
        member = Member(alert_key=alert.alert_key, episode_id=episode.episode_id, name=alert.name, since=now)
        if wished.refused:
            return self._refuse(wished, alert, member, episode, draft, now)
        holder = self._holder(wished.slot, draft)
        if holder:
            draft.join(wished.slot, holder, member)
            draft.follow(alert.alert_key, holder)
            return Decision(runbook=runbook.name, outcome="joined", execution_id=holder)
        if not self._has_room(draft):
            return Decision(runbook=runbook.name, outcome="refused", reason=self.room.refusal)
        group = find_group(runbook, draft, self.journal, now)
        wished = self.trusted(wished, draft.standings)
        execution = open_wished(
            wished,
            alert,
            member,
            self.configuration,
            incident_id=episode.incident_id,
            now=now,
            group=group,
            behind=tuple(each.execution_id for each in after if each.outcome != "refused"),
        )
        if group is not None and group.refused:
            return self._hold(execution, runbook, group, draft, now)
        count_opening(execution, draft, self.journal, self.configuration.storm, draft.counted_at or now)
        draft.open(execution, runbook)
        draft.holders[wished.slot] = execution.id
        draft.follow(alert.alert_key, execution.id)
        reason = f"mode {execution.mode}{f', {execution.demoted}' if execution.demoted else ''}"
        return Decision(runbook=runbook.name, outcome="opened", execution_id=execution.id, reason=reason)

    def _has_room(self, draft: Draft) -> bool:
        if draft.room is None:
            draft.room = self.room.left()
        return draft.room > len(draft.opened)

    def _hold(self, execution: Execution, runbook: Runbook, group: Group, draft: Draft, now: datetime) -> Decision:
        """Record one more that a refused group keeps from acting."""
        tells = execution.mode != "observe" and told_again(group, draft, now)
        held = open_held(execution, runbook, group, now, tells=tells)
        draft.open(held, runbook)
        return Decision(runbook=runbook.name, outcome="refused", execution_id=held.id, reason=held.reason)

    def _refuse(
        self, wished: Wish, alert: Alert, member: Member, episode: Episode, draft: Draft, now: datetime
    ) -> Decision:
        """Record a refusal; blocked is never silent, save of what only observes or is none of the sender's business."""
        runbook = wished.matched.runbook
        if wished.out_of_scope or wished.matched.mode == "observe":
            return Decision(runbook=runbook.name, outcome="refused", reason=wished.refused)
        blocked = open_refused(wished, alert, member, self.configuration, incident_id=episode.incident_id, now=now)
        draft.open(blocked, runbook)
        return Decision(runbook=runbook.name, outcome="refused", execution_id=blocked.id, reason=wished.refused)

    def _holder(self, slot: str, draft: Draft) -> str:
        if slot not in draft.holders:
            self._ask_for_holders([slot], draft)
        return draft.holders[slot]

    def _ask_for_holders(self, slots: Sequence[str], draft: Draft) -> None:
        """Read who holds these slots, all at once: a storm wants hundreds."""
        found = self.journal.holders(slots) if slots else {}
        draft.holders.update((slot, found.get(slot, "")) for slot in slots)


def _told_late(wished: Wish) -> Wish:
    """Return the wish of what may be a recording: somebody hears of it, and it stands in nobody's way."""
    return wished if wished.refused else with_mode(wished, refused=LATE)


def _while_flapping(wished: Wish) -> Wish:
    """Return the wish as it may go while its alert flaps: a person starts it, if anybody does."""
    matched = wished.matched
    return with_mode(wished, matched=replace(matched, mode=min(matched.mode, "propose", key=MODES.index)))


def _may_open(alert: Alert, draft: Draft) -> bool:
    """Whether an alert is likely to open an episode, going by what is stored; a guess that costs nothing when wrong."""
    known = draft.episodes.get(alert.alert_key)
    return alert.status == "firing" and (known is None or not known.is_open)


def _of_episode(alert: Alert, episode_id: str) -> Alert:
    return alert if alert.episode_id == episode_id else replace(alert, episode_id=episode_id)


def _as_read(episode: Episode, known: Episode | None) -> Episode:
    """Return the episode with the version that it was read with, which its store checks."""
    return replace(episode, version=known.version if known is not None else 0)
