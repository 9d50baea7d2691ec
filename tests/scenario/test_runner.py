"""The runner of RunbookTest files: what it plays, and how it says that something is not as expected."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.files import load_valid_files
from runbook_engine.registry import Registry
from runbook_engine.testing import TestResult, run_test_file

pytestmark = pytest.mark.slow

pytest_plugins = ("pytester",)
# The plugin of this checkout, whether or not an installed one announces itself.
PLUGIN = ("-p", "no:runbook-engine", "-p", "runbook_engine.testing.pytest_plugin", "-p", "no:cacheprovider")

RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: checkout-errors, owner: team-checkout, summary: Shed features}
matchers:
  - alertname = CheckoutErrors
target: {namespace: apps, deployment: checkout}
mode: auto
strategy: escalate
verify:
  - {query: errors, below: 0.02, timeout: 1m}
guardrails: {cooldown: 30m, deadline: 1h}
steps:
  - name: shed
    action: degrade
    with: {parameter: /checkout/degraded_mode, value: "true"}
    compensate: {when: resolved, holdFor: 10m}
  - name: grow
    action: scale
    with: {by: 50%, upTo: 12}
    compensate: {when: resolved, holdFor: 10m}
  - name: go-back
    action: rollback
    approval: {by: team-checkout, timeout: 10m}
    compensate: never
notify:
  - {receiver: chat, events: [started, ended]}
"""

WORLD = """
        deployments:
          - {namespace: apps, name: checkout, replicas: 4, revisions: [{number: 2}, {number: 1, healthy: true}]}
        parameters: {/checkout/degraded_mode: "false"}
        series: {errors: %s}
"""
FIRES = "- {at: 0s, fires: {alertname: CheckoutErrors, severity: critical}}"
RESOLVES = "- {at: 5m, resolves: {alertname: CheckoutErrors, severity: critical}}"
HEALED_BY_SHEDDING = "0.12x3 0.01"
HEALED_BY_GROWING = "0.12x7 0.01"
NEVER_HEALED = "0.12"


def scenario(name: str, *, errors: str, alerts: str = FIRES, expect: str, more: str = "") -> str:
    """Return one test of a document."""
    lines = [f"  - name: {name}", "    world:" + (WORLD % errors).rstrip(), "    alerts:"]
    lines += [f"      {line}" for line in alerts.splitlines()]
    lines += [f"    {line}" for line in more.splitlines()]
    return "\n".join([*lines, "    expect:", *(f"      {line}" for line in expect.splitlines())])


def write(folder: Path, *scenarios: str, runbook: str = RUNBOOK) -> Path:
    """Write a runbook and its test file; return the test file."""
    (folder / "errors.yaml").write_text(runbook)
    head = "apiVersion: runbook-engine/v1\nkind: RunbookTest\nrunbooks: [errors.yaml]\ninterval: 15s\ntests:\n"
    path = folder / "errors.test.yaml"
    path.write_text(head + "\n".join(scenarios) + "\n")
    return path


def run(folder: Path, *scenarios: str) -> tuple[TestResult, ...]:
    """Write and run tests."""
    path = write(folder, *scenarios)
    return run_test_file(path, load_valid_files([path], Registry()))


