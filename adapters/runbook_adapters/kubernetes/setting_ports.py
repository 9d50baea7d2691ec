"""Settings: reading and writing entries, each as a compare-and-set at its exact place."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runbook_adapters.kubernetes.entries import DataKey, EnvironmentKey, find_entry, parse_key, patch_of
from runbook_adapters.kubernetes.gitops import gitops_owner
from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import ignored_because, metadata_of, path_to, uid_of, workload_path
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_adapters.kubernetes.writer import check_rolls, receipt_of
from runbook_adapters.kubernetes.writes import check_same, compare_and_set, pointer, unmoved
from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.observation import Setting
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target


class KubernetesSettingReader:
    """Looks at the environment of workloads, and at ConfigMaps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def setting(self, target: Target, key: str) -> Setting:
        """Return one entry. Raises InvalidTarget, Unreadable."""
        parsed = parse_key(target, key)
        found = _holder(self._transport, target)
        namespace = self._transport.get(path_to("namespace", "", target.namespace))
        is_data = isinstance(parsed, DataKey)
        return Setting(
            target=msgspec.structs.replace(target, uid=uid_of(found)),
            text=_text(target, found, parsed),
            immutable=is_data and found.get("immutable") is True,
            gitops=gitops_owner(found, "data" if is_data else "spec"),
            ignored=ignored_because(found, namespace),
        )


class KubernetesSettingWriter:
    """Touches the environment of workloads, and ConfigMaps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) one entry, if it still is `expected`; None = absent."""
        return compare_and_set(lambda: self._write(target, key, text, expected))

    def _write(self, target: Target, key: str, text: str | None, expected: str | None) -> Mapping[str, Value]:
        with before_touching():
            parsed = parse_key(target, key)
            found = _holder(self._transport, target)
            check_same(target, found)
            live = _text(target, found, parsed)
        if live == text:
            return {**_receipt(found, parsed), "unchanged": True}
        if live != expected:
            raise Conflict(f"{key} of {target} has been changed by somebody else; nothing was overwritten")
        if isinstance(parsed, DataKey):
            changed = self._write_data(target, found, parsed, text)
        else:
            changed = self._write_entry(target, found, parsed, text)
        return _receipt(changed, parsed)

    def _write_entry(self, target: Target, workload: Json, key: EnvironmentKey, text: str | None) -> Json:
        check_rolls(target, workload, f"cannot set {key.name} of {target}")
        with before_touching():
            operations = patch_of(find_entry(target, workload, key), text)
        return self._transport.patch(workload_path(target), [*unmoved(workload), *operations], kind="json")

    def _write_data(self, target: Target, configmap: Json, key: DataKey, text: str | None) -> Json:
        refusal = f"cannot set {key.name} of {target}"
        if configmap.get("immutable") is True:
            raise Permanent(f"{refusal}: it is immutable (create another one and let the workload use that)")
        if key.name in (configmap.get("binaryData") or {}):
            raise Permanent(f"{refusal}: it holds bytes, not text (name another key)")
        path = path_to("configmap", target.namespace, target.name)
        return self._transport.patch(path, _data_patch(configmap, key.name, text), kind="json")


def _holder(transport: Transport, target: Target) -> Json:
    if target.kind != "configmap":
        return get_workload(transport, target)
    if not target.namespace or not target.name:
        raise InvalidTarget(f"{target} names no configmap (name a namespace and a configmap)")
    try:
        return transport.get(path_to("configmap", target.namespace, target.name))
    except NotFound as error:
        raise InvalidTarget(f"{target} does not exist (check the name and the namespace)") from error


def _text(target: Target, found: Json, key: EnvironmentKey | DataKey) -> str | None:
    if isinstance(key, EnvironmentKey):
        return find_entry(target, found, key).text
    text = (found.get("data") or {}).get(key.name)
    return text if isinstance(text, str) else None


def _data_patch(configmap: Json, name: str, text: str | None) -> list[Json]:
    """An absent key cannot be tested, so there the whole ConfigMap must be the one that was read."""
    data, path = configmap.get("data"), pointer("data", name)
    if data is not None and name in data:
        held = [*unmoved(configmap), {"op": "test", "path": path, "value": data[name]}]
        return [
            *held,
            {"op": "remove", "path": path} if text is None else {"op": "replace", "path": path, "value": text},
        ]
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": metadata_of(configmap)["resourceVersion"]}
    adding = {"op": "add", "path": path, "value": text} if data is not None else None
    return [*unmoved(configmap), version, adding or {"op": "add", "path": "/data", "value": {name: text}}]


def _receipt(found: Json, key: EnvironmentKey | DataKey) -> dict[str, Value]:
    if isinstance(key, EnvironmentKey):
        return receipt_of(found)
    return {"version": str(metadata_of(found).get("resourceVersion", ""))}
