"""Origins: a form counts only when it was sent from a page of ours, and leads back only to a page of ours."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

from runbook_engine.entrypoints.credentials import is_loopback
from runbook_engine.errors import Forbidden
from runbook_engine.model.web import Web

PAGE = re.compile(
    r"/(?:(?:incidents|executions|runbooks)(?:/[A-Za-z0-9._~-]{1,128})?|pause|inbox)?"
    r"(?:\?[A-Za-z0-9=&._~%+-]{0,256})?(?:#[A-Za-z0-9._~-]{1,128})?"
)
OURS = ("same-origin", "none")  # none: somebody typed the address


def local_path(text: str) -> str:
    """Return the path if it is one of our pages, else the first page: nobody is led anywhere else."""
    return text if PAGE.fullmatch(text) else "/"


def demand_our_page(headers: Headers, host: str, web: Web) -> None:
    """Raise Forbidden unless a form was sent from a page of ours, as the browser itself says."""
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    if origin is None and site is None:
        raise Forbidden("your browser does not say which page this form was sent from (programs use the API)")
    if site is not None and site != "same-origin":
        raise Forbidden("this form was sent from another page, so nothing was done")
    if origin is not None and origin.lower() not in _ours(host, web):
        raise Forbidden(
            "this form was sent from another address, so nothing was done "
            "(behind a proxy that does not pass on the Host, name the address that people use under web.url)"
        )


def demand_no_stranger(headers: Headers) -> None:
    """Raise Forbidden when a page of others asks for ours other than by leading somebody here."""
    leads_here = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    if headers.get("Sec-Fetch-Site", OURS[0]) not in OURS and not leads_here:
        raise Forbidden("pages of others may not read this one")


def demand_loopback(host: str) -> None:
    """Raise Forbidden when somebody reached this machine under a name that may be anybody's."""
    if not is_loopback(_name(host)):
        raise Forbidden("without tokens the page is for this machine only: open it as http://127.0.0.1 or localhost")


def is_over_tls(host: str, web: Web) -> bool:
    """Whether people reach the page over TLS: at any address but this machine's own there is no other way."""
    return urlsplit(web.url).scheme == "https" if web.url else not is_loopback(_name(host))


def _ours(host: str, web: Web) -> tuple[str, ...]:
    """Nobody else chooses the Host under which a browser sends a form, so what it was sent to is ours."""
    written = web.url.rstrip("/").lower()
    return (f"http://{host.lower()}", f"https://{host.lower()}", *((written,) if written else ()))


def _name(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
