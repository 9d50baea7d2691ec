"""Progress: what a run does, line by line while it runs, and the questions that it asks on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.cli.consent import Consent, confirm
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.output import complain, say
from runbook_engine.model.directive import Approve, Directive, Wait
from runbook_engine.model.execution import ApprovalRequest, Execution
from runbook_engine.render.execution import render_record
from runbook_engine.render.lines import Span, line
from runbook_engine.render.wording import clock, movement, short, subject_of


@dataclass(slots=True)
class Progress:
    """Hears every directive of a run that a person has started."""

    engine: Engine
    consent: Consent
    desk: Desk
    shown: bool  # whether somebody watches
    _seen: dict[str, int] = field(default_factory=dict)  # execution -> audit records that were shown
    _waits: dict[str, str] = field(default_factory=dict)  # execution -> the last wait that was shown
    _asked: set[str] = field(default_factory=set)  # hashes that somebody else must answer

    def told(self, execution_id: str, directive: Directive) -> None:
        """Show what is new, and answer what was already agreed to."""
        if self.shown:
            self._show(execution_id, directive)
        if isinstance(directive, Approve):
            execution = self.engine.journal.load(execution_id)
            if execution.approval is not None:
                self._answer(execution, execution.approval)

    def only_people_are_awaited(self, directives: Mapping[str, Directive]) -> bool:
        """Whether every run that goes on waits for somebody who is not here."""
        open_ones = [each for each in directives.values() if isinstance(each, Approve)]
        running = [each for execution_id, each in directives.items() if self._runs(execution_id, each)]
        return bool(open_ones) and not running

    def _runs(self, execution_id: str, directive: Directive) -> bool:
        if isinstance(directive, Approve):
            return directive.hash not in self._asked
        return not self.engine.journal.load(execution_id).ended

    def _show(self, execution_id: str, directive: Directive) -> None:
        records = self.engine.journal.audit(execution_id)
        new = records[self._seen.get(execution_id, 0) :]
        self._seen[execution_id] = len(records)
        if new:
            say(self.desk, [render_record(record) for record in new])
            self._waits.pop(execution_id, None)
        if isinstance(directive, Wait) and directive.reason and self._waits.get(execution_id) != directive.reason:
            self._waits[execution_id] = directive.reason
            say(self.desk, [line(Span(f"          waiting: {directive.reason}", "faint"), hang=10)])

    def _answer(self, execution: Execution, request: ApprovalRequest) -> None:
        if request.hash in self._asked:
            return
        if self.consent.covers(request.hash) or self._agrees(request):
            self.engine.approve(
                execution.id, plan_hash=request.hash, by=self.consent.by, now=self.desk.now(), reason="runbook run"
            )
            return
        self._asked.add(request.hash)
        typed = f"runbook approve {short(execution.id)} --plan {short(request.hash)}"
        asked = f"{execution.runbook} asks {request.by} until {clock(request.until)} UTC: "
        complain(self.desk, [line(asked, Span(typed, "link"), hang=4)])

    def _agrees(self, request: ApprovalRequest) -> bool:
        """Ask whoever sits here about a change that is not the one that was shown."""
        if not self.desk.at_terminal:
            return False
        changes = [step.change for step in request.steps if step.change is not None]
        shown = [line(f"  {subject_of(each)} ", Span(movement(each), "change")) for each in changes]
        why = f" ({request.again_because})" if request.again_because else ""
        complain(self.desk, [line(Span(f"Asked for now{why}:", "warn")), *shown])
        return confirm("Approve it?", self.desk)
