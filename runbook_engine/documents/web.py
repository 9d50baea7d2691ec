"""The web page: whether there is one, who gets in by the word of a proxy, and for how long a sign-in lasts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Flag, Span, Text, Url, refuse
from runbook_engine.model.approval_address import is_approval_address
from runbook_engine.model.web import PageRole

HEADER_PATTERN: Final = r"^[A-Za-z0-9-]{1,64}$"
PERSON_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"
LONGEST_SESSION: Final = timedelta(days=7)
_TAKEN: Final = frozenset(("authorization", "cookie", "host", "origin", "content-length", "x-forwarded-for"))


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        hint = "write 10.0.0.0/8, or one address such as 10.0.0.7"
        raise refuse("web-network", f'"{value}" is no network', hint) from error
    if network.prefixlen == 0:
        message = f"{value} is everybody: whoever reaches the runner could say to be anyone"
        raise refuse("web-network", message, "write the addresses of the proxy alone")
    return value


def _header(name: str) -> str:
    if not re.fullmatch(HEADER_PATTERN, name):
        raise refuse("header-name", f'a header is named with letters, digits and dashes, not "{name}"')
    if name.lower() in _TAKEN:
        hint = "let the proxy write who asks into one of its own, as in X-Forwarded-User"
        raise refuse("header-name", f"the header {name} has a meaning of its own", hint)
    return name


def _person(value: str) -> str:
    if not re.fullmatch(PERSON_PATTERN, value):
        raise refuse("web-person", f'a person is named with letters, digits and . _ @ + -, not "{value}"')
    return value


def _page_url(value: str) -> str:
    if not is_approval_address(value) or urlsplit(value).path not in ("", "/"):
        hint = "write https://host without a path; http is for 127.0.0.1 and localhost alone"
        raise refuse("web-url", f'"{value}" is no address of the web page', hint)
    return value


def _session(value: timedelta) -> timedelta:
    if value > LONGEST_SESSION:
        raise refuse("web-session", "a sign-in lasts at most 7d", "lower sessionFor")
    return value


def _none_as_empty(value: Any) -> Any:
    return () if value == "none" else value


Network = Annotated[Text, AfterValidator(_network)]
ProxyHeader = Annotated[str, AfterValidator(_header), Field(json_schema_extra={"pattern": HEADER_PATTERN})]
Person = Annotated[str, AfterValidator(_person), Field(json_schema_extra={"pattern": PERSON_PATTERN})]
PageRoles = Annotated[tuple[PageRole, ...], Field(min_length=1)]
OthersField = Annotated[
    tuple[PageRole, ...],
    BeforeValidator(_none_as_empty, json_schema_input_type=PageRoles | Annotated[str, Field(pattern="^none$")]),
]


class WebProxyDocument(Document):
    """The reverse proxies before the page."""

    networks: tuple[Network, ...] = Field(default=(), alias="from")
    """Where they are, as in 10.0.0.0/8: only from there anything is believed that they say."""
    header: ProxyHeader | None = None
    """The header in which they say who asks, as in X-Forwarded-User; absent = people sign in with a token."""

    @model_validator(mode="after")
    def _is_believed_from_somewhere(self) -> Self:
        if not self.networks:
            message = '"from" is missing: a header is believed only when it comes from the proxy itself'
            raise refuse("proxy-from", message, "write the addresses of the proxy, as in from: [10.0.0.0/8]", "from")
        return self


class WebDocument(Document):
    """The web page of the runner."""

    enabled: Flag = True
    """Whether there is one."""
    url: Annotated[Url, AfterValidator(_page_url)] | None = None
    """Where people reach it, as in https://runbooks.example, if a proxy does not pass on the Host that they asked."""
    session_for: Annotated[Span, AfterValidator(_session)] | None = None
    """So long after a sign-in with a token one must sign in again; 12h when absent."""
    proxy: WebProxyDocument | None = None
    """Reverse proxies that say who asks."""
    people: Mapping[Person, PageRoles] = {}
    """What people may do whom a proxy names, by their names."""
    others: OthersField = ()
    """What everybody else may do whom a proxy names; none = nothing."""

    @model_validator(mode="after")
    def _names_people_by_a_proxy(self) -> Self:
        if (self.people or self.others) and (self.proxy is None or self.proxy.header is None):
            field = "people" if self.people else "others"
            message = f'"{field}" is about whom a proxy names, and no proxy names anybody'
            raise refuse("web-people", message, "write proxy: {header: X-Forwarded-User, from: [10.0.0.0/8]}", field)
        return self