@pytest.mark.parametrize(
    ("written"),
    [
        pytest.param(
            scenario(
                "shed and undo",
                errors=HEALED_BY_SHEDDING,
                alerts=f"{FIRES}\n{RESOLVES}",
                expect="- {at: 3m, status: succeeded, compensation: held, ran: [shed], changes: 1}\n"
                "- {at: 16m, compensation: undone, changes: 2, parameters: {/checkout/degraded_mode: 'false'}}",
            ),
            id="a change is held, and undone after the alert has resolved",
        ),
        pytest.param(
            scenario(
                "grow",
                errors=HEALED_BY_GROWING,
                expect="- {at: 10m, status: succeeded, ran: [shed, grow], replicas: {apps/checkout: 6}, "
                "notified: {chat: [started, ended]}}",
            ),
            id="the next step follows when the first does not help",
        ),
        pytest.param(
            scenario(
                "approved",
                errors=NEVER_HEALED,
                more="signals:\n  - {at: 5m, approve: go-back, by: alice}",
                expect="- {at: 4m, status: awaiting_approval}\n"
                "- {at: 6m, deployments: [{namespace: apps, name: checkout, revision: 1, restarted: false}]}",
            ),
            id="a person approves",
        ),
        pytest.param(
            scenario(
                "denied",
                errors=NEVER_HEALED,
                more="signals:\n  - {at: 5m, deny: go-back, by: alice, reason: it is the database}",
                expect="- {at: 6m, deployments: [{namespace: apps, name: checkout, revision: 2}]}",
            ),
            id="a person denies",
        ),
        pytest.param(
            scenario(
                "taken over",
                errors=NEVER_HEALED,
                more="signals:\n  - {at: 30s, takeover: undo, by: alice}",
                expect="- {at: 2m, status: handed_over, parameters: {/checkout/degraded_mode: 'false'}}",
            ),
            id="a person takes over, and undoes",
        ),
        pytest.param(
            scenario(
                "cancelled",
                errors=NEVER_HEALED,
                more="signals:\n  - {at: 30s, cancel: keep, by: alice}",
                expect="- {at: 2m, status: cancelled, parameters: {/checkout/degraded_mode: 'true'}}",
            ),
            id="a person cancels, and keeps",
        ),
        pytest.param(
            scenario(
                "paused",
                errors=HEALED_BY_SHEDDING,
                alerts="- {at: 1m, fires: {alertname: CheckoutErrors, severity: critical}}",
                more="signals:\n  - {at: 0s, pause: 10m, by: alice}",
                expect="- {at: 5m, status: waiting, changes: 0}",
            ),
            id="the kill switch holds every change",
        ),
        pytest.param(
            scenario(
                "a lost answer",
                errors=HEALED_BY_SHEDDING,
                alerts=f"{FIRES}\n{RESOLVES}",
                more="failures:\n  - {step: shed, fails: unknown}",
                expect="- {at: 5m, status: succeeded, ran: [shed], changes: 1}\n"
                "- {at: 20m, compensation: undone, changes: 2, parameters: {/checkout/degraded_mode: 'false'}}",
            ),
            id="an effect in doubt is made once, and undone",
        ),
        pytest.param(
            scenario(
                "a refusal",
                errors=NEVER_HEALED,
                more="failures:\n  - {step: shed, call: prepare, fails: permanent, says: the store is gone}",
                expect="- {at: 5m, status: failed, says: the store is gone, changes: 0, ran: []}",
            ),
            id="a step that cannot be prepared fails the run",
        ),
        pytest.param(
            scenario(
                "a look that fails",
                errors=HEALED_BY_SHEDDING,
                more="failures:\n  - {step: shed, call: observe, fails: unreadable, times: 2}",
                expect="- {at: 5m, status: succeeded, changes: 1}",
            ),
            id="an unreadable look is taken again",
        ),
        pytest.param(
            scenario(
                "an undo that fails",
                errors=HEALED_BY_SHEDDING,
                alerts=f"{FIRES}\n{RESOLVES}",
                more="failures:\n  - {step: shed, call: undo, fails: permanent}",
                expect="- {at: 20m, compensation: failed, changes: 1}",
            ),
            id="an undo that fails is told apart from the change",
        ),
        pytest.param(
            scenario(
                "somebody else",
                errors=HEALED_BY_SHEDDING,
                alerts=f"{FIRES}\n{RESOLVES}",
                more="edits:\n  - {at: 6m, who: bob, parameters: {/checkout/degraded_mode: 'partly'}}",
                expect="- {at: 20m, compensation: superseded, parameters: {/checkout/degraded_mode: 'partly'}}",
            ),
            id="what somebody else changed is not undone",
        ),
        pytest.param(
            scenario(
                "silence",
                errors=HEALED_BY_SHEDDING,
                alerts=f"{FIRES}\n- {{at: 5m, expires: {{alertname: CheckoutErrors, severity: critical}}}}",
                expect="- {at: 2h, compensation: held, parameters: {/checkout/degraded_mode: 'true'}}",
            ),
            id="an alert that expired is not resolved",
        ),
        pytest.param(
            scenario(
                "another alert",
                errors=NEVER_HEALED,
                alerts="- {at: 0s, fires: {alertname: Other}}",
                expect="- {at: 5m, matched: [], ran: [], changes: 0, notified: {chat: []}}",
            ),
            id="an alert that is not our business starts nothing",
        ),
    ],
)
def test_scenario_passes_when_all_is_as_expected(tmp_path: Path, written: str) -> None:
    """Everything that a test file can say happens to the real engine."""
    [result] = run(tmp_path, written)

    assert (result.ok, str(result)) == (True, f"ok  {tmp_path / 'errors.test.yaml'}: {result.name}")
    assert result.timeline


HAND_OVER = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: checkout-crashes, owner: team-checkout, summary: Restart or hand over}
matchers:
  - alertname = CheckoutErrors
target: {namespace: apps, deployment: checkout}
mode: approve
strategy: escalate
verify:
  - {ready: 100%, timeout: 1m}
