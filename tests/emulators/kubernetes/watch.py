"""Watches: a stream of changes since a revision, as a selector sees them."""

import time
from collections.abc import Callable, Iterator

from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.listing import Query, gone_event, matcher
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.store import Event, Store
from tests.emulators.kubernetes.trees import Tree

_SHORTEST_POLL = 0.2


def watch(
    store: Store, resource: Resource, namespace: str | None, query: Query, stopped: Callable[[], bool]
) -> Iterator[Tree]:
    """Yield watch events until the time asked for is over or the server stops."""
    accepts = matcher(resource, query)
    ends = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
    asked = query.get("resourceVersion", "")
    with store.lock:
        first = [item for item in store.items(resource, namespace) if accepts(item)] if asked in ("", "0") else []
        revision = store.revision if asked in ("", "0") else int(asked)
    for item in first:
        yield {"type": "ADDED", "object": item}
    if query.get("sendInitialEvents") == "true":
        yield _bookmark(resource, revision, {"k8s.io/initial-events-end": "true"})
    while time.monotonic() < ends and not stopped():
        try:
            events = _next(store, revision, min(ends - time.monotonic(), _SHORTEST_POLL))
        except ApiError as error:
            yield gone_event(error)
            return
        for event in events:
            revision = event.revision
            shown = _seen(event, resource, namespace, accepts)
            if shown:
                yield shown


def _next(store: Store, revision: int, patience: float) -> list[Event]:
    with store.changed:
        if store.revision <= revision:
            store.changed.wait(max(patience, 0))
        return store.since(revision)


def _seen(event: Event, resource: Resource, namespace: str | None, accepts: Callable[[Tree], bool]) -> Tree | None:
    if event.resource is not resource or (namespace and event.item["metadata"].get("namespace") != namespace):
        return None
    before = event.previous is not None and accepts(event.previous)
    now = event.type != "DELETED" and accepts(event.item)
    if not before and not now:
        return None
    if now:
        return {"type": "MODIFIED" if before else "ADDED", "object": event.item}
    return {"type": "DELETED", "object": event.item}


def _bookmark(resource: Resource, revision: int, annotations: Tree) -> Tree:
    metadata = {"resourceVersion": str(revision), "annotations": annotations}
    item = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return {"type": "BOOKMARK", "object": item}
