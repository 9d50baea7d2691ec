"""What a test may demand of a run: verdicts, changes in their order, sentences in theirs, and its incident."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import load_valid_files
from runbook_engine.registry import Registry
from runbook_engine.testing import run_test_file
from tests.scenario.test_runner import FIRES, HEALED_BY_SHEDDING, NEVER_HEALED, RESOLVES, run, scenario, write

pytestmark = pytest.mark.slow

FLAG = "/checkout/degraded_mode"


@pytest.mark.parametrize(
    ("errors", "alerts", "more", "expect"),
    [
        pytest.param(
            HEALED_BY_SHEDDING,
            FIRES,
            "",
            "verdicts: {shed: {cooldown: ok, lock: ok, deadline: ok, pause: not paused}}",
            id="verdicts on a change that was made",
        ),
        pytest.param(
            HEALED_BY_SHEDDING,
            FIRES,
            "signals:\n  - {at: 0s, pause: 1h, by: eve}",
            "verdicts: {shed: {pause: refused, mode: ok}}, changed: []",
            id="verdicts on a change that was held",
        ),
        pytest.param(
            HEALED_BY_SHEDDING,
            f"{FIRES}\n{RESOLVES}",
            "",
            f'changed: [{{target: {FLAG}, field: value, before: "false", after: "true"}}, '
            f'{{target: parameter={FLAG}, after: "false"}}]',
            id="changes, undoing included, by either name of a target",
        ),
        pytest.param(
            NEVER_HEALED,
            FIRES,
            "",
            f"changed: [{{target: {FLAG}}}, "
            "{target: apps/deployment/checkout, field: replicas, before: 4, after: 6}]",
            id="changes of several steps, in order",
        ),
        pytest.param(
            NEVER_HEALED,
            FIRES,
            "signals:\n  - {at: 9m, cancel: undo, by: eve}",
            f"changed: [{{target: {FLAG}}}, {{target: apps/deployment/checkout, after: 6}}, "
            f"{{target: apps/deployment/checkout, after: 4}}, {{target: {FLAG}}}]",
            id="changes of one instant, in the order in which they were undone",
        ),
        pytest.param(
            HEALED_BY_SHEDDING,
            FIRES,
            "edits:\n  - {at: 0s, who: bob, parameters: {/checkout/degraded_mode: null}}",
            f'changed: [{{target: {FLAG}, before: null, after: "true"}}]',
            id="a value where there was none",
        ),
        pytest.param(
            HEALED_BY_SHEDDING,
            FIRES,
            "edits:\n  - {at: 2m, who: bob, parameters: {/other: a}}",
            "timeline: ['alert fires: CheckoutErrors', 'shed: is about to change', 'succeeded: verified', "
            "'bob changes the world']",
            id="sentences in order, what others do included",
        ),
        pytest.param(NEVER_HEALED, FIRES, "", "incident: open", id="an incident that is open"),
        pytest.param(HEALED_BY_SHEDDING, FIRES, "", "incident: mitigated", id="one that is mitigated"),
        pytest.param(HEALED_BY_SHEDDING, f"{FIRES}\n{RESOLVES}", "", "incident: resolved", id="one that is resolved"),
    ],
)
def test_expectation_holds(tmp_path: Path, errors: str, alerts: str, more: str, expect: str) -> None:
    """Each of them, once all has happened."""
    written = scenario("it", errors=errors, alerts=alerts, more=more, expect=f"- {{at: 20m, {expect}}}")

    [result] = run(tmp_path, written)

    assert "" == result.reason


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        pytest.param(
            "verdicts: {shed: {pause: refused}}",
            "verdict of pause on shed: expected refused, it is ok (not paused)",
            id="a verdict that was another",
        ),
        pytest.param(
            "verdicts: {shed: {stepCap: 9 of 9}}",
            "verdict of stepCap on shed: expected 9 of 9, it is ok (not a number)",
            id="a verdict that says something else",
        ),
        pytest.param(
            "verdicts: {grow: {pause: ok}}",
            "verdict of pause on grow: expected ok, it is absent (judged was nothing)",
            id="a step that was never judged",
        ),
        pytest.param(
            "verdicts: {shedd: {pause: ok}}",
            "verdicts: no step is named shedd (choose from shed, grow, go-back)",
            id="a step that there is not",
        ),
        pytest.param(
            "changed: []",
            'changed: expected [], it is [/checkout/degraded_mode value "false" -> "true"]',
            id="a change too many",
        ),
        pytest.param(
            'changed: [{target: /checkout/degraded_mode, field: value, after: "partly"}]',
            'changed: expected [/checkout/degraded_mode value ... -> "partly"], '
            'it is [/checkout/degraded_mode value "false" -> "true"]',
            id="another value",
        ),
        pytest.param(
            f"changed: [{{target: {FLAG}, before: null, after: true}}]",
            "changed: expected [/checkout/degraded_mode absent -> true], "
            'it is [/checkout/degraded_mode value "false" -> "true"]',
            id="absence, and a truth that is no text",
        ),
        pytest.param(
            "timeline: ['shed: is about to change', 'alert fires']",
            "timeline: expected 'alert fires', it is not said after 'shed: is about to change'",
            id="sentences in another order",
        ),
        pytest.param(
            "timeline: [rolled back]",
            "timeline: expected 'rolled back', it is not said",
            id="a sentence that is not said",
        ),
        pytest.param(
            "incident: resolved", "incident: expected resolved, it is mitigated", id="another incident status"
        ),
    ],
)
def test_expectation_fails_in_a_sentence(tmp_path: Path, expect: str, reason: str) -> None:
    """With what was expected, and what it is."""
    written = scenario("it", errors=HEALED_BY_SHEDDING, expect=f"- {{at: 3m, {expect}}}")

    [result] = run(tmp_path, written)

    assert f"at 3m: {reason}" == result.reason


def test_incident_is_absent_when_nothing_came_in(tmp_path: Path) -> None:
    """And a run that was asked of is not there."""
    nothing = "- {at: 9m, fires: {alertname: CheckoutErrors}}"
    written = scenario("it", errors=NEVER_HEALED, alerts=nothing, expect="- {at: 1m, incident: open, changed: []}")

    [result] = run(tmp_path, written)

    assert "at 1m: incident: expected open, it is absent" == result.reason
    assert ("      1m  > expected  incident: open", "      1m  > was       incident: absent") == result.timeline


def test_only_the_tests_that_are_named_so_run(tmp_path: Path) -> None:
    """In any case of the letters."""
    names = ("it sheds", "it grows", "it SHEDS more")
    tests = [scenario(name, errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 1}") for name in names]
    path = write(tmp_path, *tests)
    loaded = load_valid_files([path], Registry())

    assert ["it sheds", "it SHEDS more"] == [each.name for each in run_test_file(path, loaded, named="sheds")]
    assert () == run_test_file(path, loaded, named="nothing like it")