guardrails: {cooldown: 30m, deadline: 2h}
steps:
  - {name: tell, action: notify, with: {receiver: chat, text: "look at {{ alert.labels.alertname }}"}}
  - {name: restart-it, action: restart, compensate: never}
  - {name: hand-over, action: ticket, with: {receiver: tickets, text: nothing helped}}
notify:
  - {receiver: chat, events: [approval, ended]}
"""
CRASHES = "deployments: [{namespace: apps, name: checkout, replicas: 3, ready: 1}]"


@pytest.mark.parametrize(
    ("edits", "expect"),
    [
        pytest.param(
            "edits: [{at: 6m, deployments: [{namespace: apps, name: checkout, ready: 3}]}]",
            "{at: 9m, status: succeeded, ran: [restart-it], notified: {chat: [approval, notify, ended], tickets: []}}",
            id="the restart helps",
        ),
        pytest.param(
            "edits: []",
            "{at: 9m, status: handed_over, ran: [restart-it], notified: {tickets: [ticket]}, changes: 1}",
            id="nothing helps, and a person gets it",
        ),
    ],
)
def test_restart_is_made_once_when_approved_minutes_later(tmp_path: Path, edits: str, expect: str) -> None:
    """A plan that was approved is carried out as it was shown, and messages are no changes."""
    written = f"""\
  - name: it
    world: {{{CRASHES}}}
    alerts: [{FIRES.removeprefix("- ")}]
    signals: [{{at: 5m, approve: restart-it, by: alice}}]
    {edits}
    expect: [{{at: 4m, status: awaiting_approval, changes: 0}}, {expect}]"""
    path = write(tmp_path, written, runbook=HAND_OVER)

    [result] = run_test_file(path, load_valid_files([path], Registry()))

    assert (result.ok, result.reason) == (True, "")


@pytest.mark.parametrize(
    ("expectation", "reason"),
    [
        pytest.param("matched: []", "matched: expected [], it is [checkout-errors]", id="matched"),
        pytest.param("compensation: undone", "compensation: expected undone, it is held", id="compensation"),
        pytest.param("ran: [grow]", "ran: expected [grow], it is [shed]", id="ran"),
        pytest.param("skipped: [shed]", "skipped: expected [shed], it is []", id="skipped"),
        pytest.param("parameters: {/new: a}", "parameter /new: expected a, it is absent", id="parameters"),
        pytest.param("replicas: {apps/checkout: 9}", "replicas of apps/checkout: expected 9, it is 4", id="replicas"),
        pytest.param(
            "replicas: {apps/other: 9}",
            "no deployment 'apps/other' in this test's world (add it under world.deployments)",
            id="an unknown deployment",
        ),
        pytest.param(
            "deployments: [{namespace: apps, name: checkout, revision: 1, restarted: true}]",
            "revision of apps/checkout: expected 1, it is 2; at 3m: "
            "restarted of apps/checkout: expected True, it is False",
            id="deployments",
        ),
        pytest.param("notified: {chat: []}", "notified chat: expected [], it is [started, ended]", id="notified"),
        pytest.param("changes: 0", "changes: expected 0, it is 1", id="changes"),
        pytest.param("status: failed, runbook: other", "no run of other was started", id="another runbook"),
    ],
)
def test_scenario_fails_when_something_is_not_as_expected(tmp_path: Path, expectation: str, reason: str) -> None:
    """The reason says when, what was expected, and what is."""
    written = scenario("it", errors=HEALED_BY_SHEDDING, expect=f"- {{at: 3m, {expectation}}}")

    [result] = run(tmp_path, written)

    assert (result.ok, result.reason) == (False, f"at 3m: {reason}")
    assert any(line.lstrip().startswith("3m  ") for line in result.timeline)


def test_timeline_stands_beside_the_expectation_when_it_fails(tmp_path: Path) -> None:
    """What happened until then is shown, and the failed expectation in its place."""
    written = scenario("it", errors=HEALED_BY_SHEDDING, expect="- {at: 1s, status: failed}\n- {at: 2m, changes: 7}")

    [result] = run(tmp_path, written)

    lines = str(result).splitlines()
    assert lines[0] == f"FAILED  {tmp_path / 'errors.test.yaml'}: it"
    assert lines[1].startswith("  at 1s: status: expected failed, it is waiting")
    assert lines[2] == "        0s  alert fires: CheckoutErrors (severity=critical)"
    assert lines[-2:] == [
        "        1s  > expected  status: failed",
        "        1s  > was       status: waiting",
    ]
    assert any('shed: is about to change /checkout/degraded_mode value "false" -> "true"' in line for line in lines)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param(
            "signals:\n  - {at: 1s, approve: go-back}",
            "at 1s: go-back cannot be answered: the run asks for nothing, it is waiting ()",
            id="an approval that nobody asked for",
        ),
        pytest.param(
            "signals:\n  - {at: 1s, cancel: keep, runbook: other}",
            "at 1s: no run of other that could be told anything",
            id="a signal to a run that there is not",
        ),
        pytest.param(
            "failures:\n  - {step: shedd}",
            "failures: no step is named 'shedd' (choose from go-back, grow, shed)",
            id="a failure of a step that there is not",
        ),
        pytest.param(
            "edits:\n  - {at: 1s, deployments: [{namespace: apps, name: other, replicas: 1}]}",
            "at 1s: apps/deployment/other does not exist in cluster 'local'",
            id="an edit of a deployment that there is not",
        ),
    ],
)
def test_scenario_stops_when_its_script_cannot_be_followed(tmp_path: Path, more: str, reason: str) -> None:
    """A mistake of the test's author is said as one, and is no crash."""
    written = scenario("it", errors=NEVER_HEALED, more=more, expect="- {at: 1m, changes: 1}")

    [result] = run(tmp_path, written)

    assert (result.ok, result.reason) == (False, reason)


