"""Grants of an installation: what its runbooks need of its clusters, and what watches them for changes."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_engine.entrypoints.adapters import choices_of, convert_settings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.grant import Grant
from runbook_engine.model.runbook import Mode
from runbook_engine.permissions import grants_of
from runbook_engine.registry import Registry


def installation_grants(bundle: Bundle, registry: Registry, mode: Mode | None = None) -> tuple[Grant, ...]:
    """Return every grant that an installation needs. Raises NoAdapter, InvalidSettings."""
    runbooks = grants_of(bundle.runbooks, bundle.configuration, registry, mode)
    return tuple(sorted({*runbooks, *_of_watchers(bundle.configuration, registry)}))


def _of_watchers(configuration: Configuration, registry: Registry) -> Iterator[Grant]:
    for choice in choices_of("changes", configuration, registry):
        spec = registry.adapter(choice.adapter)
        where = f"adapter {choice.adapter} of {choice.place or 'every place'}"
        yield from spec.watches(convert_settings(choice.settings, spec.settings, where))
