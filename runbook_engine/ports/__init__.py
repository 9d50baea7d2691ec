"""Ports: what the core asks of the world, as Protocols. Looking and touching are different types.

Readers raise `Unreadable` (or `NoAdapter`) and never answer with a guess; writers raise `Conflict`, `Retryable`,
`Permanent` or `EffectUnknown`.
"""

from runbook_engine.ports.journal import (
    Committed,
    Journal,
    Ledger,
    Refused,
)
from runbook_engine.ports.readers import (
    ChangeReader,
    Clock,
    ClusterReader,
    FlagReader,
    LogReader,
    MetricReader,
    PauseReader,
    World,
)
from runbook_engine.ports.specs import (
    ActionSpec,
    AdapterContext,
    AdapterSpec,
    CollectorSpec,
    Evidenced,
    Port,
    Repeat,
    Served,
)
from runbook_engine.ports.writers import (
    ClusterWriter,
    Effects,
    FlagWriter,
    Notifier,
    PauseWriter,
)

__all__ = [
    "ActionSpec",
    "AdapterContext",
    "AdapterSpec",
    "ChangeReader",
    "Clock",
    "ClusterReader",
    "ClusterWriter",
    "CollectorSpec",
    "Committed",
    "Effects",
    "Evidenced",
    "FlagReader",
    "FlagWriter",
    "Journal",
    "Ledger",
    "LogReader",
    "MetricReader",
    "Notifier",
    "PauseReader",
    "PauseWriter",
    "Port",
    "Refused",
    "Repeat",
    "Served",
    "World",
]
