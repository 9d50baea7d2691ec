"""Feeds: what the API server says of whole collections, list first and then watch, put into one queue by one thread
for each kind of workload.

A watch goes on at the resource version that its last event bore; versions are compared with nothing. When the server
has forgotten it (410), everything is listed anew, and whoever listens compares.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Lock, Thread
from typing import TypeAlias

from runbook_adapters.kubernetes.objects import metadata_of
from runbook_adapters.kubernetes.problems import Expired
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wire import Opened

SHORTEST_TURN = 1.0  # seconds: a server that ends every watch at once is not asked without a pause
PUT_PATIENCE = 0.2
JOIN_PATIENCE = 0.5
MOST_WAITING = 1000  # events that nobody has listened to yet


@dataclass(slots=True, eq=False)
class Collection:
    """All workloads of one kind, in one namespace or in all; `version` is where whoever listens has come to."""

    kind: str
    path: str
    version: str = ""
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything that a collection holds at a version."""

    collection: Collection
    items: Items
    version: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a watch."""

    collection: Collection
    event: Json


@dataclass(frozen=True, slots=True)
class Quiet:
    """A watch has ended as it should: everything that happened until now has been told."""

    collection: Collection


@dataclass(frozen=True, slots=True)
class Lost:
    """A feed has ended, since it could not be read."""

    error: Exception


Word: TypeAlias = Listed | Happened | Quiet | Lost


class Feed:
    """One thread that follows the collections of one kind by turns."""

    def __init__(
        self, transport: Transport, collections: Sequence[Collection], seconds: int, words: Queue[Word]
    ) -> None:
        self._transport = transport
        self._collections = collections
        self._seconds = seconds  # that one watch lasts
        self._words = words
        self._versions = {collection.path: collection.version for collection in collections}
        self._over = Event()
        self._guard = Lock()
        self._opened: Opened | None = None
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End it: the connection is cut, so that nobody waits for a silent server."""
        with self._guard:
            self._over.set()
            if self._opened is not None:
                self._opened.cut()

    def join(self) -> None:
        """Wait a moment for the thread to end; it is no longer listened to in any case."""
        self._thread.join(JOIN_PATIENCE)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                for collection in self._collections:
                    started = time.monotonic()
                    self._follow(collection)
                    self._over.wait(max(0.0, SHORTEST_TURN - (time.monotonic() - started)))
        except Exception as error:  # noqa: BLE001 - carried over to the thread that listens, which raises it
            self._put(Lost(error))

    def _follow(self, collection: Collection) -> None:
        if self._over.is_set():
            return
        try:
            version = self._versions[collection.path] or self._list(collection)
            query = {"resourceVersion": version, "timeoutSeconds": str(self._seconds), "allowWatchBookmarks": "true"}
            for event in self._transport.watch(collection.path, query, opened=self._hold):
                self._put(Happened(collection, event))
                self._versions[collection.path] = version_of(event) or self._versions[collection.path]
        except Expired:
            self._versions[collection.path] = ""
            return
        self._put(Quiet(collection))

    def _list(self, collection: Collection) -> str:
        items, version = self._transport.list(collection.path)
        self._put(Listed(collection, items, version))
        self._versions[collection.path] = version
        return version

    def _hold(self, opened: Opened) -> None:
        with self._guard:
            self._opened = opened
            if self._over.is_set():
                opened.cut()

    def _put(self, word: Word) -> None:
        while not self._over.is_set():
            try:
                self._words.put(word, timeout=PUT_PATIENCE)
            except Full:
                continue
            return


def version_of(event: Json) -> str:
    """Return the resource version that an event bears."""
    return str(metadata_of(event.get("object") or {}).get("resourceVersion") or "")
