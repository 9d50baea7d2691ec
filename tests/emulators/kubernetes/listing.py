"""Lists: selectors, pages and the continue tokens that expire with the history."""

import base64
import json

from tests.emulators.kubernetes.errors import ApiError, bad_request, expired
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.selectors import parse_fields, parse_labels
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.trees import Tree, labels

_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)
Query = dict[str, str]


def matcher(resource: Resource, query: Query):  # type: ignore[no-untyped-def]
    """Return the test an object must pass to be in a list or a watch."""
    by_labels = parse_labels(query.get("labelSelector", ""))
    by_fields = parse_fields(query.get("fieldSelector", ""), resource)
    return lambda item: by_labels(labels(item)) and by_fields(item)


def list_items(store: Store, resource: Resource, namespace: str | None, query: Query) -> Tree:
    """Answer a list, page by page when a limit is asked for."""
    accepts = matcher(resource, query)
    found = [item for item in store.items(resource, namespace) if accepts(item)]
    revision, start = store.revision, ("", "")
    if query.get("continue"):
        revision, start = _read_token(store, query["continue"])
        found = [item for item in found if _key(item) > start]
    limit = int(query.get("limit") or 0)
    metadata: Tree = {"resourceVersion": str(revision)}
    if limit and len(found) > limit:
        metadata["continue"] = _token(revision, _key(found[limit - 1]))
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": found,
    }


def _key(item: Tree) -> tuple[str, str]:
    return (item["metadata"].get("namespace", ""), item["metadata"]["name"])


def _token(revision: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key]).encode()).decode().rstrip("=")


def _read_token(store: Store, token: str) -> tuple[int, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise bad_request("continue key is not valid") from None
    if not store.known(revision):
        raise expired(_EXPIRED)
    return revision, (namespace, name)


def gone_event(error: ApiError) -> Tree:
    """Return the event that ends a watch which asked for forgotten history."""
    return {"type": "ERROR", "object": error.status()}
