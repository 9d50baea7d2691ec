"""Approving over a signed link, in every host: GET shows the question, POST answers it. Looking does nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.links import ApprovalLinks, Invitation
from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.entrypoints.refusals import InvalidRequest, refusal_of
from runbook_engine.errors import RunbookError, StalePlan
from runbook_engine.model.execution import Execution
from runbook_engine.ports import Clock
from runbook_engine.render.card import Card, render_card
from runbook_engine.render.lines import Line, line
from runbook_engine.render.page import answer_form, render_page

LARGEST_FORM = 4096  # bytes
LONGEST_REASON = 500  # characters
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for the page of a question. `read` gives its body, and raises what reading it raises."""

    method: str
    execution_id: str
    query: Mapping[str, Sequence[str]]
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPages:
    """What answers visits. `wake` tells the host that an execution has an answer."""

    engine: Engine
    links: Callable[[], ApprovalLinks]
    keys: Callable[[], Keyring]
    clock: Clock
    log: EventLog
    wake: Callable[[str], object] = lambda execution_id: None

    def page(self, visit: Visit) -> tuple[int, str]:
        """Return the status and the page for one visit; a refusal is a page too."""
        try:
            return self._page(visit)
        except RunbookError as error:
            refusal = refusal_of(error)
            self.log.event("approval.refused", "info", code=refusal.status, **say_error(error))
            return refusal.status, render_page("This cannot be answered", [line(refusal.message)])

    def _page(self, visit: Visit) -> tuple[int, str]:
        invitation = self.links().read(visit.execution_id, visit.query)
        execution = self._asked(invitation)
        if visit.method == "GET":
            return 200, self._question(execution)
        if visit.method != "POST":
            raise InvalidRequest("a question is shown with GET and answered with POST", 405)
        return 200, self._answered(parse_form(visit.read()), invitation, execution)

    def _asked(self, invitation: Invitation) -> Execution:
        """Return the execution that still asks exactly this. Raises StalePlan otherwise."""
        execution = self.engine.journal.load(invitation.execution_id)
        standing = execution.approval is not None and execution.approval.hash == invitation.hash
        if not standing and (answered := self.engine.answered(execution.id, invitation.hash)):
            raise StalePlan(answered)
        if not standing or self.clock.now() >= invitation.until:
            raise StalePlan("this question has lapsed, or is asked otherwise by now")
        return execution

    def _question(self, execution: Execution) -> str:
        report = self.engine.execution_report(execution.id)
        card = Card(incident=self.engine.incident_report(execution.incident_id), execution=report)
        form = answer_form(names_person=self._names_person(execution))
        return render_page("A change needs your answer", render_card(card, self.clock.now()), form)

    def _answered(self, form: Mapping[str, str], invitation: Invitation, execution: Execution) -> str:
        by, now, reason = self._person(form, invitation), self.clock.now(), form.get("reason", "")
        if len(reason) > LONGEST_REASON:
            raise InvalidRequest(f"the reason is longer than {LONGEST_REASON} characters")
        if form.get("answer") == "approve":
            self.engine.approve(execution.id, plan_hash=invitation.hash, by=by, now=now, reason=reason)
            said = "Approved. The engine goes on with exactly this change."
        elif form.get("answer") == "deny":
            self.engine.deny(execution.id, plan_hash=invitation.hash, by=by, now=now, reason=reason)
            said = "Denied. The change is not made."
        else:
            raise InvalidRequest("the answer is approve or deny")
        self.log.event("approval.answered", execution=execution.id, by=by, answer=form["answer"])
        self.wake(execution.id)
        lines: list[Line] = [line(said), line(f"Answered by {by}.")]
        return render_page("Your answer is recorded", lines)

    def _person(self, form: Mapping[str, str], invitation: Invitation) -> str:
        """Return who answers: by a token of their own, or whoever was sent the link where that is enough."""
        if token := form.get("token", ""):
            return self.keys().person(f"Bearer {token}", "operate").name
        return invitation.bearer

    def _names_person(self, execution: Execution) -> bool:
        """Whether the team that must answer names its members, so that the link alone is not enough."""
        assert execution.approval is not None, "whoever asks has a question"
        teams = self.engine.bundle.configuration.teams
        team = next((team for team in teams if team.name == execution.approval.by), None)
        return team is not None and bool(team.members)


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; one that came twice is none. Raises InvalidRequest."""
    if len(body) > LARGEST_FORM:
        raise InvalidRequest(f"the form is larger than {LARGEST_FORM} bytes", 413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError as error:
        raise InvalidRequest("the form cannot be read") from error
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
