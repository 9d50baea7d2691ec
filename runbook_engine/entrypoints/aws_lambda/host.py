"""The host: everything that a function uses, built once for its process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TextIO

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.aws_lambda.bundles import read_bundle
from runbook_engine.entrypoints.aws_lambda.emf import emf_line
from runbook_engine.entrypoints.aws_lambda.names import STATE, Names, completed, names_of
from runbook_engine.entrypoints.aws_lambda.signatures import KeptSignatures
from runbook_engine.entrypoints.aws_lambda.waking import Waker
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.credentials import Keyring, load_keyring
from runbook_engine.entrypoints.front import front_engine_of, pause_of
from runbook_engine.entrypoints.links import ApprovalLinks, LinkingNotifier, approval_links
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.settings import InvalidSettings, Settings, read_settings
from runbook_engine.errors import NoAdapter
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.ports import Clock, FirstUses, Notifier, PauseReader, PauseWriter, Port, Seats
from runbook_engine.registry import Registry

NAMESPACE = "RunbookEngine"
KEPT_FOR = timedelta(seconds=30)  # a keyring, so that what is missing of it is not asked for with every request


@dataclass(slots=True)
class Keys:
    """The keyring, read again after half a minute. When it cannot be, nobody is let in.

    By the clock on the wall: the other kind may stand still while a function is not called.
    """

    read: Callable[[], Keyring]
    clock: Clock
    _kept: tuple[datetime, Keyring] | None = None

    def __call__(self) -> Keyring:
        """Return the keyring. Raises what reading the secrets raises."""
        now = self.clock.now()
        if self._kept is None or not timedelta(0) <= now - self._kept[0] < KEPT_FOR:
            self._kept = None
            self._kept = (now, self.read())
        return self._kept[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One function's engine, and what is around it."""

    engine: Engine
    configuration: Configuration
    seats: Seats
    uses: FirstUses
    waker: Waker
    keys: Callable[[], Keyring]
    signatures: KeptSignatures
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
    signatures = KeptSignatures(uses)
    secret = adapters.settings.keeping(bundle.configuration).secret

    def keyring() -> Keyring:
        """Who names no tokens lets nobody in over HTTP: the internet is not this machine."""
        return replace(load_keyring(bundle.configuration, secret, signatures), is_open=False)

    def links() -> ApprovalLinks:
        return _links(names, secret)

    def linking(notifier: Notifier) -> Notifier:
        return LinkingNotifier(notifier, links) if names.approve_url or names.link_key else notifier

    if acts:
        from runbook_engine.entrypoints.composition import engine_of  # eyes and hands, which the front door has not

        engine = engine_of(adapters, bundle, tell=linking, checkpoint=checkpoint)
    else:
        engine = front_engine_of(adapters, bundle)
    return Host(
        engine=engine,
        configuration=bundle.configuration,
        seats=seats,
        uses=uses,
        waker=waker,
        keys=Keys(keyring, adapters.clock),
        signatures=signatures,
        links=links,
        pause=lambda: pause_of(adapters),
        clock=adapters.clock,
        log=log,
    )


def _links(names: Names, secret: Callable[[SecretReference], str]) -> ApprovalLinks:
    """Return the maker of links. Raises InvalidSettings, Unreadable: then a question is asked without a link."""
    if not names.approve_url or not names.link_key:
        raise InvalidSettings("no approval links are set up (set RUNBOOK_APPROVE_URL and RUNBOOK_LINK_KEY)")
    try:
        key = secret(SecretReference(ssm=names.link_key))
    except NoAdapter as error:
        raise InvalidSettings(str(error)) from error
    return approval_links(names.approve_url, key)


def _only(adapters: Adapters, port: Port, side: str) -> Any:
    serving = adapters.serving(port)
    if len(serving) != 1:
        raise InvalidSettings(f"adapters.{port}: an installation has one (this one names {len(serving)})")
    return getattr(serving[0][1], side)
