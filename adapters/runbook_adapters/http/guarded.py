"""Guarded connections: looked at once they stand, before anything is sent over them.

A name is resolved when the connection is made, and may lead elsewhere than it did when somebody checked it. So the
address that a connection really leads to is judged: never one that is local to the link, where clouds serve the
credentials of a machine. And once it stands, all that happens on it has one time limit: who sends a byte now and then
has not answered.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from runbook_adapters.web import Answer, NoAnswer, Web

Stands = Callable[[socket.socket], None]
ALSO_METADATA = tuple(  # at which clouds serve credentials, too, and which are no addresses of the link
    ipaddress.ip_network(network)
    for network in (
        "fd00:ec2::/32",  # AWS over IPv6, of machines and of pods
        "fd20:ce::254/128",  # Google Cloud over IPv6
        "100.100.100.200/32",  # Alibaba Cloud
        "192.0.0.192/32",  # Oracle Cloud
    )
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # the last 32 bits are an address of IPv4


class RefusedAddress(NewConnectionError):
    """The connection led where none may lead; nothing was sent."""


def why_refused(address: str) -> str:
    """Return why no request is sent to an address; empty = it may be."""
    plain = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if plain.is_link_local or any(plain in network for network in ALSO_METADATA):
        return f"it leads to {plain}, where machines tell their own credentials"
    if plain.is_multicast or plain.is_unspecified:
        return f"it leads to {plain}, which is no machine"
    return ""


def _meant(
    found: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of IPv4 that one of IPv6 stands for, or else itself."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def _guarded(connection: HTTPConnection, made: socket.socket, stands: Stands) -> socket.socket:
    reason = why_refused(str(made.getpeername()[0]))
    if reason:
        made.close()
        raise RefusedAddress(connection, reason)
    try:
        stands(made)
    except OSError as error:  # as without a descriptor for its twin
        made.close()
        raise NewConnectionError(connection, "it cannot be watched") from error  # nothing was sent
    return made


class _Connection(HTTPConnection):
    def __init__(self, *arguments: Any, stands: Stands, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stands = stands

    def _new_conn(self) -> socket.socket:
        return _guarded(self, super()._new_conn(), self._stands)


class _SecureConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, stands: Stands, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stands = stands

    def _new_conn(self) -> socket.socket:
        return _guarded(self, super()._new_conn(), self._stands)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class GuardedWeb(Web):
    """One request as `Web` makes it, over a guarded connection."""

    def __init__(self, *, read_time_limit: float, most_bytes: int) -> None:
        super().__init__(read_time_limit=read_time_limit, most_bytes=most_bytes)
        self._late = threading.Event()
        self._over = threading.Event()
        pools = {"http": partial(_Pool, stands=self._watch), "https": partial(_SecurePool, stands=self._watch)}
        self._pool.pool_classes_by_scheme = pools  # type: ignore[assignment]  # it only ever calls them

    def send(self, method: str, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """Send once. Raises NoAnswer, also for an answer that is not whole within the time limit."""
        try:
            answer = super().send(method, url, body, headers=headers)
        except NoAnswer as error:
            if self._late.is_set():
                raise NoAnswer("no answer within the time limit") from error
            raise
        finally:
            self._over.set()
            self._pool.clear()  # what watches the connection is part of a cycle: nobody would close it for long
        if self._late.is_set():  # cut, what ends with the connection looks whole
            raise NoAnswer("no answer within the time limit")
        return answer

    def _watch(self, made: socket.socket) -> None:
        """Cut a connection at the end of the time limit. The socket is a twin: TLS takes the first one over."""
        threading.Thread(target=self._cut, args=(made.dup(),), daemon=True).start()

    def _cut(self, twin: socket.socket) -> None:
        with twin:
            if self._over.wait(self._read_time_limit):
                return
            self._late.set()
            with suppress(OSError):  # it has ended by itself
                twin.shutdown(socket.SHUT_RDWR)
