"""Approving over a signed link: GET shows the question, POST answers it. A link that is only looked at does nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.links import Invitation
from runbook_engine.entrypoints.logs import say_error
from runbook_engine.entrypoints.refusals import InvalidRequest, refusal_of
from runbook_engine.errors import RunbookError, StalePlan
from runbook_engine.model.execution import Execution
from runbook_engine.render.card import Card, render_card
from runbook_engine.render.lines import Line, line
from runbook_engine.render.page import answer_form, render_page
from runbook_engine.sources.envelope import HttpDelivery, http_reply, unwrap

LARGEST_FORM = 4096  # bytes
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


def answer_link(event: object, host: Host) -> Any:
    """Return the page for one request. Raises InvalidAlert when it is no request at all."""
    envelope = unwrap(event)
    delivery = envelope.deliveries[0] if envelope.deliveries else None
    if not isinstance(delivery, HttpDelivery):
        raise InvalidRequest("approvals are answered over HTTP")
    try:
        status, page = _page(delivery, host)
    except RunbookError as error:
        refusal = refusal_of(error)
        host.log.event("approval.refused", "info", code=refusal.status, **say_error(error))
        status, page = refusal.status, render_page("This cannot be answered", [line(refusal.message)])
    return http_reply(envelope, status, page, HEADERS)


def _page(delivery: HttpDelivery, host: Host) -> tuple[int, str]:
    execution_id = delivery.parameters.get("execution_id", "")
    invitation = host.links().read(execution_id, delivery.query)
    execution = _asked(invitation, host)
    if delivery.method == "GET":
        return 200, _question(execution, host)
    if delivery.method != "POST":
        raise InvalidRequest("a question is shown with GET and answered with POST", 405)
    return 200, _answered(_form(delivery), invitation, execution, host)


def _asked(invitation: Invitation, host: Host) -> Execution:
    """Return the execution that still asks exactly this. Raises StalePlan otherwise."""
    execution = host.engine.journal.load(invitation.execution_id)
    lapsed = host.clock.now() >= invitation.until
    if lapsed or execution.approval is None or execution.approval.hash != invitation.hash:
        raise StalePlan("this question has been answered, has lapsed, or is asked otherwise by now")
    return execution


def _question(execution: Execution, host: Host) -> str:
    report = host.engine.execution_report(execution.id)
    card = Card(incident=host.engine.incident_report(execution.incident_id), execution=report)
    form = answer_form(names_person=_names_person(execution, host))
    return render_page("A change needs your answer", render_card(card, host.clock.now()), form)


def _answered(form: dict[str, str], invitation: Invitation, execution: Execution, host: Host) -> str:
    by, now, reason = _person(form, invitation, execution, host), host.clock.now(), form.get("reason", "")
    if form.get("answer") == "approve":
        host.engine.approve(execution.id, plan_hash=invitation.hash, by=by, now=now, reason=reason)
        said = "Approved. The engine goes on with exactly this change."
    elif form.get("answer") == "deny":
        host.engine.deny(execution.id, by=by, now=now, reason=reason)
        said = "Denied. The change is not made."
    else:
        raise InvalidRequest("the answer is approve or deny")
    host.log.event("approval.answered", execution=execution.id, by=by, answer=form["answer"])
    host.waker.wake([execution.id])
    lines: list[Line] = [line(said), line(f"Answered by {by}.")]
    return render_page("Your answer is recorded", lines)


def _person(form: dict[str, str], invitation: Invitation, execution: Execution, host: Host) -> str:
    """Return who answers: by a token of their own, or whoever was sent the link where that is enough."""
    if token := form.get("token", ""):
        return host.keys().person(f"Bearer {token}", "operate").name
    return invitation.bearer


def _names_person(execution: Execution, host: Host) -> bool:
    """Whether the team that must answer names its members, so that the link alone is not enough."""
    assert execution.approval is not None, "whoever asks has a question"
    team = next((team for team in host.configuration.teams if team.name == execution.approval.by), None)
    return team is not None and bool(team.members)


def _form(delivery: HttpDelivery) -> dict[str, str]:
    body = delivery.read()
    if len(body) > LARGEST_FORM:
        raise InvalidRequest(f"the form is larger than {LARGEST_FORM} bytes", 413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError as error:
        raise InvalidRequest("the form cannot be read") from error
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
