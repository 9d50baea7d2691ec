"""The kill switch in one parameter of its own, outside the journal: it works while the journal does not.

No parameter means no pause. One that cannot be read counts as a pause. Lifting writes a pause that is over instead
of removing the parameter: SSM asks to wait half a minute between a removal and the next creation.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import checking, looking, touching
from runbook_adapters.ssm.parameters import fetch
from runbook_engine.errors import Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.observation import Pause

SERVICE = "ssm"
LONGEST_TEXT = 500  # characters of who and why: a standard parameter holds 4 KB
OVER = datetime(2000, 1, 1, tzinfo=UTC)
REMEDY = "no change is made until it can be read: runbook resume ends the pause, runbook pause writes it anew"


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole value; a time without an offset is refused."""

    until: datetime
    by: str
    reason: str = ""


class SsmPauseReader:
    """Looks at the kill switch."""

    def __init__(self, clients: Clients, parameter: str) -> None:
        self._clients = clients
        self._parameter = parameter

    def pause(self, now: datetime) -> Pause | None:
        """Return the pause in force, None when there is none or it has expired. Raises Unreadable."""
        client = self._clients.looking(SERVICE)
        with looking(f"the kill switch {self._parameter}"):
            found = fetch(client, self._parameter)
        if found is None:
            return None
        try:
            stored = from_json(found.value, Stored)
        except msgspec.MsgspecError as error:
            raise Unreadable(f"the kill switch {self._parameter} is corrupt: {error} ({REMEDY})") from error
        if stored.until.tzinfo is None:
            raise Unreadable(f"the kill switch {self._parameter} is corrupt: until has no offset from UTC ({REMEDY})")
        if stored.until <= now:
            return None
        return Pause(until=stored.until, by=stored.by, reason=stored.reason)


class SsmPauseWriter:
    """Throws and lifts the kill switch."""

    def __init__(self, clients: Clients, parameter: str) -> None:
        self._clients = clients
        self._parameter = parameter

    def throw(self, pause: Pause) -> None:
        """Pause every change until then; a pause in force is replaced."""
        self._put(Stored(pause.until, pause.by[:LONGEST_TEXT], pause.reason[:LONGEST_TEXT]))

    def lift(self) -> None:
        """End the pause; nothing happens when there is none."""
        client = self._clients.looking(SERVICE)
        with checking(f"reading the kill switch {self._parameter} before it is lifted"):
            found = fetch(client, self._parameter)
        if found is not None:
            self._put(Stored(OVER, "", "lifted"))

    def _put(self, stored: Stored) -> None:
        # SSM takes no value with two braces in a row: it would be a reference. In JSON only text holds such.
        value = msgspec.json.encode(stored).decode().replace("{{", "{\\u007b").replace("}}", "}\\u007d")
        client = self._clients.touching(SERVICE)
        with touching(f"writing the kill switch {self._parameter}"):
            client.put_parameter(Name=self._parameter, Value=value, Type="String", Overwrite=True)
