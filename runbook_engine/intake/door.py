"""The door: where deliveries come in. What one means is decided at once, or later, by whoever looks into the inbox.

Deciding reads and writes a hundred times as much as storing what was sent. So a front door that must answer soon stores
the delivery, and the answer may be given; nothing is lost from then on, and what comes after waits behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from runbook_engine.errors import InvalidAlert
from runbook_engine.intake.builder import IntakeBuilder
from runbook_engine.intake.changes import own_changes
from runbook_engine.intake.receipt import Receipt, Taken, receipt_of, stored_receipt, taken_in
from runbook_engine.intake.recording import Recorder
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.delivery import Parsed, Rejected, Request
from runbook_engine.model.inbox import Waiting
from runbook_engine.model.incident import Intake
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import Journal

Announce = Callable[[tuple[Taken, ...]], None]


@dataclass(frozen=True, slots=True)
class _Read:
    """A delivery that was read, and is not useless."""

    parsed: Parsed
    changes: tuple[tuple[Target, ChangeEvent], ...]  # in things that are its sender's
    refused: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The way in of one engine."""

    configuration: Configuration
    journal: Journal
    parse: Callable[[Request], Parsed]
    builder: IntakeBuilder
    recorder: Recorder

    def accept(self, request: Request) -> Receipt:
        """Store a delivery; what it means is decided later. What only says again what is known is not stored.

        Raises InvalidAlert, and what the journal raises.
        """
        inbox = self.journal.inbox
        if inbox is None:
            return self.decide(request)
        read = self._read(request)
        alerts = read.parsed.alerts
        known = not read.changes and not self.builder.brings_news(alerts) and inbox.is_empty()
        number = 0 if known else inbox.keep(request, len(alerts))
        return stored_receipt(read.parsed, read.refused, changes=len(read.changes), delivery=number)

    def decide(
        self,
        request: Request,
        announce: Announce | None = None,
        *,
        number: int = 0,
        counted_at: datetime | None = None,
    ) -> Receipt:
        """Decide what a delivery means, and store that. `number` is what it waited under.

        `counted_at` is when what it opens counts towards a storm; None = when it was received.
        Raises InvalidAlert, Conflict, or whatever `announce` and the journal raise.
        """
        if number:
            self._demand_scope(request)
        read = self._read(request)
        for target, event in read.changes:
            self.journal.record_change(target, event)
        intake = self.recorder.record(
            lambda: self._built(read.parsed, request, number, counted_at),
            (lambda intake: announce(taken_in(intake))) if announce is not None else lambda intake: None,
        )
        return receipt_of(intake, read.parsed, read.refused, changes=len(read.changes))

    def oldest(self) -> Waiting | None:
        """Return the delivery that is to be decided next."""
        return None if self.journal.inbox is None else self.journal.inbox.oldest()

    def waits(self) -> bool:
        """Return whether deliveries wait."""
        return self.journal.inbox is not None and not self.journal.inbox.is_empty()

    def _demand_scope(self, request: Request) -> None:
        """Raise InvalidAlert when engine.yaml was changed since the delivery was stored, and its sender is gone."""
        if all(scope.name != request.scope for scope in self.configuration.scopes):
            raise InvalidAlert(
                "not_ours",
                f"engine.yaml names no scope {request.scope} any more (name it again, then retry the delivery)",
            )

    def _read(self, request: Request) -> _Read:
        parsed = self.parse(request)
        changes, refused = own_changes(parsed, request.scope, self.configuration)
        if refused and not changes and not parsed.alerts:
            raise InvalidAlert("not_ours", "no change of the delivery is taken: " + refused[0].reason)
        return _Read(parsed, changes, refused)

    def _built(self, parsed: Parsed, request: Request, number: int, counted_at: datetime | None) -> Intake:
        intake = self.builder.build(parsed.alerts, request.received_at, counted_at)
        return replace(intake, delivery=number) if number else intake
