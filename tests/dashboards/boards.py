"""The dashboards as they are shipped: their panels, queries and variables, and queries as Grafana would send them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "helm" / "observability" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
RULES = [ROOT / "helm/checkout/rules/checkout.rules.yaml", *sorted((ROOT / "helm/observability/rules").glob("*.yaml"))]
GRAFANA = {"__rate_interval": "1m", "__range": "20m", "__interval": "15s"}  # what Grafana itself fills in
REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Query:
    """One query of one panel or annotation."""

    where: str  # file, title and letter: the name of a test case
    expr: str
    instant: bool

    def filled(self, values: Mapping[str, str]) -> str:
        """Return it with every variable replaced. Raises KeyError for one that nobody defines."""
        known = {**GRAFANA, **values}
        return REFERENCE.sub(lambda found: known[found[1] or found[2]], self.expr)


def load(file: Path) -> dict[str, Any]:
    """Return one dashboard."""
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every panel of a dashboard that is no row."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variables(board: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables of a dashboard by name."""
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def queries(file: Path) -> Iterator[Query]:
    """Yield every query of a dashboard, those of its annotations too."""
    board = load(file)
    for annotation in board["annotations"]["list"]:
        yield Query(f"{file.stem}, annotation {annotation['name']}", annotation["expr"], instant=False)
    for panel in panels(board):
        for target in panel["targets"]:
            yield Query(f"{file.stem}, {panel['title']}, {target['refId']}", target["expr"], target["instant"])


def everything(board: Mapping[str, Any]) -> dict[str, str]:
    """Return what Grafana fills in for variables that stand at All."""
    return {name: variable["allValue"] for name, variable in variables(board).items() if variable.get("allValue")}
