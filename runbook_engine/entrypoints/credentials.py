"""Credentials: which named token came with a request, and what it may do.

Secrets are kept as digests only. Every candidate is compared in constant time and none ends the search, so the
time of an answer tells nothing. An unknown scope and a wrong secret look the same from outside.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.errors import Forbidden, NoAdapter, Unauthenticated
from runbook_engine.model.configuration import Configuration, Role, SecretReference, Token

AUTHORIZATION = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]{1,4096}=*)")
SHORTEST_SECRET = 16
EVERYBODY: tuple[Role, ...] = ("ingest", "read", "operate")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who asks: a token's name, its roles, and the scopes it may post to (empty = all)."""

    name: str
    roles: tuple[Role, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every secret that is valid now, as digests. Without any token it is open, which only loopback may be."""

    keys: tuple[tuple[bytes, Bearer], ...]
    known_scopes: frozenset[str]
    is_open: bool = False

    def sender(self, authorization: str | None, scope: str) -> Bearer:
        """Return who posts to a scope. Raises Unauthenticated, with the same words whatever was wrong."""
        bearer = self.bearer(authorization)
        if self.is_open and scope not in self.known_scopes:
            raise Unauthenticated("engine.yaml has no such scope")
        if "ingest" not in bearer.roles or scope not in self.known_scopes or not _covers(bearer, scope):
            raise Unauthenticated("no valid credential")
        return bearer

    def person(self, authorization: str | None, role: Role) -> Bearer:
        """Return who asks, if the role is theirs. Raises Unauthenticated, Forbidden."""
        bearer = self.bearer(authorization)
        if role not in bearer.roles:
            raise Forbidden(f"this token does not have the role {role}")
        return bearer

    def bearer(self, authorization: str | None) -> Bearer:
        """Return whose credential this is. Raises Unauthenticated."""
        if self.is_open:
            return Bearer("local", EVERYBODY)
        given = AUTHORIZATION.fullmatch(authorization or "")
        digest = digest_of(given.group(1)) if given else b""
        found: Bearer | None = None
        for expected, bearer in self.keys:
            if hmac.compare_digest(expected, digest):
                found = bearer
        if found is None:
            raise Unauthenticated("no valid credential")
        return found


def load_keyring(configuration: Configuration, secret: Callable[[SecretReference], str]) -> Keyring:
    """Return the keyring. Raises InvalidSettings when a token has no usable secret or shares one with another."""
    keys: dict[bytes, Bearer] = {}
    for token in configuration.tokens:
        bearer = Bearer(token.name, token.roles, token.scopes)
        for digest in _digests(token, secret):
            if keys.setdefault(digest, bearer) is not bearer:
                raise InvalidSettings(f"tokens {keys[digest].name} and {token.name} have one secret (make another)")
    scopes = frozenset(scope.name for scope in configuration.scopes)
    return Keyring(tuple(keys.items()), scopes, is_open=not configuration.tokens)


def demand_credentials(configuration: Configuration, host: str) -> None:
    """Raise InvalidSettings when this host would listen to strangers without asking who they are."""
    if is_loopback(host) or any("ingest" in token.roles for token in configuration.tokens):
        return
    raise InvalidSettings(
        f"refusing to listen on {host}: anybody who reaches it could start runbooks "
        "(name tokens with the role ingest in engine.yaml, or listen on 127.0.0.1)"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; a name is believed only when it is `localhost`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret; it has enough entropy of its own that it needs no salt."""
    return hashlib.sha256(secret.encode()).digest()


def _digests(token: Token, secret: Callable[[SecretReference], str]) -> list[bytes]:
    """One of two secrets may be missing: that is how a rotation begins and ends."""
    values: list[str] = []
    problems: list[str] = []
    for reference in token.secrets:
        try:
            values.append(secret(reference))
        except NoAdapter as error:
            problems.append(str(error))
    if not values:
        raise InvalidSettings(f"token {token.name} has no secret: {'; '.join(problems) or 'none is named'}")
    for value in values:
        if len(value) < SHORTEST_SECRET or not AUTHORIZATION.fullmatch(f"Bearer {value}"):
            raise InvalidSettings(
                f"a secret of token {token.name} cannot be used: {SHORTEST_SECRET} or more letters and digits, "
                "no spaces (make one with: openssl rand -hex 32)"
            )
    return [digest_of(value) for value in values]


def _covers(bearer: Bearer, scope: str) -> bool:
    return not bearer.scopes or scope in bearer.scopes
