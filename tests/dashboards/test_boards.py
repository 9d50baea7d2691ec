"""Dashboards as people find them: nothing overlaps, every panel says what it shows, every variable and link exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.boards import FILES, GRAFANA, REFERENCE, ROOT, RULES, load, panels, variables

BOARDS = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
CORE = {"timeseries", "stat", "table", "heatmap", "bargauge", "state-timeline"}  # part of Grafana itself
NAMED = re.compile(r"(?:(?:super-light|light|semi-dark|dark)-)?(?:red|orange|yellow|green|blue|purple)|transparent")
WIDTH = 24


def cells(panel: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield every cell of the grid that a panel covers."""
    place = panel["gridPos"]
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


def found(value: Any, key: str) -> Iterator[Any]:
    """Yield everything that stands under a key, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, key)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-") for heading in headings}


def test_there_are_three_with_stable_names() -> None:
    """Links and bookmarks stand on the uid; Grafana takes 40 characters of it at most."""
    uids = {file.stem: load(file)["uid"] for file in FILES}

    assert uids == {
        "engine-health": "runbook-engine-health",
        "incidents": "runbook-incidents",
        "service-overview": "runbook-service-overview",
    }


@BOARDS
def test_a_file_is_written_as_grafana_exports_it(file: Path) -> None:
    """Two spaces and a newline at the end, so that a difference is one of content; and no id of some server in it."""
    board = load(file)

    assert file.read_text() == json.dumps(board, indent=2, ensure_ascii=False) + "\n"
    assert "id" not in board
    assert (board["schemaVersion"], board["refresh"]) == (42, "30s")


@BOARDS
def test_panels_do_not_overlap_and_leave_no_gap(file: Path) -> None:
    """Each lies within the grid, on cells of its own; every id is there once."""
    board = load(file)
    covered = [cell for panel in board["panels"] for cell in cells(panel)]
    ids = [panel["id"] for panel in board["panels"]]

    assert len(covered) == len(set(covered))
    assert all(x < WIDTH for x, _ in covered)
    assert len(covered) == WIDTH * (1 + max(y for _, y in covered))
    assert len(ids) == len(set(ids))


@BOARDS
def test_every_panel_says_what_it_shows(file: Path) -> None:
    """A title that is there once, a sentence, a unit, and a legend that is no raw label set where there are several."""
    board = load(file)
    rows: list[str] = []
    titles: list[str] = []
    for panel in board["panels"]:
        if panel["type"] == "row":
            rows.append(panel["title"])
            titles = []
            continue
        assert panel["title"] not in titles, panel["title"]
        titles.append(panel["title"])
        assert re.fullmatch(r"[A-Z0-9].{30,}\.", panel["description"]), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        several = panel["type"] in ("timeseries", "state-timeline")
        assert not several or all(target["legendFormat"] != "__auto" for target in panel["targets"]), panel["title"]
    assert all(":" in row for row in rows), "a row asks a question"


@BOARDS
def test_nothing_needs_a_plugin_or_one_certain_data_source(file: Path) -> None:
    """Panels are Grafana's own, and each asks the data source that is chosen above."""
    board = load(file)
    sources = [*found(board["panels"], "datasource"), *found(board["annotations"], "datasource")]
    sources += [each["datasource"] for each in variables(board).values() if "datasource" in each]

    assert {panel["type"] for panel in panels(board)} <= CORE
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert all(
        "datasource" in panel and all("datasource" in each for each in panel["targets"]) for panel in panels(board)
    )


@BOARDS
def test_colours_have_names_so_that_both_themes_can_show_them(file: Path) -> None:
    """Grafana has a shade of each named colour for light and for dark; a number would be the same in both."""
    board = load(file)
    colours = [each for each in found(board, "color") if isinstance(each, str)] + list(found(board, "fixedColor"))
    colours += list(found(board, "iconColor"))

    assert colours
    assert [each for each in colours if not NAMED.fullmatch(each)] == []


@BOARDS
def test_every_variable_that_is_used_exists_and_the_other_way_round(file: Path) -> None:
    """Namespace, service, data source and address of the docs are chosen in one place."""
    board = load(file)
    text = json.dumps({key: value for key, value in board.items() if key != "templating"})
    queried = json.dumps([each["query"] for each in variables(board).values()])
    used = {first or second for first, second in REFERENCE.findall(text + queried)} - GRAFANA.keys()

    assert {"datasource", "namespace", "service", "docs"} == used
    assert used == set(variables(board))


@BOARDS
def test_links_lead_to_pages_that_exist(file: Path) -> None:
    """The pages and their headings are in docs; their address is that of the alerts' runbook_url."""
    board = load(file)
    urls = [url for url in found(board, "url") if url]
    alerts = [url for rules in RULES for url in found(yaml.safe_load(rules.read_text()), "runbook_url")]

    assert urls
    for url in urls:
        page, _, anchor = url.removeprefix("${docs}/").partition("#")
        assert (ROOT / "docs" / page).is_file(), url
        assert not anchor or anchor in anchors(ROOT / "docs" / page), url
    assert all(url.startswith(f"{variables(board)['docs']['query']}/") for url in alerts)


def test_the_lines_of_burn_rates_are_those_that_alerts_stand_on() -> None:
    """A dashed line that no alert knows, or an alert without its line, would mislead at three in the morning."""
    board = load(next(file for file in FILES if file.stem == "service-overview"))
    (panel,) = (panel for panel in panels(board) if panel["title"] == "Burn rate by window")
    lines = {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]} - {None}
    rules = yaml.safe_load(RULES[0].read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    factors = {float(one) for expr in expressions for one in re.findall(r"ratio_rate\w+ > ([\d.]+) \* 0\.001", expr)}
    windows = {one for expr in expressions for one in re.findall(r"ratio_rate(\w+) > ", expr)}

    assert factors == lines
    assert windows == {target["legendFormat"] for target in panel["targets"]}
