"""The groups of the journal in memory. Its caller holds the lock of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from runbook_engine.errors import StaleVersion, UnknownExecution
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group, Part, part_of


class MemoryGroups:
    """Every group, and which executions are of it."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._members: dict[str, list[str]] = {}  # group -> execution ids

    def newest(self, runbook: str) -> Group | None:
        """Return the newest group of a runbook."""
        found = sorted((group for group in self._groups.values() if group.runbook == runbook), key=lambda new: new.id)
        return next(iter(sorted(found, key=lambda group: group.opened_at, reverse=True)), None)

    def group(self, group_id: str) -> Group:
        """Return one group. Raises UnknownExecution."""
        if group_id not in self._groups:
            raise UnknownExecution(f"no group {group_id}")
        return self._groups[group_id]

    def parts(self, group_id: str, execution: Callable[[str], Execution]) -> tuple[Part, ...]:
        """Return every execution of a group as the group sees it, oldest first."""
        parts = [part_of(execution(member)) for member in self._members.get(group_id, ())]
        return tuple(sorted(parts, key=lambda part: (part.opened_at, part.execution_id)))

    def add(self, execution: Execution) -> None:
        """Remember that an execution is of its group, if it has one."""
        if execution.group_id:
            self._members.setdefault(execution.group_id, []).append(execution.id)

    def refuse_moved(self, groups: Iterable[Group]) -> None:
        """Raise StaleVersion unless every group has the version that it was read with."""
        for group in groups:
            stored = self._groups.get(group.id)
            if group.version != (stored.version if stored is not None else 0):
                raise StaleVersion("a group has moved since it was read: read it again")

    def store(self, groups: Iterable[Group]) -> None:
        """Store groups under the versions after the ones that they were read with."""
        following = (msgspec.structs.replace(group, version=group.version + 1) for group in groups)
        self._groups |= {group.id: group for group in following}
