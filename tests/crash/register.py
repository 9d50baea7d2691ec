"""A target that counts: one value in a file, every call of a writer as a line; and one test action a repeat class.

The writers differ as real services differ. `declarative` leaves alone what is as wanted, `token` drops a key that it
has seen, and the other two write again when they are asked again, so a doubled call is a doubled effect.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Conflict
from runbook_engine.model.delivery import SourceSpec
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, CollectorSpec, Effects, Repeat, World
from runbook_engine.registry import Registry

REGISTER = Target("parameter", "local", "", "/checkout/register")
INITIAL = "closed"
INSTALLED = Registry()  # immutable, and slow to fill; it fills at its first use
REPEATS: tuple[Repeat, ...] = ("declarative", "token", "observable", "once")


class Register:
    """One value and the log of all that was ever done to it: `key value effective|refused|dropped`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    @property
    def value(self) -> str:
        """The value now: what the last effective write set."""
        effective = self.effects
        return effective[-1][1] if effective else INITIAL

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Every call: its key, the value it wanted, what came of it."""
        lines = self.path.read_text().splitlines()
        return [(key, value, said) for key, value, said in (line.split() for line in lines)]

    @property
    def effects(self) -> list[tuple[str, str]]:
        """The writes that happened, each with its key."""
        return [(key, value) for key, value, said in self.calls if said == "effective"]

    def write(self, key: str, before: str, after: str, repeat: Repeat) -> None:
        """Set the value as a service of this class does. Raises Conflict when somebody else has set it."""
        with self._locked():
            said = self._judge(key, before, after, repeat)
            with self.path.open("a") as log:
                log.write(f"{key} {after} {said}\n")
        if said == "refused":
            raise Conflict(f"the register is {self.value}, not {before}")

    def _judge(self, key: str, before: str, after: str, repeat: Repeat) -> str:
        seen = repeat == "token" and any(key == known for known, _ in self.effects)
        if seen or (repeat == "declarative" and self.value == after):
            return "dropped"
        again = repeat == "observable" and self.value == after
        return "effective" if self.value == before or again else "refused"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class RegisterParams(ActionParams):
    """What the register is set to."""

    value: str


class RegisterRegistry(Registry):
    """What is installed, and four actions more that only tests have: `set-declarative`, `set-token` and so on."""

    def __init__(self, register: Register) -> None:
        self._register = register

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action by name."""
        return {**INSTALLED.actions, **{f"set-{repeat}": _spec(repeat, self._register) for repeat in REPEATS}}

    @cached_property
    def collectors(self) -> Mapping[str, CollectorSpec]:
        """Every evidence collector by name."""
        return INSTALLED.collectors

    @cached_property
    def sources(self) -> Mapping[str, SourceSpec]:
        """Every alert source by name."""
        return INSTALLED.sources


def _spec(repeat: Repeat, register: Register) -> ActionSpec:
    def prepare(params: RegisterParams, target: Target, world: World) -> Change | None:
        before = register.value
        if before == params.value:
            return None
        return Change(target=REGISTER, field="value", before=before, after=params.value)

    def apply(change: Change, key: str, effects: Effects) -> Outcome:
        register.write(key, str(change.before), str(change.after), repeat)
        return Outcome.done(written=True)

    def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
        live = register.value
        if live == change.after:
            return Progress.done(f"the register is {live}")
        if live == change.before:
            return Progress.absent(f"the register still is {live}")
        return Progress.superseded(f"somebody set the register to {live}")

    return ActionSpec(
        name=f"set-{repeat}",
        summary="Set the register.",
        params=RegisterParams,
        prepare=prepare,
        apply=apply,
        observe=observe,
        repeat=repeat,
        reversible=True,
        permissions=(),
    )
