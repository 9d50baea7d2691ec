"""Adapter `http`: the pinned requests of engine.yaml, the escape hatch to whatever has an API.

Addresses, headers and bodies come from engine.yaml and are complete there but for declared parameters. Redirects are
not followed, answers are bounded, and no connection is made to where machines tell their own credentials.
"""

from __future__ import annotations

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing: each request of engine.yaml says all of itself."""


def build(port: Port, settings: HttpSettings, context: AdapterContext) -> Served:
    """Serve the requests of engine.yaml; nothing is sent yet."""
    from runbook_adapters.http.reader import HttpReader
    from runbook_adapters.http.wire import Wire
    from runbook_adapters.http.writer import HttpWriter

    if port != "requests":
        raise NoAdapter(f"http does not serve {port}", "it serves requests")
    wire = Wire(context.secret)
    templates = {template.name: template for template in context.configuration.requests}
    reader = HttpReader(templates, wire)
    return Served(reader=reader, writer=HttpWriter(templates, wire, context.clock), probe=reader.probe)


ADAPTER = AdapterSpec(name="http", provides=("requests",), settings=HttpSettings, build=build)
