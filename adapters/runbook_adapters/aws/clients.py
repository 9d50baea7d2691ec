"""Clients of AWS services: one session for the process, each client built at its first use.

A client that looks may ask again by itself. One that touches asks once: whether an effect may be repeated is for the
engine to decide, from the action's declared class, and a repeat that nobody sees would hide that one is in doubt.

Where the lean client does, it is the one that is handed out; elsewhere, and for calls that it does not know, boto3's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from runbook_adapters.aws.environment import check_environment, check_trust
from runbook_adapters.aws.lean.choosing import Place, check_switch, place_of
from runbook_adapters.aws.problems import reason_of, refuse_stranger, whole_library_errors
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext

if TYPE_CHECKING:
    from runbook_adapters.aws.lean.building import LeanClients

CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 10.0
ATTEMPTS = {"looking": 4, "touching": 1}
CONNECTIONS = 16
COMMON = "aws"
SESSION_NAME = "runbook-engine"  # what CloudTrail shows of who assumed a role

Purpose = Literal["looking", "touching"]


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What every AWS adapter takes: where, and as whom. Absent = as the process itself is set up."""

    region: str = ""
    role: str = ""  # an ARN to assume


@dataclass(slots=True)
class Sessions:
    """The sessions of one process, by region and role. Any number of threads may ask."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _sessions: dict[tuple[str, str], Any] = field(default_factory=dict)
    _clients: dict[tuple[str, str, str, Purpose], Any] = field(default_factory=dict)
    _whole: dict[tuple[str, str, str, Purpose], Any] = field(default_factory=dict)
    _lean: LeanClients | None = None
    _has_trust: bool = False  # the certificates that are named were looked at

    def client(self, service: str, settings: AwsSettings, purpose: Purpose) -> Any:
        """Return the client of a service, the same to everybody who asks alike. Raises NoAdapter."""
        key = (service, settings.region, settings.role, purpose)
        with self._guard:
            if key not in self._clients:
                self._clients[key] = self._built(service, settings, purpose)
            return self._clients[key]

    def whole_client(self, service: str, settings: AwsSettings, purpose: Purpose) -> Any:
        """Return boto3's client of a service, which knows every call. Raises NoAdapter."""
        key = (service, settings.region, settings.role, purpose)
        with self._guard:
            if key not in self._whole:
                self._whole[key] = self._built_whole(service, settings, purpose)
            return self._whole[key]

    def _built(self, service: str, settings: AwsSettings, purpose: Purpose) -> Any:
        check_environment(self.environment)
        if not self._has_trust:
            check_trust(self.environment)
            self._has_trust = True
        place = None if settings.role else place_of(service, settings.region, self.environment)
        if place is None:
            return self.whole_client(service, settings, purpose)
        return self._lean_client(service, settings, purpose, place)

    def _lean_client(self, service: str, settings: AwsSettings, purpose: Purpose, place: Place) -> Any:
        from runbook_adapters.aws.lean.building import LeanClients

        if self._lean is None:
            self._lean = LeanClients(
                self.environment,
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                connections=CONNECTIONS,
            )
        return self._lean.client(
            service,
            place,
            attempts=ATTEMPTS[purpose],
            whole=lambda: self.whole_client(service, settings, purpose),
        )

    def _built_whole(self, service: str, settings: AwsSettings, purpose: Purpose) -> Any:
        raised: tuple[type[Exception], ...] = (*whole_library_errors(), ValueError)  # the last: an address is none
        try:
            client = self._session(settings).client(service, config=_config(purpose))
        except raised as error:
            if type(error).__name__ == "NoRegionError":
                hint = "set region: beside the adapter in engine.yaml, or AWS_DEFAULT_REGION for the process"
                raise NoAdapter(f"AWS {service} cannot be asked: no region is known", hint) from error
            hint = "correct region: and role: in engine.yaml, or the AWS_ variables and the profile of the process"
            raise NoAdapter(f"AWS {service} cannot be asked: {reason_of(error).rstrip('.')}", hint) from error
        client.meta.events.register("before-parse", refuse_stranger)
        return client

    def _session(self, settings: AwsSettings) -> Any:
        key = (settings.region, settings.role)
        if key not in self._sessions:
            self._sessions[key] = _new_session(settings)
        return self._sessions[key]


@dataclass(frozen=True, slots=True)
class Clients:
    """One adapter's clients: those that look and those that touch."""

    settings: AwsSettings
    sessions: Sessions

    def looking(self, service: str) -> Any:
        """Return a client that only reads; it asks again by itself, slower when it is throttled. Raises NoAdapter."""
        return self.sessions.client(service, self.settings, "looking")

    def touching(self, service: str) -> Any:
        """Return a client that writes; it asks once. Raises NoAdapter."""
        return self.sessions.client(service, self.settings, "touching")


def clients_of(context: AdapterContext, settings: AwsSettings) -> Clients:
    """Return the clients of one adapter; nothing is imported or connected yet. Raises NoAdapter for a wrong switch."""
    sessions = context.common.setdefault(COMMON, Sessions())
    check_switch(sessions.environment)  # before a start, not at the first alert
    return Clients(settings, sessions)


def _config(purpose: Purpose) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "adaptive" if purpose == "looking" else "standard", "total_max_attempts": ATTEMPTS[purpose]},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        user_agent_extra="runbook-engine",
    )


def _new_session(settings: AwsSettings) -> Any:
    import boto3
    from botocore.session import get_session

    own = get_session()
    if settings.region:
        own.set_config_variable("region", settings.region)
    return boto3.Session(botocore_session=_assuming(own, settings) if settings.role else own)


def _assuming(own: Any, settings: AwsSettings) -> Any:
    """Return a session of the role; its credentials are fetched at the first call, and again before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError
    from botocore.session import get_session

    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        own.create_client, credentials, settings.role, extra_args={"RoleSessionName": SESSION_NAME}
    )
    session = get_session()
    session.set_config_variable("region", own.get_config_variable("region"))
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return session
