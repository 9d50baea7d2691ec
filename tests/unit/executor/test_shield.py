"""A bug in an adapter or an action becomes a sentence, and never a run that hangs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runbook_engine.engine import Engine
from runbook_engine.errors import Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.executor.shield import Shielded, guarded
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.runbook import Collector
from runbook_engine.ports import ActionSpec, CollectorSpec
from runbook_engine.registry import Registry
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, Rig, configuration, runbook


class Clumsy:
    """An adapter with a bug, a good answer, an error of ours, and a field."""

    name = "clumsy"

    def bug(self) -> None:
        raise KeyError("labels")

    def answer(self, value: int, *, times: int) -> int:
        return value * times

    def no(self) -> None:
        raise Permanent("access denied")


def test_a_surprise_becomes_an_error_of_ours() -> None:
    """It names the adapter and what it raised, and keeps the cause."""
    with pytest.raises(Unreadable, match=r"^Clumsy failed by surprise: KeyError: 'labels'$") as caught:
        Shielded(Clumsy(), Unreadable).bug()

    assert isinstance(caught.value.__cause__, KeyError)


def test_answers_fields_and_errors_of_ours_pass() -> None:
    """The shield changes nothing else."""
    shielded = Shielded(Clumsy(), Retryable)

    assert (6, "clumsy") == (shielded.answer(2, times=3), shielded.name)
    with pytest.raises(Permanent, match="access denied"):
        shielded.no()


def test_what_stops_the_process_is_let_through() -> None:
    """A keyboard interrupt is no bug of an adapter."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupt, "action x", Permanent)()


class Bugged(Registry):
    """The registry, with one function of `degrade` or of a collector that has a bug."""

    def __init__(self, part: str) -> None:
        self._part = part

    def action(self, name: str) -> ActionSpec:
        spec = super().action(name)
        if name != "degrade" or self._part == "collect":
            return spec
        return replace(spec, **{self._part: _bug})

    def collector(self, name: str) -> CollectorSpec:
        return replace(super().collector(name), collect=_bug)


def _bug(*arguments: Any) -> Any:
    raise AttributeError("'NoneType' object has no attribute 'value'")


def run(part: str) -> Rig:
    """Return a rig after a run whose action or collector has a bug in this part."""
    book = runbook(steps=(DEGRADE,), diagnostics=(Collector(name="changes"),) if part == "collect" else ())
    rig = Rig(book)
    rig.healed_by_flag()
    rig.engine = Engine(
        bundle=Bundle((book,), configuration()),
        journal=rig.journal,
        world=rig.simulated.world,
        effects=rig.simulated.effects,
        registry=Bugged(part),
    )
    rig.fire()
    rig.run(3 * MINUTE)
    return rig


def test_a_bug_in_prepare_fails_the_run() -> None:
    """Nothing was changed, and the sentence says whose bug it is."""
    execution = run("prepare").execution()

    assert (
        "failed",
        "shed-optional-features: action degrade failed by surprise: "
        "AttributeError: 'NoneType' object has no attribute 'value'",
    ) == (execution.status, execution.reason)


def test_a_bug_in_a_rehearsal_fails_the_run_before_anything_is_changed() -> None:
    """It is asked before the intent, so the run must end there and not be driven again for ever."""
    rig = run("rehearse")

    assert (
        "failed",
        "shed-optional-features: action degrade failed by surprise: "
        "AttributeError: 'NoneType' object has no attribute 'value'",
    ) == (rig.execution().status, rig.execution().reason)
    assert () == rig.simulated.effects_made


def test_a_bug_in_observe_ends_at_the_actions_time_limit() -> None:
    """It cannot be looked at, so it never finished; the run ends, and its lock is free."""
    rig = run("observe")

    assert "failed" == rig.execution().status
    assert "did not finish in time: cannot be looked at: action degrade failed by surprise" in rig.execution().reason
    assert rig.journal.lock_holder(f"local/parameter//{FLAG}") is None


def test_a_bug_in_apply_leaves_the_effect_in_doubt_until_it_is_given_up() -> None:
    """It may have been made before it raised."""
    assert "unknown" == run("apply").execution().status


def test_a_bug_in_a_collector_blocks_nothing() -> None:
    """Evidence is worth having, and not worth waiting for."""
    rig = run("collect")

    assert "succeeded" == rig.execution().status
    assert any("not captured: changes: collector changes failed by surprise" in says for says in rig.says())


def test_the_root_of_the_errors_is_never_wrapped() -> None:
    """Whatever of ours is raised keeps its type."""

    def no() -> None:
        raise RunbookError("as it is")

    with pytest.raises(RunbookError, match=r"^as it is$"):
        guarded(no, "action x", Permanent)()
