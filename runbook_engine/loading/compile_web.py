"""Compile what an installation decides about its web page."""

from __future__ import annotations

from runbook_engine.documents.web import WebDocument, WebProxyDocument
from runbook_engine.loading.compile import given
from runbook_engine.model.web import Web, WebProxy


def compile_web(web: WebDocument) -> Web:
    """Return the compiled settings of the page."""
    return Web(
        enabled=web.enabled,
        proxy=_proxy(web.proxy),
        people=dict(web.people),
        others=web.others,
        **given(url=web.url, session_for=web.session_for),
    )


def _proxy(proxy: WebProxyDocument | None) -> WebProxy | None:
    return None if proxy is None else WebProxy(networks=proxy.networks, **given(header=proxy.header))
