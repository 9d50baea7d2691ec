"""The sandbox's function answers or raises, and nothing in between."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[1] / "lambda_handler.py"


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as Lambda loads it: by its file, with nothing beside it."""
    for name in ("FAIL_MODE", "REVISION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("sandbox_lambda_handler", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "fail_mode",
    [
        pytest.param(None, id="not set"),
        pytest.param("false", id="false"),
        pytest.param("False", id="as Python writes it"),
    ],
)
def test_answers_healthy_when_it_need_not_fail(
    function: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_mode: str | None
) -> None:
    """A healthy answer says which version and commit gave it, the same each time."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "runbook-sandbox")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    monkeypatch.setenv("REVISION", "0123abc")
    if fail_mode is not None:
        monkeypatch.setenv("FAIL_MODE", fail_mode)

    answers = [function.lambda_handler({}, None) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["statusCode"] == 200
    assert answers[0]["headers"]["content-type"] == "application/json"
    assert json.loads(answers[0]["body"]) == {
        "status": "healthy",
        "function": "runbook-sandbox",
        "version": "7",
        "revision": "0123abc",
    }


@pytest.mark.parametrize(
    "fail_mode", [pytest.param("true", id="true"), pytest.param(" TRUE ", id="loud, with spaces around")]
)
def test_raises_when_fail_mode_is_true(function: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_mode: str) -> None:
    """Every call fails, with a sentence that names the cause."""
    monkeypatch.setenv("FAIL_MODE", fail_mode)

    for _ in range(3):
        with pytest.raises(function.FailModeError) as raised:
            function.lambda_handler({}, None)
        assert str(raised.value) == "FAIL_MODE is true: this function fails on purpose (set it to false to heal it)"


def test_refuses_what_is_neither_true_nor_false(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting is not guessed at."""
    monkeypatch.setenv("FAIL_MODE", "yes")

    with pytest.raises(ValueError, match="it must be true or false") as raised:
        function.lambda_handler({}, None)

    assert str(raised.value) == "FAIL_MODE is 'yes': it must be true or false"


def test_heals_as_soon_as_the_setting_changes(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is read at each call: nothing of a failure stays behind."""
    monkeypatch.setenv("FAIL_MODE", "true")
    with pytest.raises(function.FailModeError):
        function.lambda_handler({}, None)
    monkeypatch.setenv("FAIL_MODE", "false")

    assert function.lambda_handler({}, None)["statusCode"] == 200


def test_needs_nothing_but_the_standard_library() -> None:
    """The zip is this one file, and none of what it imports is random or keeps time."""
    tree = ast.parse(SOURCE.read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }

    assert imported <= sys.stdlib_module_names
    assert imported.isdisjoint({"random", "secrets", "time", "uuid"})
