"""The contract that scripts depend on: the keys of every JSON answer, exit codes, and which stream says what."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.cli.failure import Refused, UsageError, exit_code_of
from runbook_engine.entrypoints.cli.program import COMMANDS
from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.errors import (
    ActionFailed,
    Busy,
    Conflict,
    EffectUnknown,
    Forbidden,
    GuardrailBlocked,
    InvalidAlert,
    InvalidRunbook,
    InvalidTarget,
    NoAdapter,
    Overloaded,
    Permanent,
    Retryable,
    RunbookError,
    Spoiled,
    StalePlan,
    StaleVersion,
    TemplateError,
    TooMuch,
    Unauthenticated,
    Unhelpful,
    UnknownAction,
    UnknownExecution,
    UnknownIncident,
    UnknownRunbook,
    UnknownSource,
    Unreadable,
)
from runbook_engine.loading.bundle import InvalidBundle
from tests.unit.cli.desks import Sitting

GOOD = Path("tests/data/good")


def _every(error: type[RunbookError]) -> set[type[RunbookError]]:
    return {error}.union(*(_every(child) for child in error.__subclasses__()))


CODES: dict[type[RunbookError], int] = {
    RunbookError: 1,
    ActionFailed: 1,
    Conflict: 1,
    Forbidden: 1,
    GuardrailBlocked: 1,
    Permanent: 1,
    Unhelpful: 1,
    Refused: 1,
    StalePlan: 1,
    Unauthenticated: 1,
    InvalidAlert: 2,
    InvalidBundle: 2,
    InvalidRunbook: 2,
    InvalidSettings: 2,
    InvalidTarget: 2,
    TemplateError: 2,
    UnknownAction: 2,
    UnknownExecution: 2,
    UnknownIncident: 2,
    UnknownRunbook: 2,
    UnknownSource: 2,
    UsageError: 2,
    EffectUnknown: 3,
    NoAdapter: 3,
    Overloaded: 3,
    Busy: 3,
    Retryable: 3,
    StaleVersion: 3,
    TooMuch: 3,
    Spoiled: 3,
    Unreadable: 3,
}


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda value: getattr(value, "__name__", str(value)))
def test_the_exit_code_of_every_error(error: type[RunbookError], code: int) -> None:
    """1 is a no, 2 wrong input, 3 a dependency that is down."""
    made: RunbookError = {
        InvalidAlert: lambda: InvalidAlert("schema", "x"),
        InvalidRunbook: lambda: InvalidRunbook([]),
        GuardrailBlocked: lambda: GuardrailBlocked([]),
        Spoiled: lambda: Spoiled("x", "x"),
    }.get(error, lambda: error("x"))()

    assert code == exit_code_of(made)


def test_no_error_of_the_library_is_without_an_exit_code() -> None:
    """A new error is a decision, not an accident."""
    ours = {error for error in _every(RunbookError) if error.__module__.startswith("runbook_engine.errors")}

    assert ours <= set(CODES)


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody at a desk; the flag heals."""
    made = Sitting(tmp_path)
    made.rig.healed_by_flag()
    return made


def _keys(value: Any) -> set[str]:
    return set(value)


def test_plan_answers_with_the_keys_of_the_table(sitting: Sitting) -> None:
    """plans[{plan_hash,runbook,target,steps[{name,action,change,verdicts,skipped}],blocked}]"""
    result = sitting.run("plan", "--alert", str(sitting.alert_file), "--format", "json")

    assert (0, "") == (result.code, result.err)
    assert {"plans"} == _keys(result.record)
    (plan,) = result.record["plans"]
    assert {"plan_hash", "runbook", "target", "steps", "blocked"} <= _keys(plan)
    assert {"name", "action", "change", "verdicts", "skipped"} <= _keys(plan["steps"][0])
    assert {"guardrail", "ok", "says"} <= _keys(plan["steps"][0]["verdicts"][0])


def test_run_answers_with_the_keys_of_the_table(sitting: Sitting) -> None:
    """executions[{id,runbook,target,status,compensation,steps[...],incident}]"""
    plan = sitting.run("plan", "--alert", str(sitting.alert_file), "--format", "json").record["plans"][0]["plan_hash"]

    result = sitting.run("run", "--alert", str(sitting.alert_file), "--plan", plan, "--format", "json")

    assert (0, "") == (result.code, result.err)
    (execution,) = result.record["executions"]
    assert {"id", "runbook", "target", "status", "compensation", "steps", "incident"} <= _keys(execution)
    assert ("succeeded", "held") == (execution["status"], execution["compensation"])
    assert "true" == sitting.rig.flag()


