"""The rollout watcher: tells of every change of a cluster's workloads as it happens, and how each release does.

The cluster itself forgets: a deleted ReplicaSet takes its release along, and nothing says of an old one whether it
was healthy. What is told here is kept by whoever listens. What is known outlives a lost connection, so that watching
again tells what changed in between, as far as two looks can tell it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, Queue
from typing import TypeAlias, assert_never

from runbook_adapters.kubernetes.differences import (
    Look,
    creation_of,
    deletion_of,
    differences,
    failure_of,
    is_whole,
    look_at,
)
from runbook_adapters.kubernetes.feeds import (
    MOST_WAITING,
    Collection,
    Feed,
    Happened,
    Listed,
    Lost,
    Quiet,
    Word,
    version_of,
)
from runbook_adapters.kubernetes.objects import WORKLOADS, metadata_of, name_of, path_to, uid_of
from runbook_adapters.kubernetes.problems import NotFound, RbacForbidden
from runbook_adapters.kubernetes.revisions import controller_history, controller_revisions, numbered
from runbook_adapters.kubernetes.rollout import is_observed
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_engine.model.duration import say_duration
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

HEALTHY_AFTER = timedelta(minutes=10)  # whole for so long without a break
TURN = 60  # seconds that one watch lasts, which is how late a release may be found healthy
SHORTEST = 5  # seconds for each of many namespaces
LISTEN = 0.5  # seconds until it is looked again whether to stop
MOST_LOOKS = 20  # revisions that are asked for after one watch
CONTROLLER = "kubernetes"
Tell: TypeAlias = Callable[[Target, ChangeEvent], None]


@dataclass(slots=True)
class _Known:
    """One workload as it was last seen."""

    collection: Collection
    target: Target
    look: Look
    release: str = ""  # what tells this release from the next one
    whole_since: datetime | None = None
    told: frozenset[str] = frozenset()  # of this release: healthy, failed
    autoscaled: datetime | None = None  # the hour in which that was last told


class RolloutWatcher:
    """Watches the workloads of one cluster."""

    def __init__(
        self,
        transport: Transport,
        place: str,
        clock: Clock,
        namespaces: Sequence[str] = (),
        *,
        healthy_after: timedelta = HEALTHY_AFTER,
        turn: int = TURN,
    ) -> None:
        self._transport = transport
        self._place = place
        self._clock = clock
        self._healthy_after = healthy_after
        self._known: dict[str, _Known] = {}
        self._seconds = turn if len(namespaces) < 2 else max(min(SHORTEST, turn), turn // len(namespaces))
        self._kinds = [
            [Collection(kind, path_to(kind, namespace)) for namespace in namespaces or ("",)] for kind in WORKLOADS
        ]

    def watch(self, tell: Tell, stopped: Callable[[], bool]) -> None:
        """Tell of every change until stopped. Raises Unreadable when the cluster cannot be read.

        What is not allowed for one kind is raised after one turn of the others: a missing permission does not pass
        by itself, and they are watched in between.
        """
        words: Queue[Word] = Queue(MOST_WAITING)
        refusals: list[Exception] = []
        patience = float("inf")
        feeds = [Feed(self._transport, collections, self._seconds, words) for collections in self._kinds]
        for feed in feeds:
            feed.start()
        try:
            while not stopped():
                if len(refusals) == len(feeds) or time.monotonic() > patience:
                    raise refusals[0]
                try:
                    word = words.get(timeout=LISTEN)
                except Empty:
                    continue
                if isinstance(word, Lost) and isinstance(word.error, RbacForbidden):
                    refusals.append(word.error)
                    patience = min(patience, time.monotonic() + self._seconds * len(self._kinds[0]) + LISTEN)
                else:
                    self._hear(word, tell)
        finally:
            for feed in feeds:
                feed.stop()
            for feed in feeds:
                feed.join()

    def _hear(self, word: Word, tell: Tell) -> None:
        """Tell first, and remember then: what could not be told is heard again."""
        match word:
            case Listed():
                self._compare(word, tell)
            case Happened():
                self._take(word, tell)
            case Quiet():
                self._judge_all(word.collection, tell)
            case Lost():
                raise word.error
            case _:
                assert_never(word)

    def _compare(self, listed: Listed, tell: Tell) -> None:
        collection = listed.collection
        for item in listed.items:
            self._see(collection, item, tell, gap=True)
        present = {uid_of(item) for item in listed.items}
        for uid, known in tuple(self._known.items()):
            if known.collection is collection and uid not in present:
                self._forget(uid, {}, tell)
        collection.listed, collection.version = True, listed.version

    def _take(self, happened: Happened, tell: Tell) -> None:
        collection, found = happened.collection, happened.event.get("object") or {}
        match happened.event.get("type"):
            case "ADDED" | "MODIFIED":
                self._see(collection, found, tell, gap=False)
            case "DELETED":
                self._forget(uid_of(found), found, tell)
            case _:
                pass  # a bookmark says nothing, and moves the version
        collection.version = version_of(happened.event) or collection.version

    def _see(self, collection: Collection, workload: Json, tell: Tell, *, gap: bool) -> None:
        """Take a look; after a `gap` nobody knows what was between it and the one before."""
        now, look, uid = self._clock.now(), look_at(workload), uid_of(workload)
        known = self._known.get(uid)
        if known is None:
            target = Target(
                collection.kind, self._place, str(metadata_of(workload).get("namespace") or ""), name_of(workload), uid
            )
            if collection.listed:
                tell(target, creation_of(workload, now))
            known = self._known[uid] = _Known(collection, target, look)
            changed: tuple[ChangeEvent, ...] = ()
        elif known.look.version == look.version:
            return
        else:
            changed = differences(known.look, workload, now)
            for change in changed:
                self._tell_change(known, change, tell)
            known.look = look
        self._weigh(known, workload, tell, broken=gap or bool(changed))

    def _tell_change(self, known: _Known, change: ChangeEvent, tell: Tell) -> None:
        """Tell of it; of an autoscaler's only the first in an hour, lest its ups and downs push releases out."""
        hour = change.at.replace(minute=0, second=0, microsecond=0)
        if change.kind == "autoscaled" and known.autoscaled == hour:
            return
        tell(known.target, change)
        if change.kind == "autoscaled":
            known.autoscaled = hour

    def _weigh(self, known: _Known, workload: Json, tell: Tell, *, broken: bool) -> None:
        """Take down how the release is doing, and tell when it has failed."""
        now, release = self._clock.now(), _release_of(workload)
        if known.release != release:
            known.release, known.told, known.whole_since = release, frozenset(), None
        if is_observed(workload) or broken:
            whole = is_whole(workload)
            known.whole_since = (now if broken else known.whole_since or now) if whole else None
        failure = failure_of(workload)
        if failure is None or "failed" in known.told or not known.look.revision:
            return
        what = f"the rollout of revision {known.look.revision} failed: {failure.reason}"
        at = failure.at or now
        tell(known.target, ChangeEvent(at=at, who=CONTROLLER, what=what, kind="failed", revision=known.look.revision))
        known.told |= {"failed"}

    def _judge_all(self, collection: Collection, tell: Tell) -> None:
        """Tell which releases have proved themselves. Everything that happened until now is known."""
        now = self._clock.now()
        ripe = [
            known
            for known in self._known.values()
            if known.collection is collection
            and "healthy" not in known.told
            and known.whole_since is not None
            and now - known.whole_since >= self._healthy_after
        ]
        for known in ripe[:MOST_LOOKS]:
            revision = known.look.revision if collection.kind == "deployment" else self._number(known)
            if revision:
                what = f"revision {revision} has been whole for {say_duration(self._healthy_after)}"
                tell(known.target, ChangeEvent(at=now, who=CONTROLLER, what=what, kind="healthy", revision=revision))
                known.told |= {"healthy"}

    def _number(self, known: _Known) -> int:
        """Return the revision of a statefulset or a daemonset, which only its ControllerRevisions know; 0 = none."""
        path = path_to(known.target.kind, known.target.namespace, known.target.name)
        try:
            workload = self._transport.get(path)
        except NotFound:
            return 0
        if uid_of(workload) != known.target.uid or _release_of(workload) != known.release:
            return 0  # not what was seen whole
        current = controller_history(workload, controller_revisions(self._transport, workload), []).current
        return current.number if current is not None else 0

    def _forget(self, uid: str, workload: Json, tell: Tell) -> None:
        known = self._known.get(uid)
        if known is not None:
            tell(known.target, deletion_of(workload, self._clock.now()))
            del self._known[uid]


def _release_of(workload: Json) -> str:
    """Return what changes with every release: a deployment's number, else the generation of what is wanted."""
    number = numbered(workload)
    return str(number) if number else f"generation {metadata_of(workload).get('generation')}"
