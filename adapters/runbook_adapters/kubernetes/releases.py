"""Releases in words: what two pod templates of one workload differ in, as an on-call would say it.

Values are never told, only the names of what has another value: an environment may hold secrets. The one exception
are images, which name the release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_adapters.kubernetes.templates import is_same_release, restarted_at
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.wording import one_line

TOLD_APART = ("name", "image", "env", "envFrom")
LONGEST = 500


def said_difference(before: Json, after: Json) -> str:
    """Return what was released between two templates; empty when nothing was."""
    if before == after:
        return ""
    if is_same_release(before, after):
        return "restarted" if restarted_at(before) != restarted_at(after) else "marked"
    said = "; ".join(_parts(before, after)) or "pod template changed"
    return one_line(said, LONGEST)


def _parts(before: Json, after: Json) -> Iterator[str]:
    old, new = _containers(before), _containers(after)
    yield from _images(old, new)
    for name in [name for name in new if name in old]:
        entries = _changed(_environment(old[name]), _environment(new[name]))
        if entries:
            yield f"environment of {name}: {', '.join(entries)}"
        others = [key for key in _changed(old[name], new[name]) if key not in TOLD_APART]
        if others:
            yield f"settings of {name}: {', '.join(others)}"
    pod = [key for key in _changed(before.get("spec") or {}, after.get("spec") or {}) if not key.endswith("ontainers")]
    if pod:
        yield f"settings of its pods: {', '.join(pod)}"


def _images(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    alone = len(new) == 1
    for name, container in new.items():
        was, now = old.get(name, {}).get("image"), container.get("image")
        if name not in old:
            yield f"container {name} added: image {now}"
        elif was != now:
            yield f"image {was} -> {now}" if alone else f"image of {name} {was} -> {now}"
    yield from (f"container {name} removed" for name in old if name not in new)


def _containers(template: Json) -> dict[str, Json]:
    spec = template.get("spec") or {}
    found = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return {str(container.get("name") or ""): container for container in found}


def _environment(container: Json) -> dict[str, Any]:
    entries: dict[str, Any] = {str(entry.get("name") or ""): entry for entry in container.get("env") or []}
    for source in container.get("envFrom") or []:
        names = [(part.get("name") or "") for part in source.values() if isinstance(part, dict)]
        entries[f"all of {', '.join(names)}"] = source
    return entries


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
