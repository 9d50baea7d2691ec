"""Approvals: the pages behind signed links. They need no token and no script; the link is what lets one in."""

from __future__ import annotations

from flask import Blueprint, Response, request

from runbook_engine.entrypoints.approvals import HEADERS, LARGEST_FORM, ApprovalPages, Visit
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.bodies import read_body

NAME = "approvals"


def approval_routes(pages: ApprovalPages) -> Blueprint:
    """Return the routes of the pages."""
    routes = Blueprint(NAME, __name__)

    @routes.get("/approvals/<execution_id>")
    @routes.post("/approvals/<execution_id>")
    def visit(execution_id: str) -> Response:
        query = request.args.to_dict(flat=False)
        status, page = pages.page(Visit(request.method, execution_id, query, _read_form))
        response = Response(page, status, HEADERS)
        if status == 405:
            response.headers["Allow"] = "GET, POST"
        return response

    return routes


def _read_form() -> bytes:
    if (request.content_length or 0) > LARGEST_FORM:
        raise InvalidRequest(f"the form is larger than {LARGEST_FORM} bytes", 413)
    request.max_content_length = LARGEST_FORM + 1  # a chunked form shows its excess by one byte
    return read_body()