def test_tests_are_independent_when_in_one_file(tmp_path: Path) -> None:
    """Each test has a world and a journal of its own; one failure does not hide the next."""
    results = run(
        tmp_path,
        scenario("first", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 1}"),
        scenario("second", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 9}"),
        scenario("third", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 1}"),
    )

    assert [(result.name, result.ok) for result in results] == [("first", True), ("second", False), ("third", True)]


def test_runs_are_told_apart_when_several_runbooks_run(tmp_path: Path) -> None:
    """With two runbooks an expectation says which it means, and is told so when it does not."""
    twin = RUNBOOK.replace("checkout-errors", "checkout-twin").replace("degraded_mode", "other_mode")
    expect = "- {at: 3m, runbook: checkout-twin, ran: [shed]}\n- {at: 4m, status: succeeded}"
    path = write(
        tmp_path,
        scenario("both", errors=HEALED_BY_SHEDDING, expect=expect),
        runbook=f"{RUNBOOK}---{twin}",
    )

    [result] = run_test_file(path, load_valid_files([path], Registry()))

    assert result.reason == ("at 4m: several runbooks run, so say which: runbook: checkout-errors or checkout-twin")


def test_configuration_of_the_test_decides_when_it_names_one(tmp_path: Path) -> None:
    """With an installation's own configuration, its ceiling holds in the simulated world as well."""
    (tmp_path / "engine.yaml").write_text(
        "apiVersion: runbook-engine/v1\nkind: EngineConfig\nmetadata: {name: quiet}\n"
        "scopes: {prod: {source: alertmanager}}\n"
        "teams: {team-checkout: {members: [alice]}}\n"
        "receivers: {chat: {adapter: console}}\n"
        "targets: [deployment=apps/checkout, parameter=/checkout/*]\n"
    )
    path = write(
        tmp_path, scenario("it", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, status: awaiting_approval, changes: 0}")
    )
    path.write_text(path.read_text().replace("interval:", "config: engine.yaml\ninterval:"))

    [result] = run_test_file(path, load_valid_files([path], Registry()))

    assert (result.ok, result.reason) == (True, "")


def test_runbook_with_errors_is_refused_when_named(tmp_path: Path) -> None:
    """A test of a runbook that cannot be loaded does not pass silently."""
    path = write(
        tmp_path, scenario("it", errors=NEVER_HEALED, expect="- {at: 1m, changes: 1}"), runbook="kind: Runbook"
    )

    with pytest.raises(InvalidRunbook):
        run_test_file(path, load_valid_files([path], Registry()))


def test_plugin_collects_and_reports_when_pytest_runs(pytester: pytest.Pytester) -> None:
    """Test files are collected by pytest, and a failure shows the timeline and no traceback."""
    write(
        pytester.path,
        scenario("passes", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 1}"),
        scenario("fails", errors=HEALED_BY_SHEDDING, expect="- {at: 3m, changes: 9}"),
    )

    result = pytester.runpytest_inprocess(*PLUGIN)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*at 3m: changes: expected 9, it is 1", "*0s  alert fires: CheckoutErrors*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_plugin_reports_an_error_when_a_file_is_broken(pytester: pytest.Pytester) -> None:
    """A broken test file is an error of the session, with the place in the file."""
    pytester.path.joinpath("bad.test.yaml").write_text(
        textwrap.dedent(
            """\
            apiVersion: runbook-engine/v1
            kind: RunbookTest
            runbooks: [none.yaml]
            test: []
            """
        )
    )

    result = pytester.runpytest_inprocess(*PLUGIN)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.test.yaml:4:1: error: *"])
