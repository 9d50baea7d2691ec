"""The labels that matchers see: the alert's own, and the engine's word on it in five meta labels.

A payload may carry a label that is named like a meta label. The engine's word wins: otherwise a sender could call
itself critical, or another source.
"""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.model.alert import Alert

META_LABELS = ("__severity__", "__source__", "__status__", "__kind__", "__scope__")


def labels_of(alert: Alert) -> Mapping[str, str]:
    """Return the alert's labels together with the meta labels."""
    return {
        **alert.labels,
        "__severity__": alert.severity,
        "__source__": alert.source,
        "__status__": alert.status,
        "__kind__": alert.kind,
        "__scope__": alert.scope,
    }
