"""Requests over HTTP as a load balancer, an HTTP API, a function URL or a REST API hand them to a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from runbook_engine.model.delivery import Headers
from runbook_engine.sources.envelope.delivered import Envelope, EnvelopeKind, HttpDelivery, unknown_event
from runbook_engine.sources.values import map_of, text_of

HOOK = re.compile(r"(?:/[^/]*)?/hooks/([^/]+)/?")
MOST_QUERY_FIELDS = 64


def from_balancer(event: Mapping[str, Any]) -> Envelope:
    """Unwrap an application load balancer's request; its query comes undecoded."""
    return _envelope("alb", event, method=event.get("httpMethod"), path=event.get("path"), decode=unquote_plus)


def from_http_api(event: Mapping[str, Any]) -> Envelope:
    """Unwrap format 2.0, of an HTTP API or a function URL: one text a header, equal names joined by commas."""
    context = map_of(event["requestContext"])
    http = map_of(context.get("http"))
    kind: EnvelopeKind = "function_url" if ".lambda-url." in text_of(context.get("domainName")) else "http_api"
    path = event.get("rawPath", http.get("path"))
    return _envelope(kind, event, method=http.get("method"), path=path, source_ip=http.get("sourceIp"))


def from_rest_api(event: Mapping[str, Any]) -> Envelope:
    """Unwrap format 1.0, of a REST API or an HTTP API that is set to it."""
    identity = map_of(map_of(event["requestContext"]).get("identity"))
    method, path = event.get("httpMethod"), event.get("path")
    return _envelope("rest", event, method=method, path=path, source_ip=identity.get("sourceIp"))


def _envelope(
    kind: EnvelopeKind,
    event: Mapping[str, Any],
    *,
    method: object,
    path: object,
    source_ip: object = "",
    decode: Callable[[str], str] = str,
) -> Envelope:
    parameters = {name: value for name, value in map_of(event.get("pathParameters")).items() if isinstance(value, str)}
    behind_hooks = HOOK.fullmatch(text_of(path))
    content = event.get("body")
    if content is not None and not isinstance(content, str):
        raise unknown_event("the body of the request is no text")
    delivery = HttpDelivery(
        id=text_of(map_of(event.get("requestContext")).get("requestId")),
        method=text_of(method).upper(),
        path=text_of(path),
        scope=parameters.get("scope") or (behind_hooks[1] if behind_hooks else ""),
        headers=Headers.of(_pairs(event, "headers", "multiValueHeaders")),
        content=content,
        encoded=event.get("isBase64Encoded") is True,
        parameters=parameters,
        query=_query(event, decode),
        source_ip=text_of(source_ip),
    )
    return Envelope(kind=kind, deliveries=(delivery,), several_headers="multiValueHeaders" in event and kind == "alb")


def _query(event: Mapping[str, Any], decode: Callable[[str], str]) -> Mapping[str, tuple[str, ...]]:
    """Return every value of every query field; the undecoded text is read where there is one, for it loses nothing.

    A query with more fields than anybody needs is read as none: whoever posts it is answered, and gets no further.
    """
    raw = event.get("rawQueryString")
    if isinstance(raw, str):
        try:
            pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=MOST_QUERY_FIELDS)
        except ValueError:
            pairs = []
    else:
        told = _pairs(event, "queryStringParameters", "multiValueQueryStringParameters")
        pairs = [(decode(name), decode(value)) for name, value in told]
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def _pairs(event: Mapping[str, Any], single: str, several: str) -> Iterator[tuple[str, str]]:
    """Go through names and values; the map with lists comes first, because the other one keeps the last value only."""
    lists: Mapping[Any, Any] = map_of(event.get(several))
    for name, values in (lists if lists else map_of(event.get(single))).items():
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(name, str) or not isinstance(value, str):
                raise unknown_event("a header or a query field of the request is no text")
            yield name, value
