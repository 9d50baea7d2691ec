"""Permissions: what a set of runbooks needs of its clusters and of its cloud, from what actions and checks declare.

Nothing is asked of either. A name that the runbook leaves to the alert is bounded by the target allow-list of
engine.yaml, since nothing outside of it is ever touched.
"""

from runbook_engine.permissions.cloud import PORTS, allowances_of
from runbook_engine.permissions.cluster import grants_of
from runbook_engine.permissions.requests import Sending, sendings_of

__all__ = ["PORTS", "Sending", "allowances_of", "grants_of", "sendings_of"]
