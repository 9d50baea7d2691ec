"""What must hold of the requests that engine.yaml allows: one host, told in full, and parameters that cannot leave."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.rules import as_list, as_map
from runbook_engine.loading.yaml_tree import Path, scalars
from runbook_engine.model.quantity import InvalidQuantity, parse_duration
from runbook_engine.model.request import ANSWER_ID, HOLE, holes_of

LONGEST: Final = timedelta(seconds=30)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_CREDENTIAL: Final = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)
_OURS: Final = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "idempotency-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    )
)
_MENTION: Final = re.compile(r"\{[{%]")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ADDRESS: Final = "write it as in https://host.example/path/{{ parameters.NAME }}/more"
_SECRET: Final = "write {env: NAME}, {file: path} or {ssm: /path}, and change this secret: it has been in a file"


def check_requests(findings: Findings) -> None:
    """Report what makes a request unfit to be sent by a runbook."""
    for name, written in as_map(as_map(findings.content).get("requests")).items():
        path: Path = ("requests", name)
        request = as_map(written)
        status = as_map(request.get("status"))
        _check_address(findings, (*path, "url"), request.get("url"))
        _check_address(findings, (*path, "status", "url"), status.get("url"))
        _check_same_host(findings, (*path, "status", "url"), request.get("url"), status.get("url"))
        _check_words(findings, (*path, "status", "failed"), status)
        _check_headers(findings, (*path, "headers"), as_map(request.get("headers")))
        _check_parameters(findings, path, request)
        _check_changed(findings, path, request)
        _check_time(findings, (*path, "timeLimit"), request.get("timeLimit"))


def _check_address(findings: Findings, path: Path, url: Any) -> None:
    if not isinstance(url, str) or not url.strip():
        return
    fault = _fault_of(url)
    if fault:
        findings.error(path, "request-address", fault, _ADDRESS)


def _fault_of(url: str) -> str:
    """Return what is wrong with an address; empty = nothing."""
    try:
        parts = urlsplit(HOLE.sub("x", url))
        host, constant = parts.hostname or "", urlsplit(url)
        _ = parts.port
    except ValueError:
        return f'"{url}" is no address'
    if not url.isascii() or not url.isprintable() or any(each in HOLE.sub("", url) for each in " \\"):
        return "an address holds no spaces, no backslash and no other characters than those of ASCII"
    if parts.scheme not in ("http", "https") or not host:
        return f'"{url}" is no address'
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "a request goes over https, or to this very machine"
    if parts.username is not None or parts.password is not None:
        return "a credential does not belong in an address: write it as a header, {env: NAME}"
    if constant.fragment:
        return "nothing behind # is ever sent"
    if _is_link_local(host):
        return f"{host} is where machines tell their own credentials"
    if "{" in constant.netloc or "{" in HOLE.sub("", constant.path + constant.query):
        return "only the path holds parameters, and the host never does"
    if "{" in constant.query or any("{" in part and not HOLE.fullmatch(part) for part in constant.path.split("/")):
        return "a parameter is a whole segment of the path"
    if any(unquote(part) in (".", "..") for part in constant.path.split("/")):
        return "an address is written as it is sent, without . and .."
    return ""


def _is_link_local(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host)
        return (getattr(found, "ipv4_mapped", None) or found).is_link_local
    except ValueError:
        return False


def _check_same_host(findings: Findings, path: Path, url: Any, status: Any) -> None:
    """The status is asked with the same credentials, so nobody else is asked."""
    if not isinstance(url, str) or not isinstance(status, str) or _fault_of(url) or _fault_of(status):
        return
    if urlsplit(url)[:2] != urlsplit(status)[:2]:
        message = "the status is asked of another host than the request is sent to, with the same credentials"
        findings.error(path, "request-address", message, "write the same host, or leave status out")


def _check_words(findings: Findings, path: Path, status: Mapping[str, Any]) -> None:
    """No word means both ends: nobody would know which."""
    for index, word in enumerate(as_list(status.get("failed"))):
        if word in as_list(status.get("done")):
            message = f'"{word}" cannot mean both that it is done and that it has failed'
            findings.error((*path, index), "request-status", message, "keep one of the two")


def _check_headers(findings: Findings, path: Path, headers: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    for name, value in headers.items():
        if name.lower() in seen:
            message = f'the header "{name}" is written twice: upper and lower case are the same'
            findings.error_at_key((*path, name), "request-header", message, "keep one of the two")
        seen.add(name.lower())
        if not _HEADER.fullmatch(name):
            findings.error_at_key((*path, name), "request-header", f'"{name}" is no header', "correct its name")
        elif name.lower() in _OURS:
            findings.error_at_key(
                (*path, name), "request-header", f'the header "{name}" is set by the engine', "remove it"
            )
        elif isinstance(value, str) and _CREDENTIAL.search(name):
            findings.explained.add((*path, name))
            message = "a secret itself must not stand in a file"
            findings.error((*path, name), "literal-secret", message, _SECRET)
        elif isinstance(value, str) and (not value.isascii() or not value.isprintable() or _MENTION.search(value)):
            message = f'the header "{name}" is sent as it is written, so it holds printable ASCII and no parameters'
            findings.error((*path, name), "request-header", message, "hand parameters over in the path or the body")


def _check_changed(findings: Findings, path: Path, request: Mapping[str, Any]) -> None:
    """Report that what is changed is named by a parameter that there is not."""
    declared = [name for name in as_list(request.get("parameters")) if isinstance(name, str)]
    changed = as_map(request.get("effect")).get("changes")
    if isinstance(changed, str) and changed not in declared:
        hint = did_you_mean(changed, declared) or f"declare it: parameters: [{changed}]"
        findings.error((*path, "effect", "changes"), "unknown-parameter", f'unknown parameter "{changed}"', hint)


def _check_parameters(findings: Findings, path: Path, request: Mapping[str, Any]) -> None:
    """Report holes that nothing fills, parameters that fill nothing, and texts that look like holes and are none."""
    declared = [name for name in as_list(request.get("parameters")) if isinstance(name, str)]
    has_id = as_map(request.get("status")).get("id") is not None
    used: set[str] = set()
    for place, text in _texts(findings, path):
        holes = holes_of(text)
        used.update(holes)
        if _MENTION.search(HOLE.sub("", text)):
            message = "a parameter is filled in as it is, and never computed with"
            findings.error(
                place, "request-parameter", message, "write {{ parameters.NAME }}, and nothing else in the braces"
            )
        for hole in holes:
            name = hole.partition(".")[2]
            if hole == ANSWER_ID and (not has_id or place != (*path, "status", "url")):
                message = '"answer.id" stands in the url of a status that says by "id" where the answer holds it'
                findings.error(place, "request-parameter", message, 'add id: /POINTER to the "status"')
            elif hole != ANSWER_ID and name not in declared:
                hint = did_you_mean(name, declared) or f"declare it: parameters: [{name}]"
                findings.error(place, "unknown-parameter", f'unknown parameter "{name}"', hint)
    for index, name in enumerate(declared):
        if f"parameters.{name}" not in used:
            message = f'the parameter "{name}" is never used'
            findings.error(
                (*path, "parameters", index), "unused-parameter", message, "remove it, or use it in url or body"
            )


def _texts(findings: Findings, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text of a request that may hold parameters, with its path."""
    for place in ((*path, "url"), (*path, "status", "url"), (*path, "body")):
        root = findings.node(place)
        for inner, node in scalars(root, place) if root is not None else ():
            if isinstance(node.value, str):
                yield inner, node.value


def _check_time(findings: Findings, path: Path, written: Any) -> None:
    try:
        limit = parse_duration(written)
    except InvalidQuantity:
        return  # absent, or the field's own type says so
    if limit > LONGEST:
        message = "an answer may take 30s at most"
        findings.error(path, "request-time", message, "ask for the end of something longer with status")