def test_alerts_answers_with_the_keys_of_the_table(tmp_path: Path, sitting: Sitting) -> None:
    """accepted[{name,status,kind,severity,labels,starts_at,ends_at,alert_key,warnings}], rejected[{index,reason}]"""
    body = {"alerts": [{"status": "firing", "labels": {"alertname": "A"}}, {"status": "firing", "labels": {}}]}
    (tmp_path / "body.json").write_text(json.dumps(body))

    result = sitting.run("alerts", "--alert", str(tmp_path / "body.json"), "--format", "json")

    assert 0 == result.code
    assert {"accepted", "rejected"} <= _keys(result.record)
    wanted = {"name", "status", "kind", "severity", "labels", "starts_at", "ends_at", "alert_key", "warnings"}
    assert wanted == _keys(result.record["accepted"][0])
    assert {"index", "reason"} == _keys(result.record["rejected"][0])


def test_explain_answers_with_the_keys_of_the_table(sitting: Sitting) -> None:
    """alerts[{alert_key,runbooks[{runbook,matched,clauses[{matcher,ok,actual,file,line}]}]}]"""
    argv = ("explain", "--alert", str(sitting.alert_file), "--runbooks", str(GOOD), "--format", "json")

    result = sitting.run(*argv)

    assert 0 == result.code
    (alert,) = result.record["alerts"]
    assert {"alert_key", "runbooks"} == _keys(alert)
    assert {"runbook", "matched", "clauses"} == _keys(alert["runbooks"][0])
    assert {"matcher", "ok", "actual", "file", "line"} == _keys(alert["runbooks"][0]["clauses"][0])


def test_lint_answers_with_the_keys_of_the_table(sitting: Sitting, tmp_path: Path) -> None:
    """files, errors[{file,line,column,code,message,hint}], warnings[...]; nothing on standard error."""
    (tmp_path / "bad.yaml").write_text("kind: Runbok\napiVersion: runbook-engine/v1\n")

    result = sitting.run("lint", str(tmp_path / "bad.yaml"), "--format", "json")

    assert (2, "") == (result.code, result.err)
    assert {"files", "errors", "warnings"} == _keys(result.record)
    assert {"file", "line", "column", "code", "message", "hint"} == _keys(result.record["errors"][0])


@pytest.mark.parametrize("argv", [("incidents",), ("executions",), ()], ids=["incidents", "executions", "bare"])
def test_every_list_is_one_object(sitting: Sitting, argv: tuple[str, ...]) -> None:
    """JSON is one object on standard output, even when there is nothing to say."""
    result = sitting.run(*argv, "--format", "json")

    assert (0, "") == (result.code, result.err)
    assert isinstance(result.record, dict)


def test_one_of_them_has_its_timeline(sitting: Sitting) -> None:
    """incidents ID and executions ID show everything that happened."""
    sitting.rig.fire()
    sitting.rig.run(timedelta(minutes=1))
    execution = sitting.rig.execution()

    incident = sitting.run("incidents", execution.incident_id[:6], "--format", "json").record["incident"]
    shown = sitting.run("executions", execution.id[:6], "--format", "json").record["execution"]

    assert execution.incident_id == incident["id"]
    assert [shown] == incident["executions"]
    assert shown["timeline"][-1]["says"] == sitting.rig.says()[-1]


LATER = ("render",)


@pytest.mark.parametrize("name", LATER)
def test_a_command_that_is_not_there_yet_is_a_usage_error(sitting: Sitting, name: str) -> None:
    """It names what there is."""
    result = sitting.run(name)

    assert (2, "") == (result.code, result.out)
    assert result.err.startswith(f"runbook: unknown command '{name}': ")
    assert "did you mean" in result.err or all(known in result.err for known in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(sitting: Sitting, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And help is no error."""
    result = sitting.run(name, "--help")

    assert 0 == result.code
    assert f"usage: runbook {name}" in capsys.readouterr().out


def test_help_lists_every_command(sitting: Sitting) -> None:
    """With what it does."""
    result = sitting.run("--help")

    assert 0 == result.code
    assert all(f"  {name} " in result.out for name in COMMANDS)
