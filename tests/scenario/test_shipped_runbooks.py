"""The shipped runbooks: clean, tested, and harmless until an installation says otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runbook_engine.guardrails import effective_mode
from runbook_engine.loading.compile import digest_of
from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.runbook import MODES, Runbook
from runbook_engine.registry import Registry
from runbook_engine.testing.runner import run_test_file

pytestmark = pytest.mark.slow

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
TEST_FILES = tuple(sorted(RUNBOOKS.rglob("*.test.yaml")))


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What is installed."""
    return Registry()


@pytest.fixture(scope="module")
def loaded(registry: Registry) -> Loaded:
    """Everything that is shipped, read once."""
    return load_files([RUNBOOKS], registry, RUNBOOKS / "engine.yaml")


def test_shipped_runbooks_lint_clean_when_warnings_count(loaded: Loaded) -> None:
    """No finding at all: not in a runbook, not in a test, not in engine.yaml."""
    assert loaded.diagnostics == ()
    assert loaded.bundle.runbooks


def test_shipped_runbook_is_named_as_its_file(loaded: Loaded) -> None:
    """After the service that it is about, where it is about one."""
    for runbook in loaded.bundle.runbooks:
        file = Path(runbook.file)
        folder = "" if file.parent.name in ("kubernetes", "aws") else f"{file.parent.name}-"

        assert runbook.name == f"{folder}{file.stem}"


def test_shipped_runbook_has_the_digest_of_what_a_journal_gives_back(loaded: Loaded) -> None:
    """By this a replay knows that the runbook which is kept is the one that ran."""
    for runbook in loaded.bundle.runbooks:
        kept = from_msgpack(msgspec.msgpack.encode(runbook), Runbook)

        assert runbook.digest == digest_of(kept), runbook.name


def test_shipped_runbook_has_its_tests_beside_it(loaded: Loaded) -> None:
    """Each runbook's file has a test file of its own name, which names it."""
    for runbook in loaded.bundle.runbooks:
        beside = Path(runbook.file).with_suffix("").with_suffix(".test.yaml")
        named = [name for test in loaded.tests if Path(test.file) == beside for name in test.document.runbooks]

        assert Path(runbook.file).name in named


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in TEST_FILES])
def test_shipped_runbook_passes_its_tests(file: Path, loaded: Loaded, registry: Registry) -> None:
    """Every test of a shipped runbook holds."""
    results = run_test_file(file, loaded, registry)

    assert len(results) >= 5
    assert [str(result) for result in results if not result.ok] == []


def test_nothing_acts_by_itself_under_the_bundled_configuration(loaded: Loaded) -> None:
    """Whatever the runbooks say: the installation's ceiling, which nobody has raised, keeps them at propose."""
    configuration = loaded.bundle.configuration

    modes = {effective_mode(each, configuration, lambda rule: True) for each in loaded.bundle.runbooks}

    assert "auto" in {each.mode[0].mode for each in loaded.bundle.runbooks}
    assert modes == {"propose"}
    assert MODES.index("propose") < MODES.index("auto")


def test_every_irreversible_change_asks_a_person(loaded: Loaded, registry: Registry) -> None:
    """What no machine can undo is done by nobody alone, except where nothing is left to undo.

    A rolling restart is over when it is over, what is drained runs elsewhere, and an alias can be moved back.
    """
    alone = {
        (runbook.name, step.action)
        for runbook in loaded.bundle.runbooks
        for step in runbook.steps
        if not registry.action(step.action).reversible and step.approval is None
        if not registry.action(step.action).message_only
    }

    assert alone <= {
        ("checkout-crash-looping", "restart"),
        ("forty-pods-crash", "restart"),
        ("forty-pods-crash", "restart"),
        ("node-disk-pressure", "drain"),
        ("node-not-ready", "drain"),
        ("sandbox-lambda-errors", "rollback"),
    }


def test_every_target_of_the_shipped_runbooks_is_on_the_allow_list(loaded: Loaded) -> None:
    """The bundled configuration names what the runbooks touch, and nothing else."""
    assert loaded.bundle.configuration.targets == ("deployment=apps/checkout", "parameter=/checkout/*")
