"""A pytest plugin: every `*.test.yaml` is a test file, every test in it a test.

The engine is imported when such a file is collected, and not when pytest starts: other people's sessions stay fast,
and coverage counts what our own sessions import.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from runbook_engine.documents.runbook_test import ScenarioDocument
    from runbook_engine.loading.files import LoadedTest
    from runbook_engine.model.bundle import Bundle
    from runbook_engine.registry import Registry
    from runbook_engine.testing.runner import TestResult

SUFFIX = ".test.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Collect a RunbookTest file."""
    if not file_path.name.endswith(SUFFIX):
        return None
    return RunbookTestFile.from_parent(parent, path=file_path)


class ScenarioFailed(Exception):
    """A test of a runbook failed; carries its result."""

    def __init__(self, result: TestResult) -> None:
        self.result = result
        super().__init__(result.reason)


class RunbookTestFile(pytest.File):
    """One file of tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Return its tests. Errors of the file and of the runbooks that it names are collection errors."""
        from runbook_engine.errors import InvalidRunbook
        from runbook_engine.loading.files import load_valid_files
        from runbook_engine.registry import Registry
        from runbook_engine.testing.runner import load_subject

        registry = Registry()
        try:
            loaded = load_valid_files([self.path], registry)
            subjects = [(test, load_subject(test, registry)) for test in loaded.tests]
        except InvalidRunbook as error:
            raise self.CollectError(str(error)) from error
        for test, bundle in subjects:
            for scenario in test.document.tests:
                yield ScenarioItem.from_parent(
                    self, name=scenario.name, scenario=scenario, test=test, bundle=bundle, registry=registry
                )


class ScenarioItem(pytest.Item):
    """One test of a runbook."""

    def __init__(
        self,
        *,
        scenario: ScenarioDocument,
        test: LoadedTest,
        bundle: Bundle,
        registry: Registry,
        **kwargs: Any,  # whatever pytest hands to its items
    ) -> None:
        super().__init__(**kwargs)
        self._scenario = scenario
        self._test = test
        self._bundle = bundle
        self._registry = registry

    def runtest(self) -> None:
        """Run it. Raises ScenarioFailed."""
        from runbook_engine.testing.runner import run_scenario

        result = run_scenario(self._scenario, self._test, self._bundle, self._registry)
        if not result.ok:
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """Show the timeline with the failed expectation in it, and no traceback of ours."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value.result)
        return super().repr_failure(excinfo, *args)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where the test stands."""
        return self.path, None, self.name
