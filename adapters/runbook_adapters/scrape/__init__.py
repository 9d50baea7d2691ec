"""Adapter `scrape`: the named series of engine.yaml from one /metrics endpoint, where there is no Prometheus.

The endpoint must speak for the whole service (prometheus_client's multiprocess mode does for one machine). Scrapes
are kept in memory by each process for itself: server and worker do not share them. `where` is compared with
`labels`, which stand for what Prometheus would attach to its target, then with the series' own. `cluster` need not
be said: it is the adapter's place, or the only cluster of engine.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class ScrapeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The endpoint, its bearer token if it wants one, and the labels that all its series carry."""

    url: str
    token: SecretReference | None = None
    labels: Mapping[str, str] = {}


def build(port: Port, settings: ScrapeSettings, context: AdapterContext) -> Served:
    """Serve metrics from one endpoint."""
    from runbook_adapters.scrape.reader import ScrapeReader
    from runbook_adapters.web import Web, checked_address

    if port != "metrics":
        raise NoAdapter(f"scrape does not serve {port}", "it serves metrics")
    reference = settings.token
    reader = ScrapeReader(
        Web(),
        checked_address(settings.url, "scrape"),
        lambda: context.secret(reference) if reference else "",
        rules=context.configuration.series,
        labels={**_cluster(context), **settings.labels},
        clock=context.clock,
    )
    return Served(reader=reader)


def _cluster(context: AdapterContext) -> dict[str, str]:
    clusters = (context.place,) if context.place else context.configuration.clusters
    return {"cluster": clusters[0]} if len(clusters) == 1 else {}


ADAPTER = AdapterSpec(name="scrape", provides=("metrics",), settings=ScrapeSettings, build=build)
