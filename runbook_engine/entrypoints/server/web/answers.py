"""Answers of the web page: HTML that may load nothing but what is ours, and runs no script that stands in it."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request
from markupsafe import escape

from runbook_engine.entrypoints.refusals import Refusal
from runbook_engine.entrypoints.server.web.origins import OURS, local_path
from runbook_engine.entrypoints.server.web.pages import Pages

NAME = "web"  # of the page's routes
LIVE = "live"  # what a page's own script says when it fetches the page again
HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would not say from which page a form was sent
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NEVER_KEPT = {"Cache-Control": "no-store", "Vary": "Cookie, Accept"}
TITLES = {
    400: "This cannot be used",
    401: "You are not signed in",
    403: "This is not allowed",
    404: "There is no such page",
    405: "This cannot be done here",
    409: "Somebody was faster, or things have changed",
    413: "This is too large",
    415: "This cannot be used",
    503: "This does not work now",
}


def answer_page(html: str, status: int = 200) -> Response:
    """Return a page that no cache keeps."""
    return Response(html, status, HEADERS | NEVER_KEPT, content_type=HTML)


def answer_visitor(pages: Pages, refusal: Refusal) -> Response | None:
    """Return what a browser is shown instead of what it asked for; None = it is a program that asks."""
    if request.blueprint != NAME and (request.blueprint is not None or not _reads_html()):
        return None
    if refusal.status == 401 and _looks():
        return _lead_in()
    title = TITLES.get(refusal.status, "This cannot be done")
    response = answer_page(pages.refused(refusal.status, title, refusal.message), refusal.status)
    if refusal.status == 503:
        response.headers.update(refusal.headers)
    return response


def lead_to(path: str) -> Response:
    """Return what leads a browser to another page of ours."""
    return Response(b"", 303, HEADERS | NEVER_KEPT | {"Location": path}, content_type=HTML)


def _lead_in() -> Response:
    """Lead to the form, and back afterwards; whom somebody else's link led here has to knock again first.

    Our cookie is sent only when a page of ours asked, so that page asks for itself.
    """
    path = local_path(request.full_path.rstrip("?"))
    if request.headers.get("Sec-Fetch-Site", OURS[0]) in OURS:
        return lead_to(f"/sign-in?back={quote(path, safe='')}")
    refresh = f'<meta http-equiv="refresh" content="0;url={escape(path)}">'
    return answer_page(f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}<title>Runbooks</title></html>')


def _looks() -> bool:
    """Whether somebody looks at a page; a script that is told 401 knows what to do."""
    is_page = request.method in ("GET", "HEAD") and request.endpoint != f"{NAME}.live"
    return is_page and request.headers.get("X-Requested-With") != LIVE


def _reads_html() -> bool:
    """Whether it says that it does: what programs send by themselves is */*."""
    return any(kind == "text/html" for kind, _ in request.accept_mimetypes)
