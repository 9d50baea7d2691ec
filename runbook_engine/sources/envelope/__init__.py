"""Envelopes: what AWS wraps around a delivery, taken off by what the platform set and never by what a body says.

Detection is in a fixed order and on structure alone. Nothing in a payload chooses a scope, a credential or a runbook:
a posted delivery names its scope by its route and is authenticated, a delivered one is admitted by who brought it.
"""

from runbook_engine.sources.envelope.admission import scope_of
from runbook_engine.sources.envelope.delivered import Envelope, HttpDelivery, Origin, PlatformDelivery
from runbook_engine.sources.envelope.replies import http_reply, settle
from runbook_engine.sources.envelope.requests import to_request
from runbook_engine.sources.envelope.unwrap import unwrap

__all__ = [
    "Envelope",
    "HttpDelivery",
    "Origin",
    "PlatformDelivery",
    "http_reply",
    "scope_of",
    "settle",
    "to_request",
    "unwrap",
]
