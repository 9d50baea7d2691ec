"""The adapters that a configuration names: installed, serving that port, and given settings that they know.

An adapter that is not installed here may be installed where the engine runs, so that is a warning; a setting that
an installed adapter does not take is an error. The host refuses both when it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import Catalogue, as_map
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.ports import AdapterSpec, Port

_OURS: Final = frozenset({"adapter", "place"})


def check_adapters(findings: Findings, catalogue: Catalogue) -> None:
    """Report adapters that cannot be used as they are written."""
    for path, port, choice in _choices(as_map(findings.content)):
        name = choice.get("adapter")
        if not isinstance(name, str):
            continue
        try:
            spec = catalogue.adapter(name)
        except NoAdapter as error:
            findings.warning((*path, "adapter"), "no-adapter", f'the adapter "{name}" is not installed', error.hint)
            continue
        if port not in spec.provides:
            message = f'the adapter "{name}" does not serve {port}'
            findings.error((*path, "adapter"), "adapter-port", message, f"it serves {', '.join(spec.provides)}")
            continue
        _check_settings(findings, path, choice, spec)


def _choices(content: Mapping[str, Any]) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    ports = as_map(content.get("adapters"))
    for port, written in ((port, ports[port]) for port in ports if port in get_args(Port)):
        if isinstance(written, list):
            for index, choice in enumerate(written):
                yield ("adapters", port, index), port, as_map(choice)
        else:
            yield ("adapters", port), port, as_map(written)
    for name, receiver in as_map(content.get("receivers")).items():
        yield ("receivers", name), "receiver", as_map(receiver)


def _check_settings(findings: Findings, path: Path, choice: Mapping[str, Any], spec: AdapterSpec) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(spec.settings)}
    settings = {key: value for key, value in choice.items() if key not in _OURS}
    unknown = [key for key in settings if key not in fields]
    missing = [name for name, field in fields.items() if field.required and name not in settings]
    for key in unknown:
        message = f'unknown setting "{key}" of the adapter "{spec.name}"'
        findings.error_at_key((*path, key), "unknown-setting", message, did_you_mean(key, fields))
    for name in missing:
        message = f'the setting "{name}" of the adapter "{spec.name}" is missing'
        findings.error(path, "missing-setting", message, f"it takes {', '.join(fields)}")
    if not unknown and not missing:
        _check_values(findings, path, settings, spec)


def _check_values(findings: Findings, path: Path, settings: Mapping[str, Any], spec: AdapterSpec) -> None:
    try:
        msgspec.convert(dict(settings), spec.settings)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).replace("`", "").partition(" - at $.")
        key = place.partition(".")[0].partition("[")[0]
        message = f'a setting of the adapter "{spec.name}": {sentence[:1].lower()}{sentence[1:]}'
        if (*path, key) not in findings.explained:
            findings.error((*path, key) if key in settings else path, "wrong-setting", message)
