"""The store: every object, one global revision and the history that watches are served from."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.emulators.kubernetes.errors import expired
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.trees import Tree


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `previous` tells a watch with a selector whether the object came into view or left it."""

    revision: int
    type: str
    resource: Resource
    item: Tree
    previous: Tree | None


class Store:
    """Objects by resource, namespace and name. Callers hold `lock`; whatever is read must not be changed in place."""

    def __init__(self, history: int) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 1000
        self._shelves: dict[Resource, dict[tuple[str, str], Tree]] = {}
        self._history: deque[Event] = deque(maxlen=history)
        self._forgotten = self.revision

    def get(self, resource: Resource, namespace: str, name: str) -> Tree | None:
        return self._shelves.get(resource, {}).get((namespace, name))

    def items(self, resource: Resource, namespace: str | None = None) -> Iterator[Tree]:
        """Yield the objects in the order a list answers them: by namespace, then name."""
        shelf = self._shelves.get(resource, {})
        for key in sorted(shelf):
            if not namespace or key[0] == namespace:
                yield shelf[key]

    def put(self, resource: Resource, item: Tree) -> Tree:
        """Keep an object under a new revision and tell the watches."""
        metadata = item["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        shelf = self._shelves.setdefault(resource, {})
        previous = shelf.get(key)
        self.revision += 1
        metadata["resourceVersion"] = str(self.revision)
        shelf[key] = item
        self._record("MODIFIED" if previous else "ADDED", resource, item, previous)
        return item

    def remove(self, resource: Resource, item: Tree) -> Tree:
        """Take an object off its shelf; the watch event carries the revision of the removal."""
        metadata = item["metadata"]
        previous = self._shelves[resource].pop((metadata.get("namespace", ""), metadata["name"]))
        self.revision += 1
        last = item | {"metadata": metadata | {"resourceVersion": str(self.revision)}}
        self._record("DELETED", resource, last, previous)
        return last

    def _record(self, type_: str, resource: Resource, item: Tree, previous: Tree | None) -> None:
        if len(self._history) == self._history.maxlen:
            self._forgotten = self._history[0].revision
        self._history.append(Event(self.revision, type_, resource, item, previous))
        self.changed.notify_all()

    def since(self, revision: int) -> list[Event]:
        """Return the changes after a revision, or refuse when they are forgotten."""
        if revision < self._forgotten:
            raise expired(f"too old resource version: {revision} ({self._forgotten})")
        found: list[Event] = []
        for event in reversed(self._history):
            if event.revision <= revision:
                break
            found.append(event)
        return found[::-1]

    def known(self, revision: int) -> bool:
        """Whether the history since a revision is still kept."""
        return revision >= self._forgotten

    def forget(self) -> None:
        """Drop the history, as compaction does."""
        self.revision += 1
        self._history.clear()
        self._forgotten = self.revision
        self.changed.notify_all()
