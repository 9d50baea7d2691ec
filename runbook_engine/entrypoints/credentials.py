"""Credentials: which named token came with a request, and what it may do.

Secrets are kept as digests only, save those that sign. Every candidate is compared in constant time and none ends the
search, so the time of an answer tells nothing. An unknown scope, a wrong secret, a header that came twice and a
delivery that came again look the same from outside.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as with_mark
from datetime import datetime, timedelta

from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.entrypoints.signatures import RecentSignatures, SeenSignatures, SigningKey
from runbook_engine.errors import Forbidden, InvalidAlert, NoAdapter, Unauthenticated
from runbook_engine.model.configuration import Configuration, Role, SecretReference, Token
from runbook_engine.model.delivery import CREDENTIALS, Headers
from runbook_engine.model.digest import hash_parts

AUTHORIZATION = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]{1,4096}=*)")
BASIC = re.compile(r"[Bb]asic +([A-Za-z0-9+/]{1,8192}={0,2})")
HEADER_VALUE = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")
SHORTEST_SECRET = 16
EVERYBODY: tuple[Role, ...] = ("ingest", "read", "operate")
NOT_VALID = "no valid credential"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who asks: a token's name, its roles, and the scopes it may post to (empty = all)."""

    name: str
    roles: tuple[Role, ...]
    scopes: tuple[str, ...] = ()
    signature: str = ""  # what is remembered of a signed delivery
    fresh_within: timedelta | None = None  # how old its news may be that starts something; None = of any age


