"""Dashboards are what Grafana's own types say: those of the dashboard, and those of each kind of panel in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.boards import FILES, load, panels
from tests.tools import FETCHED, find_tool

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboards")]

PACKAGES = ("@grafana/schema@13.2.3", "typescript@7.0.2")
COMPILE = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext")
KINDS = {  # type of a panel -> where its options and its own field settings are declared
    "bargauge": "bargauge/panelcfg/x/BarGaugePanelCfg",
    "heatmap": "heatmap/panelcfg/x/HeatmapPanelCfg",
    "stat": "stat/panelcfg/x/StatPanelCfg",
    "state-timeline": "statetimeline/panelcfg/x/StateTimelinePanelCfg",
    "table": "table/panelcfg/x/TablePanelCfg",
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg",
}
WITHOUT_FIELDS = {"bargauge", "stat"}  # these have no field settings of their own
TYPES = """
import type * as grafana from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
// JSON has no enums: each stands as its values.
type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Fields<Custom> = Omit<grafana.FieldConfigSource, 'defaults'>
  & { defaults: Omit<grafana.FieldConfig, 'custom'> & { custom?: Custom } };
type Query = { refId: string; datasource: grafana.DataSourceRef; editorMode: 'code'; expr: string; legendFormat: string;
  format: 'time_series' | 'table' | 'heatmap'; instant: boolean; range: boolean };
type Of<Kind extends string, Options, Custom> = Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>
  & { type: Kind; options: Options; fieldConfig: Fields<Custom>; targets: Query[] };
// What the Prometheus data source keeps in an annotation, beyond what all have.
type Annotation = grafana.AnnotationQuery & { expr: string; step: string; titleFormat: string; textFormat: string;
  tagKeys: string; useValueForTime: boolean };
type Variable = grafana.VariableModel & { definition?: string };
type Board = Omit<grafana.Dashboard, 'panels' | 'annotations' | 'templating'>
  & { panels: (Kind | grafana.RowPanel)[]; annotations: { list: Annotation[] }; templating: { list: Variable[] } };
export type Dashboard = Plain<Board>;
"""


@pytest.fixture(scope="module")
def compiler() -> Path:
    """The folder with the pinned compiler and Grafana's types, fetched when it is not there."""
    folder = FETCHED / "grafana-types"
    wanted = " ".join(PACKAGES)
    kept = folder / "packages"
    if kept.is_file() and kept.read_text() == wanted:
        return folder
    npm = find_tool("npm")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix", str(folder)]
    done = subprocess.run([npm, "install", *options, *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = f"npm cannot fetch {wanted}: {done.stderr[-400:]}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    kept.write_text(wanted)
    return folder


def compiled(compiler: Path, folder: Path, boards: dict[str, dict[str, Any]]) -> str:
    """Return what the compiler has against these dashboards; empty = nothing."""
    shutil.copytree(compiler / "node_modules", folder / "node_modules", symlinks=True, copy_function=os.link)
    imports = "".join(
        f"import type * as kind_{number} from '@grafana/schema/dist/esm/raw/composable/{path}_types.gen';\n"
        for number, path in enumerate(KINDS.values())
    )
    kinds = " | ".join(
        f"Of<'{kind}', kind_{number}.Options, {'never' if kind in WITHOUT_FIELDS else f'kind_{number}.FieldConfig'}>"
        for number, kind in enumerate(KINDS)
    )
    (folder / "types.ts").write_text(f"{imports}{TYPES}type Kind = {kinds};\n")
    for name, board in boards.items():
        text = json.dumps(board, indent=1)
        (folder / f"{name}.ts").write_text(
            f"import type {{ Dashboard }} from './types.js';\nexport const board: Dashboard = {text};\n"
        )
    files = [str(folder / f"{name}.ts") for name in boards]
    program = folder / "node_modules" / ".bin" / "tsc"
    return subprocess.run([program, *COMPILE, *files], cwd=folder, capture_output=True, text=True, check=False).stdout


def broken() -> dict[str, dict[str, Any]]:
    """Return dashboards with one mistake each."""
    found = {name: load(FILES[-1]) for name in ("title", "line", "query", "unknown", "enum")}
    series = {
        name: next(each for each in panels(board) if each["type"] == "timeseries") for name, board in found.items()
    }
    found["title"]["title"] = 5
    series["line"]["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thick"
    del series["query"]["targets"][0]["expr"]
    series["unknown"]["descripton"] = "misspelt"
    series["enum"]["options"]["tooltip"]["mode"] = "loud"
    return found


def test_dashboards_have_the_types_of_grafana(compiler: Path, tmp_path: Path) -> None:
    """The shipped ones have nothing wrong, and each of the usual mistakes is found: one run of the compiler for all."""
    shipped = {file.stem: load(file) for file in FILES}

    said = compiled(compiler, tmp_path, shipped | broken())

    complaints = [line for line in said.splitlines() if ": error " in line]
    assert {line.split("(")[0] for line in complaints} == {f"{name}.ts" for name in broken()}, said
