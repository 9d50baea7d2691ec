"""The pages together: each is in the index, each test that a page names is there, each right is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runbook_adapters.sqlite.schema import SCHEMA_VERSION
from tests.docs.pages import PAGES, ROOT, prose_of
from tests.terraform.test_pipeline import EVERYONE, GRANTED

DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)[^)\s]*\)")
TEST = re.compile(r"`(tests/[\w./-]+|terraform/[\w./-]+/tests)`")
AWS_RIGHT = re.compile(r"`([a-z0-9]+:[A-Z]\w+)`")


def linked_from(page: Path) -> set[Path]:
    """Return the files that a page leads to."""
    return {(page.parent / target).resolve() for target in LINK.findall(prose_of(page)) if "://" not in target}


def test_every_page_has_a_line_in_the_index() -> None:
    """One line each; decisions are listed by the page about the architecture."""
    index = linked_from(DOCS / "README.md")

    assert DOCS / "README.md" in linked_from(ROOT / "README.md")
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page not in index and page.name != "README.md"] == []
    assert set(DOCS.glob("adr/*.md")) <= linked_from(DOCS / "architecture.md")


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    """A promise that names its proof still has it."""
    assert [named for named in TEST.findall(prose_of(page)) if not (ROOT / named).exists()] == []


def test_every_right_of_the_pipeline_is_explained() -> None:
    """What a role may do stands in the page about security with its reason, and nothing else does."""
    page = (DOCS / "security.md").read_text()
    section = page.split("### Roles in AWS")[1].split("\n### ")[0]

    assert EVERYONE.union(*GRANTED.values()) == set(AWS_RIGHT.findall(section))


def test_every_layout_of_the_journal_is_explained() -> None:
    """Whoever upgrades finds the layout of their file."""
    page = (DOCS / "operating.md").read_text()
    section = page.split("| layout | since it")[1].split("\n\n")[0]

    assert [str(number) for number in range(1, SCHEMA_VERSION + 1)] == re.findall(
        r"^\| (\d+) \|", section, re.MULTILINE
    )
    assert f"this release reads up to {SCHEMA_VERSION}" in page
