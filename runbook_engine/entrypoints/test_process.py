"""The process that runs the RunbookTests beside the runner's runbooks, once, behind everything else that runs here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runbook_engine.entrypoints.launch import read_launch
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.tests_state import NAME, Tested, TestsState, write_state
from runbook_engine.errors import InvalidRunbook, RunbookError
from runbook_engine.loading.files import load_files
from runbook_engine.registry import Registry
from runbook_engine.testing.runner import load_subject, run_scenario

NICENESS = 10


def main(arguments: list[str]) -> None:
    """Run them, and keep what became of them."""
    os.nice(NICENESS)
    launch = read_launch(arguments[0])
    keep(launch.folder, run_tests(Path(launch.runbooks)), EventLog(process="tests", pid=os.getpid()))


def keep(folder: Path, state: TestsState, log: EventLog) -> None:
    """Keep what became of the tests for the page; where that cannot be, the log says so and the page knows nothing."""
    try:
        write_state(folder, state)
    except OSError as error:
        says = f"{folder / NAME} cannot be written: {error.strerror} (start the runner again when it can)"
        log.event("tests.not_kept", "warning", says=says)


def run_tests(folder: Path) -> TestsState:
    """Return what became of the tests in a folder."""
    registry, tested = Registry(), dict[str, Tested]()
    try:
        loaded = load_files([folder], registry)
        if loaded.errors:
            raise InvalidRunbook(loaded.errors)
        for test in loaded.tests:
            subject = load_subject(test, registry)
            results = [run_scenario(each, test, subject, registry) for each in test.document.tests]
            passed = sum(result.ok for result in results)
            failed = tuple(result.name for result in results if not result.ok)
            for runbook in subject.runbooks:
                known = tested.get(runbook.digest, Tested())
                tested[runbook.digest] = Tested(passed=known.passed + passed, failed=known.failed + failed)
    except InvalidRunbook as error:
        first = error.diagnostics[0]
        return TestsState(problem=f"{first.file}:{first.line}: {first.message}")
    except (RunbookError, OSError) as error:
        return TestsState(problem=str(error))
    return TestsState(tested=tested)


if __name__ == "__main__":
    main(sys.argv[1:])