@dataclass(frozen=True, slots=True)
class Key:
    """One secret that is valid now: its digest with the header that presents it, or what it signs with."""

    bearer: Bearer
    header: str = "authorization"
    digest: bytes = b""
    signing: SigningKey | None = None

    def fits(self, headers: Headers, presented: dict[str, bytes], body: bytes, now: datetime) -> bool:
        """Whether it came with a request. `presented` holds what each header digests to."""
        if self.signing is not None:
            return self.signing.signs(headers, body, now)
        return hmac.compare_digest(self.digest, presented.get(self.header, b""))


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every secret that is valid now. Without any token it is open, which only loopback may be."""

    keys: tuple[Key, ...]
    known_scopes: frozenset[str]  # those that may be posted to
    is_open: bool = False
    seen: SeenSignatures = field(default_factory=RecentSignatures)

    @property
    def guarded(self) -> frozenset[str]:
        """The headers that carry credentials: no source and no log ever sees them."""
        return CREDENTIALS | {key.header for key in self.keys}

    def reads_body(self, headers: Headers) -> bool:
        """Whether a signature came, so that `sender` needs the body."""
        return any(headers.all(key.header) for key in self.keys if key.signing is not None)

    def sender(self, headers: Headers, scope: str, body: bytes, now: datetime) -> Bearer:
        """Return who posts to a scope. Raises Unauthenticated, with the same words whatever was wrong."""
        if self.is_open:
            if scope not in self.known_scopes:
                raise Unauthenticated("engine.yaml has no such scope")
            return Bearer("local", EVERYBODY)
        key = self._key(headers, scope, body, now)
        if key is None or any(len(headers.all(name)) > 1 for name in self._security_headers):
            raise Unauthenticated(NOT_VALID)
        if key.signing is None:
            return key.bearer
        mark = hash_parts(key.bearer.name, key.signing.mark(headers, body))  # of all its scopes: none is signed
        is_first = self.seen.first(mark, now=now, keep=key.signing.keep)
        if not is_first and not key.signing.signature.repeats:
            raise Unauthenticated(NOT_VALID)
        fresh_within = key.signing.fresh_within(is_first=is_first)
        return with_mark(key.bearer, signature=mark if is_first else "", fresh_within=fresh_within)

    @contextmanager
    def counting_once(self, bearer: Bearer) -> Iterator[None]:
        """Let a signed delivery come again when it was not kept, whatever the reason, and only then."""
        settled = False
        try:
            yield
            settled = True
        except InvalidAlert:
            settled = True
            raise
        finally:
            if bearer.signature and not settled:
                self.seen.forget(bearer.signature)

    def person(self, authorization: str | None, role: Role) -> Bearer:
        """Return who asks, if the role is theirs. Raises Unauthenticated, Forbidden."""
        bearer = self.bearer(authorization)
        if role not in bearer.roles:
            raise Forbidden(f"this token does not have the role {role}")
        return bearer

    def bearer(self, authorization: str | None) -> Bearer:
        """Return whose bearer token this is. Raises Unauthenticated."""
        if self.is_open:
            return Bearer("local", EVERYBODY)
        given = AUTHORIZATION.fullmatch(authorization or "")
        digest = digest_of(given.group(1)) if given else b""
        found: Bearer | None = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest) and key.header == "authorization" and key.signing is None:
                found = key.bearer
        if found is None:
            raise Unauthenticated(NOT_VALID)
        return found

    @property
    def _security_headers(self) -> frozenset[str]:
        timestamps = {key.signing.signature.timestamp.lower() for key in self.keys if key.signing is not None}
        return frozenset(("authorization", *(key.header for key in self.keys), *timestamps))

    def _key(self, headers: Headers, scope: str, body: bytes, now: datetime) -> Key | None:
        presented = {key.header: _presented(headers, key.header) for key in self.keys if key.signing is None}
        found: Key | None = None
        for key in self.keys:
            fits = key.fits(headers, presented, body, now)
            may = "ingest" in key.bearer.roles and scope in self.known_scopes and _covers(key.bearer, scope)
            if fits and may:
                found = key
        return found


def load_keyring(
    configuration: Configuration, secret: Callable[[SecretReference], str], seen: SeenSignatures | None = None
) -> Keyring:
    """Return the keyring. Raises InvalidSettings when a token has no usable secret or shares one with another."""
    owners: dict[bytes, str] = {}
    keys: dict[tuple[str, bytes], Key] = {}
    for token in configuration.tokens:
        bearer = Bearer(token.name, token.roles, token.scopes)
        for value in _secrets(token, secret):
            owner = owners.setdefault(digest_of(value), token.name)
            if owner != token.name:
                raise InvalidSettings(f"tokens {owner} and {token.name} have one secret (make another)")
            keys.setdefault((token.name, digest_of(value)), _key(token, bearer, value))
    scopes = frozenset(scope.name for scope in configuration.scopes if not scope.senders)
    is_open = not configuration.tokens
    return Keyring(tuple(keys.values()), scopes, is_open=is_open, seen=seen if seen is not None else RecentSignatures())


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


def _key(token: Token, bearer: Bearer, secret: str) -> Key:
    if token.signature is not None:
        return Key(bearer, header=token.signature.header.lower(), signing=SigningKey(token.signature, secret.encode()))
    if token.header:
        return Key(bearer, header=token.header.lower(), digest=digest_of(secret))
    if token.user:
        return Key(bearer, digest=_basic_digest(token.user, secret))
    return Key(bearer, digest=digest_of(secret))


def _basic_digest(user: str, password: str) -> bytes:
    """A colon before the whole, which no bearer token holds: neither can ever pass for the other."""
    return digest_of(f":{user}:{password}")


def _presented(headers: Headers, name: str) -> bytes:
    """Return what a header digests to, and what no digest equals when it holds no credential."""
    value = headers.one(name) or ""
    if name != "authorization":
        return digest_of(value) if HEADER_VALUE.fullmatch(value) else b""
    if given := AUTHORIZATION.fullmatch(value):
        return digest_of(given.group(1))
    if given := BASIC.fullmatch(value):
        return _basic_presented(given.group(1))
    return b""


def _basic_presented(encoded: str) -> bytes:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return b""
    return _basic_digest(user, password) if colon else b""


def _secrets(token: Token, secret: Callable[[SecretReference], str]) -> list[str]:
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
    return values


def _covers(bearer: Bearer, scope: str) -> bool:
    return not bearer.scopes or scope in bearer.scopes
