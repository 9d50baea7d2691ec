"""The context of the controllers: the registry they write through and the world they find, which tests arrange."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch

from tests.emulators.kubernetes.clock import Clock, stamp
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.registry import Registry
from tests.emulators.kubernetes.resources import PODS, Resource
from tests.emulators.kubernetes.settings import Settings
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.trees import Tree, controller_of

TAGS = ("bad-pull", "crash", "never-ready", "bad-config", "slow", "complete", "fail")


@dataclass
class Runtime:
    """What the machines do: how images behave, which nodes are down, which pods fail their probes."""

    images: dict[str, str] = field(default_factory=dict)
    nodes_down: set[str] = field(default_factory=set)
    pods_unready: set[tuple[str, str]] = field(default_factory=set)
    logs: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    recommendations: dict[tuple[str, str], int] = field(default_factory=dict)
    bound: dict[str, datetime] = field(default_factory=dict)
    stopping: dict[str, datetime] = field(default_factory=dict)
    since: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def behaviour(self, image: str) -> str:
        """Return how an image behaves: by the test's table, else by its tag."""
        for pattern, behaviour in list(self.images.items()):
            if image == pattern or fnmatch(image, pattern):
                return behaviour
        tag = image.rpartition("/")[2].partition(":")[2]
        return tag if tag in TAGS else "run"

    def first_seen(self, what: str, key: str, now: datetime) -> datetime:
        """Return when something was first seen to be so."""
        return self.since.setdefault((what, key), now)


@dataclass
class Context:
    """Everything a controller needs. Callers hold the store's lock."""

    registry: Registry
    store: Store
    clock: Clock
    settings: Settings
    runtime: Runtime
    refusals: deque[ApiError] = field(default_factory=lambda: deque(maxlen=100))

    def now(self) -> datetime:
        return self.clock.now()

    def stamp(self) -> str:
        return stamp(self.clock.now())

    def items(self, resource: Resource) -> Iterator[Tree]:
        """Yield a snapshot of a kind, so that writing while reading is safe."""
        yield from list(self.store.items(resource))

    def live(self, resource: Resource, item: Tree) -> Tree | None:
        """Return the latest version of an object, unless it is gone or another has its name."""
        metadata = item["metadata"]
        found = self.store.get(resource, metadata.get("namespace", ""), metadata["name"])
        return found if found and found["metadata"]["uid"] == metadata["uid"] else None

    def pods_by_owner(self) -> dict[str, list[Tree]]:
        """Return pods by the uid of their controller."""
        found: dict[str, list[Tree]] = {}
        for pod in self.store.items(PODS):
            owner = controller_of(pod)
            if owner:
                found.setdefault(owner["uid"], []).append(pod)
        return found

    @contextmanager
    def requeue(self) -> Iterator[None]:
        """Give up on one object for now when the server refuses; the next look tries again."""
        try:
            yield
        except ApiError as error:
            self.refusals.append(error)

    def try_create(self, resource: Resource, namespace: str, item: Tree) -> ApiError | None:
        """Create an object and return the refusal, which controllers put into a condition."""
        try:
            self.registry.create(resource, namespace, item)
        except ApiError as error:
            return error
        return None
