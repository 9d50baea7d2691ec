"""Coverage: which alerts of some rules have a runbook, and which runbooks some alert can reach."""

from __future__ import annotations

import msgspec


class MissingLabel(msgspec.Struct, frozen=True):
    """A label that a runbook needs of an alert, and that its rule does not set, or not for sure."""

    label: str
    runbook: str
    needed_by: str  # as in `input node`, `matcher condition = DiskPressure`
    absent: bool  # surely; else nobody can tell


class AlertCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One alert rule, and the runbooks that its alerts start."""

    name: str
    file: str
    line: int
    severity: str = ""
    runbooks: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()  # of those, the ones that a label decides which nobody can tell
    missing: tuple[MissingLabel, ...] = ()
    ignored: bool = False

    @property
    def uncovered(self) -> bool:
        """Whether it ought to have a runbook, and has none."""
        return not self.runbooks and not self.ignored


class RunbookCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One runbook, and whether an alert of the rules can start it; `why` says what keeps the nearest one away."""

    name: str
    file: str
    line: int
    reachable: bool
    why: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """Alerts and runbooks, each with or without the other."""

    alerts: tuple[AlertCoverage, ...]
    runbooks: tuple[RunbookCoverage, ...]

    @property
    def uncovered(self) -> tuple[AlertCoverage, ...]:
        """The alerts that have no runbook, and ought to."""
        return tuple(alert for alert in self.alerts if alert.uncovered)

    @property
    def unreachable(self) -> tuple[RunbookCoverage, ...]:
        """The runbooks that no alert can start."""
        return tuple(runbook for runbook in self.runbooks if not runbook.reachable)

    @property
    def lacking(self) -> tuple[AlertCoverage, ...]:
        """The alerts that start a runbook without a label that it surely needs."""
        return tuple(alert for alert in self.alerts if any(missing.absent for missing in alert.missing))
