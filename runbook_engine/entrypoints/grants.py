"""Grants of an installation: what its runbooks need of its clusters and its cloud, and what watches for changes."""

from __future__ import annotations

from collections.abc import Iterator

from runbook_engine.entrypoints.adapters import choices_of, convert_settings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.grant import Grant
from runbook_engine.model.iam import Account, Allowance
from runbook_engine.model.runbook import Mode
from runbook_engine.permissions import PORTS, allowances_of, grants_of
from runbook_engine.registry import Registry

AWS = "aws"  # what an adapter calls itself whose calls IAM allows


def installation_grants(bundle: Bundle, registry: Registry, mode: Mode | None = None) -> tuple[Grant, ...]:
    """Return every grant that an installation needs. Raises NoAdapter, InvalidSettings."""
    runbooks = grants_of(bundle.runbooks, bundle.configuration, registry, mode)
    return tuple(sorted({*runbooks, *_of_watchers(bundle.configuration, registry)}))


def installation_allowances(
    bundle: Bundle, registry: Registry, account: Account, mode: Mode | None = None
) -> tuple[Allowance, ...]:
    """Return every allowance that an installation's runbooks need of AWS. Raises NoAdapter."""
    ports = _ports_of(AWS, bundle.configuration, registry)
    return allowances_of(bundle.runbooks, bundle.configuration, registry, account, mode=mode, ports=ports)


def acts_in_aws(configuration: Configuration, registry: Registry) -> bool:
    """Whether runbooks reach anything of AWS here: else no policy is about this installation. Raises NoAdapter."""
    return bool(PORTS & _ports_of(AWS, configuration, registry))


def _ports_of(vendor: str, configuration: Configuration, registry: Registry) -> frozenset[str]:
    """Return the ports that adapters of a vendor serve."""
    return frozenset(
        port
        for port, choices in configuration.adapters.items()
        if any(registry.adapter(choice.adapter).vendor == vendor for choice in choices)
    )


def _of_watchers(configuration: Configuration, registry: Registry) -> Iterator[Grant]:
    for choice in choices_of("changes", configuration, registry):
        spec = registry.adapter(choice.adapter)
        where = f"adapter {choice.adapter} of {choice.place or 'every place'}"
        yield from spec.watches(convert_settings(choice.settings, spec.settings, where))
