"""One runbook under analysis: what it means, and where each part of it was written."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import Catalogue
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.check import Check
from runbook_engine.model.runbook import MODES, Mode, Runbook, Step


class Subject:
    """A compiled runbook with the findings that its file collects."""

    def __init__(self, runbook: Runbook, findings: Findings, catalogue: Catalogue) -> None:
        self.runbook = runbook
        self.findings = findings
        self._catalogue = catalogue

    def __str__(self) -> str:
        """Return the runbook as another one's finding names it: its name, and where it stands."""
        return f'"{self.runbook.name}" ({self.runbook.file}:{self.runbook.line})'

    def warn(self, path: Path, code: str, message: str, hint: str) -> None:
        """Report what is most likely not meant."""
        self.findings.warning(path, code, message, hint)

    def error(self, path: Path, code: str, message: str, hint: str) -> None:
        """Report what is surely wrong."""
        self.findings.error(path, code, message, hint)

    def changes(self, step: Step) -> bool:
        """Whether a step may change something, and does not only tell."""
        return not self._catalogue.actions[step.action].message_only

    def hands_over(self, step: Step) -> bool:
        """Whether a person has the incident once the step is done."""
        return self._catalogue.actions[step.action].hands_over

    @property
    def changing(self) -> tuple[tuple[int, Step], ...]:
        """The steps that may change something, each with its index."""
        return tuple((index, step) for index, step in enumerate(self.runbook.steps) if self.changes(step))

    @property
    def boldest(self) -> Mode:
        """The mode furthest from observe that any alert may give it."""
        return max((rule.mode for rule in self.runbook.mode), key=MODES.index)

    @property
    def shyest(self) -> Mode:
        """The mode nearest to observe that any alert may give it."""
        return min((rule.mode for rule in self.runbook.mode), key=MODES.index)

    @property
    def acts(self) -> bool:
        """Whether it ever gets beyond looking on."""
        return self.boldest != "observe"


def checks_path(path: Path, checks: Sequence[Check], index: int, findings: Findings) -> Path:
    """Return where one of several checks stands: an author may write a single one without a list."""
    inner = (*path, index)
    return inner if len(checks) > 1 or findings.node(inner) is not None else path
