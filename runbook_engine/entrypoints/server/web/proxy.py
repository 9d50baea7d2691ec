"""Who stands before the page: reverse proxies, what they are believed, and from where somebody really asks."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from runbook_engine.errors import Forbidden
from runbook_engine.model.web import PageRole, Web

PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")  # no comma: that is how a header reads that came twice
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NOT_NAMED = "the proxy does not say who you are in one name (it must set its header once, and drop what others sent)"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of an installation. What others say who pretend to be one is not even looked at."""

    web: Web

    @property
    def header(self) -> str:
        """The header in which they name who asks; empty = they name nobody."""
        return self.web.proxy.header if self.web.proxy is not None else ""

    def has(self, peer: str) -> bool:
        """Whether this peer is one of them."""
        address = _address(peer)
        networks = self.web.proxy.networks if self.web.proxy is not None else ()
        return address is not None and any(address in ipaddress.ip_network(each) for each in networks)

    def named(self, peer: str, value: str | None) -> str:
        """Return whom a proxy names; empty = it names nobody. Raises Forbidden when that cannot be told."""
        if not self.header or not value or not self.has(peer):
            return ""
        if not PERSON.fullmatch(value):
            raise Forbidden(NOT_NAMED)
        return value

    def roles(self, name: str) -> tuple[PageRole, ...]:
        """Return what somebody may do whom a proxy names. Raises Forbidden when that is nothing."""
        roles = self.web.people.get(name, self.web.others)
        if not roles:
            raise Forbidden(f"{name} may not look at this page (engine.yaml names those who may under web.people)")
        return roles

    def client(self, peer: str, forwarded_for: str | None) -> str:
        """Return from where somebody asks, as far as that can be believed: an address, or a network of IPv6."""
        address = _address(peer)
        if forwarded_for and self.has(peer):
            address = _address(forwarded_for.rpartition(",")[2].strip()) or address
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address) if address is not None else peer


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    inside = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return inside or address
