"""The host: everything that a function uses, built once for its process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TextIO

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.aws_lambda.bundles import read_bundle
from runbook_engine.entrypoints.aws_lambda.emf import emf_line
from runbook_engine.entrypoints.aws_lambda.names import STATE, Names, completed, names_of
from runbook_engine.entrypoints.aws_lambda.signatures import KeptSignatures
from runbook_engine.entrypoints.aws_lambda.waking import Waker
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import engine_of, front_engine_of, pause_of
from runbook_engine.entrypoints.credentials import Keyring, load_keyring
from runbook_engine.entrypoints.links import ApprovalLinks, LinkingNotifier, approval_links
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.settings import InvalidSettings, Settings, read_settings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.ports import Clock, FirstUses, Notifier, PauseReader, PauseWriter, Port, Seats
from runbook_engine.registry import Registry

NAMESPACE = "RunbookEngine"
KEPT_FOR = timedelta(minutes=5)  # a keyring: a token that was changed is known this late at most


@dataclass(slots=True)
class Keys:
    """The keyring, read again after five minutes. When it cannot be, nobody is let in."""

    read: Callable[[], Keyring]
    _kept: Keyring | None = None
    _read_at: float = 0.0

    def __call__(self) -> Keyring:
        """Return the keyring. Raises what reading the secrets raises."""
        if self._kept is None or time.monotonic() - self._read_at > KEPT_FOR.total_seconds():
            self._kept = None
            self._kept = self.read()
            self._read_at = time.monotonic()
        return self._kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One function's engine, and what is around it."""

    engine: Engine
    configuration: Configuration
    seats: Seats
    waker: Waker
    keys: Callable[[], Keyring]
    links: Callable[[], ApprovalLinks]
    pause: Callable[[], tuple[PauseReader, PauseWriter]]
    clock: Clock
    log: EventLog
    metrics: TextIO = field(default_factory=lambda: sys.stdout)

    def count(self, metrics: Mapping[str, float], **dimensions: str) -> None:
        """Write what is to be counted into the function's log."""
        self.metrics.write(emf_line(NAMESPACE, metrics, dimensions, self.clock.now()) + "\n")
        self.metrics.flush()


def open_host(*, acts: bool) -> Host:
    """Return the host of this process, as its environment describes it. Raises whatever is wrong with that."""
    settings = replace(read_settings(environment=os.environ), state=STATE, looks_only=not acts)
    return build_host(settings, acts=acts)


def build_host(
    settings: Settings,
    *,
    acts: bool,
    clock: Clock | None = None,
    checkpoint: Callable[[str], None] = lambda name: None,
) -> Host:
    """Return a host: one that `acts` has eyes and hands, any other only takes in what others say."""
    names, registry = names_of(settings.environment), Registry()
    bundle = read_bundle(names, settings, registry)
    configuration = completed(bundle.configuration, names)
    adapters = Adapters(configuration=configuration, settings=settings, registry=registry, clock=clock or SystemClock())
    return _assemble(adapters, Bundle(bundle.runbooks, configuration), names, acts=acts, checkpoint=checkpoint)


def _assemble(
    adapters: Adapters, bundle: Bundle, names: Names, *, acts: bool, checkpoint: Callable[[str], None]
) -> Host:
    log = EventLog(function=adapters.settings.environment.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    seats: Seats = _only(adapters, "seats", "reader")
    uses: FirstUses = _only(adapters, "seats", "writer")
    waker = Waker(
        seats=seats,
        callbacks=_only(adapters, "callbacks", "writer"),
        bus=_only(adapters, "bus", "writer"),
        clock=adapters.clock,
        log=log,
    )
    secret = adapters.settings.keeping(bundle.configuration).secret

    def links() -> ApprovalLinks:
        if not names.approve_url or not names.link_key:
            raise InvalidSettings("no approval links are set up (set RUNBOOK_APPROVE_URL and RUNBOOK_LINK_KEY)")
        return approval_links(names.approve_url, secret(SecretReference(ssm=names.link_key)))

    def linking(notifier: Notifier) -> Notifier:
        return LinkingNotifier(notifier, links()) if names.approve_url and names.link_key else notifier

    return Host(
        engine=engine_of(adapters, bundle, tell=linking, checkpoint=checkpoint)
        if acts
        else front_engine_of(adapters, bundle),
        configuration=bundle.configuration,
        seats=seats,
        waker=waker,
        # Who names no tokens lets nobody in over HTTP: the internet is not this machine.
        keys=Keys(lambda: replace(load_keyring(bundle.configuration, secret, KeptSignatures(uses)), is_open=False)),
        links=links,
        pause=lambda: pause_of(adapters),
        clock=adapters.clock,
        log=log,
    )


def _only(adapters: Adapters, port: Port, side: str) -> Any:
    serving = adapters.serving(port)
    if len(serving) != 1:
        raise InvalidSettings(f"adapters.{port}: an installation has one (this one names {len(serving)})")
    return getattr(serving[0][1], side)
