"""Whatever happens, in whatever order: the promises of the engine hold at every moment and in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Approval, Compensate, ModeRule, Runbook
from tests.length import LONG
from tests.properties.drama import PUSHES, Drama
from tests.scenario.rig import DEGRADE, MINUTE, SCALE, runbook

GUARDRAILS = Guardrails(cooldown=timedelta(minutes=1), deadline=40 * MINUTE)
ASKED = replace(DEGRADE, approval=Approval(by="team-checkout", timeout=10 * MINUTE, on_timeout="next"))
ON_FAILURE = replace(DEGRADE, compensate=Compensate(when="onFailure"))
RUNBOOKS: dict[str, Runbook] = {
    "shed, then scale": runbook(guardrails=GUARDRAILS),
    "ask, then shed": runbook(guardrails=GUARDRAILS, steps=(ASKED, SCALE)),
    "both, unless one fails": runbook(guardrails=GUARDRAILS, strategy="sequence", steps=(ON_FAILURE, SCALE)),
    "no verification": runbook(guardrails=GUARDRAILS, strategy="sequence", verify=(), steps=(DEGRADE, SCALE)),
    "approve mode": runbook(guardrails=GUARDRAILS, mode=(ModeRule(mode="approve"),)),
}
Happening = tuple[str, tuple[object, ...]]


def happening(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Happening]:
    """Return the strategy of one kind of happening."""
    return st.tuples(st.just(name), st.tuples(*arguments))


PODS, YES_OR_NO = st.sampled_from(("a", "b")), st.booleans()
HAPPENINGS = st.one_of(
    happening("fire", PODS),
    happening("fire", PODS),
    happening("resolve", PODS),
    happening("repeat", st.integers(0, 5)),
    happening("expire"),
    happening("push", st.sampled_from(PUSHES)),
    happening("push", st.sampled_from(PUSHES[:4])),
    happening("answer", st.sampled_from(("approve", "deny"))),
    happening("stop", st.sampled_from(("cancel", "take_over")), YES_OR_NO),
    happening("die_at", st.integers(1, 40)),
    happening("outage", YES_OR_NO),
    happening("pause", YES_OR_NO),
    happening("edit"),
    happening("stumble", st.sampled_from(("throttled", "never sent", "answer lost"))),
    happening("health", YES_OR_NO),
)


def perform(drama: Drama, happenings: list[Happening]) -> None:
    """Let it happen, looking after each; and bring everything to its end."""
    for name, arguments in happenings:
        call: Callable[..., None] = getattr(drama, name)
        call(*arguments)
        drama.check()
    drama.settle()


@pytest.mark.parametrize("name", RUNBOOKS)
@settings(max_examples=150 if LONG else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(happenings=st.lists(HAPPENINGS, max_size=25))
def test_every_promise_holds_whatever_happens(name: str, happenings: list[Happening]) -> None:
    """Effects explained, slots and locks single and freed, signals heard, pauses kept, values restored, trail whole."""
    perform(Drama(RUNBOOKS[name]), [("fire", ("a",)), *happenings])
