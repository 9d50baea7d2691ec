"""What must hold between the web page of a configuration and the rest of it."""

from __future__ import annotations

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_map


def check_web(findings: Findings) -> None:
    """Report a proxy that leads people to a runner which asks nobody who they are."""
    content = as_map(findings.content)
    proxy = as_map(content.get("web")).get("proxy")
    if proxy is not None and not as_map(content.get("tokens")):
        message = "a proxy leads people to this runner, and without tokens everybody who reaches it may act"
        findings.error(("web", "proxy"), "proxy-without-tokens", message, "name tokens, or remove proxy")
