"""The generated reference: it is the newest one, and what it shows as an example is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runbook_engine.entrypoints.reference import main, reference
from runbook_engine.ports import ActionSpec
from runbook_engine.registry import Registry

pytestmark = pytest.mark.slow

PAGE = Path("docs/actions.md")
ACTIONS = Registry().actions


@pytest.fixture(scope="module")
def page() -> str:
    """The page as it is generated now."""
    return reference()


def test_committed_page_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody who changes an action writes it anew: `make docs-generated`."""
    main()

    assert PAGE.read_text() == capsys.readouterr().out


@pytest.mark.parametrize("spec", ACTIONS.values(), ids=ACTIONS)
def test_example_of_every_action_is_valid(page: str, spec: ActionSpec) -> None:
    """It is what an author copies."""
    section = page.partition(f"\n### {spec.name}\n")[2].partition("\n### ")[0]
    [step] = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])

    assert spec.name == step["action"]
    assert dict(spec.example) == step.get("with", {})
    spec.params.model_validate(step.get("with", {}))


def test_every_parameter_has_its_meaning(page: str) -> None:
    """With what it may be, its default, and whether it must be there."""
    assert "| `downTo` | whole number, 1 or more | `1` | Never shrink below this. |\n" in page
    assert '| `value` | text | required | The value to set, as text: quote it, as in "true". |\n' in page
    assert '| `by` | share, as in `50%` or whole number |  | How many more or fewer: 50%, "-25%", 2 or -1. |\n' in page
    assert "| `gracePeriod` | duration, as in `10m` |  |" in page
    assert "| `previous` | `true` or `false` | `false` |" in page
    assert "| `budget.per` | `target`, `service`, `zone`, `fleet` | required | What is counted together. |\n" in page
    for spec in ACTIONS.values():
        for name in spec.params.model_json_schema(by_alias=True).get("properties", {}):
            assert f"\n| `{name}` | " in page
