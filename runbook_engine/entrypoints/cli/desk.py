"""The desk: where a person or a script sits. Streams, time, and the way to the engine, handed to every command."""

from __future__ import annotations

import io
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TextIO

from runbook_engine.entrypoints.cli.failure import CannotWrite, UsageError
from runbook_engine.entrypoints.cli.installation import Installation, open_installation, open_records, open_switch
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.ports import Clock

Opener = Callable[[Settings, Clock], Installation]


class ClosedStream(io.StringIO):
    """A standard output that was closed before we began: no answer can be given there."""

    def write(self, text: str) -> int:
        """Raise CannotWrite, save for nothing, which is written anywhere."""
        if not text:
            return 0
        raise CannotWrite("the answer cannot be written: standard output is closed (send it to /dev/null instead)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command is given besides its arguments."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environment: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], None] = time.sleep
    opens: Opener = open_installation  # everything: runbooks, eyes, hands
    opens_records: Opener = open_records  # the journal and the kill switch alone, whatever is broken beside them
    opens_switch: Opener = open_switch  # the kill switch, also before there is a journal

    @classmethod
    def of_process(cls) -> Desk:
        """Return the desk of this process, whichever of its streams were closed before it began."""
        return cls(
            stdin=sys.stdin or io.StringIO(),
            stdout=sys.stdout or ClosedStream(),
            stderr=sys.stderr or io.StringIO(),
            environment=os.environ,
        )

    def settings(self, arguments: Namespace, *, server: str | None = None) -> Settings:
        """Return the settings that the arguments and the environment give."""
        return read_settings(
            runbooks=arguments.runbooks,
            config=arguments.config,
            state=arguments.state,
            server=server,
            environment=self.environment,
        )

    def installation(self, arguments: Namespace, *, looks_only: bool = False) -> Installation:
        """Return the whole installation, without hands if it only looks. Raises InvalidRunbook with every error."""
        settings = replace(self.settings(arguments), looks_only=looks_only)
        refuse_special(settings.runbooks)
        return self.opens(settings, self.clock)

    def records(self, arguments: Namespace) -> Installation:
        """Return the journal and the kill switch, so that a broken runbook never keeps a person from stopping a run."""
        return self.opens_records(self.settings(arguments), self.clock)

    def switch(self, arguments: Namespace) -> Installation:
        """Return the installation for its kill switch alone. Raises NotInstalled where nobody would read it."""
        return self.opens_switch(self.settings(arguments), self.clock)

    def now(self) -> datetime:
        """Return the present."""
        return self.clock.now()

    @property
    def at_terminal(self) -> bool:
        """Whether a person sits here, who can be asked."""
        return self.stdin.isatty() and self.stdout.isatty()


def operator_of(installation: Installation) -> str:
    """Return who acts. Raises UsageError when nobody is named: what a person does is recorded with a name."""
    if not installation.settings.operator:
        raise UsageError("nobody is named as the one who acts: set RUNBOOK_OPERATOR to your name")
    return installation.settings.operator
