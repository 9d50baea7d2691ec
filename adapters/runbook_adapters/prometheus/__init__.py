"""Adapter `prometheus`: metrics from the Prometheus HTTP API."""

from __future__ import annotations

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class PrometheusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Prometheus answers, without /api/v1, and the bearer token if it wants one."""

    url: str
    token: SecretReference | None = None


def build(port: Port, settings: PrometheusSettings, context: AdapterContext) -> Served:
    """Serve metrics from one Prometheus."""
    from runbook_adapters.prometheus.reader import PrometheusReader
    from runbook_adapters.web import Web, checked_address

    if port != "metrics":
        raise NoAdapter(f"prometheus does not serve {port}", "it serves metrics")
    reference = settings.token
    address = checked_address(settings.url, "prometheus")
    return Served(reader=PrometheusReader(Web(), address, lambda: context.secret(reference) if reference else ""))


ADAPTER = AdapterSpec(name="prometheus", provides=("metrics",), settings=PrometheusSettings, build=build)
