"""What must hold between the scopes of a configuration: who of AWS delivers where."""

from __future__ import annotations

from typing import Any

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import Catalogue, as_list, as_map


def check_senders(findings: Findings, catalogue: Catalogue, scopes: Any) -> None:
    """Report scopes that nothing can come into, and senders that two scopes claim."""
    owners: dict[str, str] = {}
    for name, scope in scopes.items():
        source = catalogue.sources.get(str(as_map(scope).get("source")))
        senders = as_list(as_map(scope).get("from"))
        if source is not None and not source.posted and not senders:
            message = f'"from" is missing: what {source.name} reads comes through AWS and is never posted'
            hint = "write who delivers it, as in from: [events:aws.cloudwatch]"
            findings.error(("scopes", name), "scope-from", message, hint)
        for index, sender in enumerate(senders):
            owner = owners.setdefault(sender, name) if isinstance(sender, str) else name
            if owner != name:
                message = f'"{sender}" delivers into "{owner}" already'
                findings.error(("scopes", name, "from", index), "sender-twice", message, "keep it in one scope")
