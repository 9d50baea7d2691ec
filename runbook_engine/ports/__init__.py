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
    ChangeWatcher,
    Clock,
    ClusterReader,
    EventReader,
    FlagReader,
    JobReader,
    LogReader,
    MetricReader,
    NodeReader,
    PauseReader,
    SettingReader,
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
    JobWriter,
    NodeWriter,
    Notifier,
    PauseWriter,
    SettingWriter,
)

__all__ = [
    "ActionSpec",
    "AdapterContext",
    "AdapterSpec",
    "ChangeReader",
    "ChangeWatcher",
    "Clock",
    "ClusterReader",
    "ClusterWriter",
    "CollectorSpec",
    "Committed",
    "Effects",
    "EventReader",
    "Evidenced",
    "FlagReader",
    "FlagWriter",
    "JobReader",
    "JobWriter",
    "Journal",
    "Ledger",
    "LogReader",
    "MetricReader",
    "NodeReader",
    "NodeWriter",
    "Notifier",
    "PauseReader",
    "PauseWriter",
    "Port",
    "Refused",
    "Repeat",
    "Served",
    "SettingReader",
    "SettingWriter",
    "World",
]
