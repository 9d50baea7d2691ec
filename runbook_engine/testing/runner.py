"""The runner of RunbookTest files: one whole run of the real engine for each test, in simulated time.

Time moves from one thing that happens to the next: what the test has written down, or what the engine waits for.
At each instant the test acts, the engine is driven until it rests, and then expectations are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runbook_engine.documents.runbook_test import RunbookTestDocument, ScenarioDocument
from runbook_engine.errors import RunbookError
from runbook_engine.loading.files import Loaded, LoadedTest, load_valid_files
from runbook_engine.model.bundle import Bundle
from runbook_engine.registry import Registry
from runbook_engine.testing.missed import Miss
from runbook_engine.testing.play import Play
from runbook_engine.testing.rigging import rig
from runbook_engine.testing.stage import open_configuration, set_stage, sources_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What became of one test; `timeline` is what happened in it, a line for each thing."""

    __test__ = False  # pytest collects what is named Test...

    file: str
    name: str
    ok: bool
    reason: str = ""
    timeline: tuple[str, ...] = ()
    took: timedelta = timedelta(0)  # in simulated time

    def __str__(self) -> str:
        """Return the result as people read it: a failing expectation stands in the timeline, where it failed."""
        head = f"{'ok' if self.ok else 'FAILED'}  {self.file}: {self.name}"
        return head if self.ok else "\n".join([head, f"  {self.reason}", *(f"  {line}" for line in self.timeline)])


def run_test_file(
    path: str | Path, loaded: Loaded, registry: Registry | None = None, *, named: str = ""
) -> tuple[TestResult, ...]:
    """Run the tests that were loaded from a file, or those `named` so in part, in any case.

    Raises InvalidRunbook when a runbook that it names has errors.
    """
    registry = registry or Registry()
    wanted = Path(path).resolve()
    tests = [test for test in loaded.tests if Path(test.file).resolve() == wanted]
    return tuple(result for test in tests for result in run_loaded_test(test, registry, named=named))


def run_loaded_test(test: LoadedTest, registry: Registry, *, named: str = "") -> tuple[TestResult, ...]:
    """Run the tests of one document, or those named so. Raises InvalidRunbook when its runbooks have errors."""
    chosen = [each for each in test.document.tests if named.casefold() in each.name.casefold()]
    if not chosen:
        return ()
    bundle = load_subject(test, registry)
    return tuple(run_scenario(scenario, test, bundle, registry) for scenario in chosen)


def load_subject(test: LoadedTest, registry: Registry) -> Bundle:
    """Return the runbooks that a test is about, and its configuration. Raises InvalidRunbook."""
    document: RunbookTestDocument = test.document
    folder = Path(test.file).parent
    config = None if document.config is None else folder / document.config
    return load_valid_files([folder / name for name in document.runbooks], registry, config).bundle


def run_scenario(scenario: ScenarioDocument, test: LoadedTest, bundle: Bundle, registry: Registry) -> TestResult:
    """Run one test to its last expectation, or to the first that fails."""
    try:
        play = make_play(scenario, test, bundle, registry)
    except (RunbookError, ValueError) as error:
        return TestResult(file=test.file, name=scenario.name, ok=False, reason=str(error))
    try:
        misses: Sequence[str] = play.run()
    except (RunbookError, ValueError) as error:
        misses = (play.say_now(Miss(str(error))),)
    reason = "; ".join(misses)
    told = play.lines()
    return TestResult(file=test.file, name=scenario.name, ok=not misses, reason=reason, timeline=told, took=play.took)


def make_play(
    scenario: ScenarioDocument, test: LoadedTest, bundle: Bundle, registry: Registry, hosted: type[Play] = Play
) -> Play:
    """Return one test, ready to be played, `hosted` by another host than this one if wanted. Raises ValueError."""
    document: RunbookTestDocument = test.document
    runbooks, rigged = rig(bundle.runbooks, scenario.failures, registry)
    configuration = bundle.configuration
    if document.config is None:
        configuration = open_configuration(runbooks, scenario.world)
    simulated = set_stage(scenario, configuration, document.interval, document.start)
    simulated.name_sources(sources_of(runbooks))
    return hosted(scenario, Bundle(runbooks, configuration), simulated, rigged)
