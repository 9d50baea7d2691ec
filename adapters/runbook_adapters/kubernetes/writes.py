"""What every write shares: it looks first, it is held to what it saw, and it looks again when somebody was faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from runbook_adapters.kubernetes.objects import metadata_of, uid_of
from runbook_adapters.kubernetes.problems import PatchTestFailed, WriteConflict
from runbook_adapters.kubernetes.transport import Json
from runbook_engine.errors import Conflict
from runbook_engine.model.target import Target

MOST_ATTEMPTS = 5
Done = TypeVar("Done")


def compare_and_set(attempt: Callable[[], Done]) -> Done:
    """Look, decide and write, and again when somebody wrote in between; `attempt` raises Conflict when it is real."""
    for _ in range(MOST_ATTEMPTS - 1):
        try:
            return attempt()
        except (WriteConflict, PatchTestFailed):
            continue  # the next look says whether it matters
    return attempt()


def check_same(target: Target, found: Json) -> None:
    """Raise Conflict when a target that was planned for is another one by now."""
    if target.uid and uid_of(found) != target.uid:
        raise Conflict(f"{target} was deleted and created again since it was looked at; nothing was changed")


def unmoved(found: Json) -> list[Json]:
    """Return the tests that a patch begins with: this very object, wanting what it wanted when we looked.

    The generation rises with every change of what is wanted; not every kind of object has one.
    """
    metadata = metadata_of(found)
    tests: list[Json] = [{"op": "test", "path": "/metadata/uid", "value": uid_of(found)}]
    if "generation" in metadata:
        tests.append({"op": "test", "path": "/metadata/generation", "value": metadata["generation"]})
    return tests


def pointer(*parts: str | int) -> str:
    """Return a JSON pointer; a slash inside a part is no separator."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def set_annotation(found: Json, name: str, value: str, *, at: Sequence[str] = ("metadata",)) -> Json:
    """Return the operation that sets one annotation and leaves the others: the map may be missing."""
    metadata = found
    for part in at:
        metadata = metadata.get(part) or {}
    if metadata.get("annotations") is None:
        if not metadata:
            return {"op": "add", "path": pointer(*at), "value": {"annotations": {name: value}}}
        return {"op": "add", "path": pointer(*at, "annotations"), "value": {name: value}}
    return {"op": "add", "path": pointer(*at, "annotations", name), "value": value}
