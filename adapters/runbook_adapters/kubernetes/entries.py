"""Entries: one environment variable of a workload's container, or one key of a ConfigMap.

An entry is replaced where it stands: later variables may be built from earlier ones. What takes its value from
elsewhere is kept whole, so that undoing restores the template to the byte, and with it the old ReplicaSet.
"""

from __future__ import annotations

from typing import Any

import msgspec

from runbook_adapters.kubernetes.templates import template_of
from runbook_adapters.kubernetes.transport import Json
from runbook_engine.errors import InvalidTarget, Permanent, Unreadable
from runbook_engine.model.target import Target

ENTRY = "entry "


class EnvironmentKey(msgspec.Struct, frozen=True):
    """`env:CONTAINER/NAME`; an empty container is the only one."""

    container: str
    name: str


class DataKey(msgspec.Struct, frozen=True):
    """`data:KEY`, of a ConfigMap."""

    name: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry stands, or would: the container's index, and the entry's own when there is one."""

    container: int
    container_name: str
    name: str
    index: int | None
    entry: Json | None
    count: int | None  # entries of the list, None when there is no list

    @property
    def text(self) -> str | None:
        """The entry as text, None when there is none."""
        return None if self.entry is None else text_of(self.entry)


def parse_key(target: Target, key: str) -> EnvironmentKey | DataKey:
    """Return what a key names. Raises InvalidTarget when the target cannot have such a key."""
    kind, _, rest = key.partition(":")
    if kind == "data" and target.kind == "configmap" and rest:
        return DataKey(rest)
    container, slash, name = rest.partition("/")
    if kind == "env" and target.kind != "configmap" and slash and name:
        return EnvironmentKey(container, name)
    raise InvalidTarget(
        f"{key!r} names no setting of {target} (write env:CONTAINER/NAME of a workload, or data:KEY of a configmap)"
    )


def find_entry(target: Target, workload: Json, key: EnvironmentKey) -> Place:
    """Return where a variable stands. Raises InvalidTarget, and Unreadable when it stands there twice."""
    containers = (template_of(workload).get("spec") or {}).get("containers") or []
    index = _container_index(target, [str(each.get("name")) for each in containers], key.container)
    container = containers[index]
    entries: list[Json] | None = container.get("env")
    found = [position for position, entry in enumerate(entries or []) if entry.get("name") == key.name]
    if len(found) > 1:
        raise Unreadable(
            f"container {container['name']} of {target} sets {key.name} {len(found)} times (keep the last of them)"
        )
    return Place(
        container=index,
        container_name=str(container["name"]),
        name=key.name,
        index=found[0] if found else None,
        entry=(entries or [])[found[0]] if found else None,
        count=len(entries) if entries is not None else None,
    )


def text_of(entry: Json) -> str:
    """Return an entry as text: a plain value as it is, anything else whole."""
    plain = entry.get("value", "")
    if set(entry) <= {"name", "value"} and isinstance(plain, str) and not plain.startswith(ENTRY):
        return plain
    return ENTRY + msgspec.json.encode(entry, order="sorted").decode()


def entry_of(name: str, text: str) -> Json:
    """Return the entry that a text stands for. Raises Permanent when it stands for none."""
    if not text.startswith(ENTRY):
        return {"name": name, "value": text}
    try:
        found: Any = msgspec.json.decode(text.removeprefix(ENTRY))
    except msgspec.MsgspecError as error:
        raise Permanent(f"the text for {name} begins like an entry and is none (write a plain value)") from error
    if not isinstance(found, dict) or found.get("name") != name:
        raise Permanent(f"the text for {name} is an entry of another name (write a plain value)")
    return found


def patch_of(place: Place, text: str | None) -> list[Json]:
    """Return the operations that turn what stands there into the text, None = nothing; each at its exact place."""
    container = f"/spec/template/spec/containers/{place.container}"
    same: Json = {"op": "test", "path": f"{container}/name", "value": place.container_name}
    if place.index is None:
        if text is None:
            return []
        entry = entry_of(place.name, text)
        if place.count is None:
            return [same, {"op": "add", "path": f"{container}/env", "value": [entry]}]
        return [same, {"op": "add", "path": f"{container}/env/-", "value": entry}]
    path = f"{container}/env/{place.index}"
    unmoved: list[Json] = [same, {"op": "test", "path": path, "value": place.entry}]
    if text is None:
        return [*unmoved, {"op": "remove", "path": f"{container}/env" if place.count == 1 else path}]
    return [*unmoved, {"op": "replace", "path": path, "value": entry_of(place.name, text)}]


def _container_index(target: Target, names: list[str], wanted: str) -> int:
    if not wanted and len(names) == 1:
        return 0
    if wanted in names:
        return names.index(wanted)
    which = f"no container {wanted}" if wanted else f"{len(names)} containers"
    raise InvalidTarget(f"{target} has {which} (name one of {', '.join(names)})")
