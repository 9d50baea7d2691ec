"""The table in docs/security.md names exactly the attacks that are tried here, and none got through."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tried() -> list[tuple[str, str]]:
    """Return kind and door of every siege that a test lays."""
    found = []
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Siege":
                kind, door = (ast.literal_eval(argument) for argument in node.args)
                found.append((kind, door))
    return sorted(found)


def told() -> list[list[str]]:
    """Return the rows of the table."""
    section = (ROOT / "docs" / "security.md").read_text().partition("## Attacks tried")[2].partition("\n## ")[0]
    lines = [
        line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| attack"))
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_names_what_is_tried_and_that_nothing_got_through() -> None:
    """Row by row; a test that is added without its row fails here."""
    rows = told()

    assert tried() == sorted((kind, door) for kind, door, *_ in rows)
    assert {"0"} == {through for _, _, _, through, _ in rows}
    assert all(int(tries.replace(",", "")) > 0 for _, _, tries, _, _ in rows)
