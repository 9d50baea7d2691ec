"""Runbooks on their way into the pod: what the engine reads there is what stands in the working copy."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_engine.documents.engine_config import EngineConfigDocument
from runbook_engine.entrypoints.serve import check
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.loading.files import load_files
from runbook_engine.registry import Registry
from tests.helm.chart import CHART, ROOT, Rendered, render

SHIPPED = {
    path.relative_to(ROOT / "runbooks").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "runbooks").rglob("*.yaml"))
    if path.name != "engine.yaml"
}
INSTALLATION = yaml.safe_load((ROOT / "runbooks/engine.yaml").read_text(encoding="utf-8"))
MOUNT = "/etc/runbook"
LATENCY = "checkout/high-latency.yaml"


def config_maps(rendered: Rendered) -> Mapping[str, Mapping[str, str]]:
    """Return the ConfigMaps by name."""
    return {one["metadata"]["name"]: one.get("data") or {} for one in rendered.of("ConfigMap")}


def mount(rendered: Rendered, root: Path) -> Path:
    """Write every ConfigMap volume below a folder, with the symbolic links that a kubelet makes.

    A ConfigMap that the chart does not make is an empty folder.
    """
    sources = {one["name"]: one["configMap"]["name"] for one in rendered.pod["spec"]["volumes"] if "configMap" in one}
    contents = config_maps(rendered)
    for place in rendered.container["volumeMounts"]:
        if place["name"] in sources:
            folder = root / Path(place["mountPath"]).relative_to(MOUNT)
            kept = folder / "..2026_01_05_03_04_05.1"
            kept.mkdir(parents=True)
            (folder / "..data").symlink_to(kept.name)
            for name, content in contents.get(sources[place["name"]], {}).items():
                (kept / name).write_bytes(content.encode())
                (folder / name).symlink_to(f"..data/{name}")
    return root


def variables(rendered: Rendered) -> Mapping[str, str]:
    """Return the plain variables of the container."""
    return {one["name"]: one["value"] for one in rendered.container["env"] if "value" in one}


def test_shipped_runbooks_lint_where_the_pod_mounts_them(tmp_path: Path) -> None:
    """Every runbook and every test arrives, tests find their runbooks beside them, and nothing is wrong with them."""
    config = {key: INSTALLATION[key] for key in ("receivers", "teams", "targets")}
    rendered = render({"runbooks": SHIPPED, "config": config})
    root = mount(rendered, tmp_path)
    here = load_files([ROOT / "runbooks"], Registry(), ROOT / "runbooks/engine.yaml")

    there = load_files(
        [root / Path(variables(rendered)["RUNBOOK_RUNBOOKS"]).relative_to(MOUNT)],
        Registry(),
        root / Path(variables(rendered)["RUNBOOK_CONFIG"]).relative_to(MOUNT),
    )

    assert () == there.errors
    assert {one.name for one in here.bundle.runbooks} == {one.name for one in there.bundle.runbooks}
    assert len(here.tests) == len(there.tests) > 0


def test_engine_yaml_of_every_value_is_one_that_the_engine_takes(tmp_path: Path) -> None:
    """The default engine.yaml and a full one are read without an error."""
    for values in ("default", "persistent-irsa", "everything-admission"):
        root = mount(render(values), tmp_path / values)

        loaded = load_files([root / "runbooks"], Registry(), root / "config/engine.yaml")

        assert () == loaded.errors, values
        assert loaded.bundle.configuration.tokens


def test_nothing_may_be_changed_by_default(tmp_path: Path) -> None:
    """The default allows no target and raises no ceiling."""
    root = mount(render(), tmp_path)

    configuration = load_files([], Registry(), root / "config/engine.yaml").bundle.configuration

    assert () == configuration.targets
    assert () == configuration.mode_ceiling


def test_runner_would_start_on_what_the_pod_mounts(tmp_path: Path) -> None:
    """All that serve looks at before it starts is right: runbooks, configuration, secrets, adapters and journal."""
    config = {key: INSTALLATION[key] for key in ("receivers", "teams", "targets")}
    token = {"roles": ["ingest"], "secrets": [{"env": "INGEST_TOKEN"}]}
    rendered = render(
        {"runbooks": SHIPPED, "config": {**config, "adapters": {"cluster": None}, "tokens": {"alertmanager": token}}}
    )
    root, state = mount(rendered, tmp_path / "etc"), tmp_path / "state"
    arguments = rendered.container["args"]
    environment = {name: value.replace(MOUNT, str(root)) for name, value in variables(rendered).items()}
    settings = read_settings(
        environment={**environment, "RUNBOOK_STATE": str(state), "INGEST_TOKEN": "0123456789abcdef"}
    )

    bundle = check(settings, arguments[arguments.index("--host") + 1])

    assert bundle.runbooks
    assert (state / "journal.sqlite3").is_file()


@pytest.mark.parametrize(
    ("files", "mounted"),
    [
        pytest.param({}, {"_top": {}}, id="none"),
        pytest.param({"a.yaml": "a: 1\n"}, {"_top": {"a.yaml": "a: 1\n"}}, id="without a folder"),
        pytest.param(
            {"disk/a.yaml": "a: 1\n", "disk/b.yml": "b: 2\n", "c.yaml": "c: 3\n"},
            {"disk": {"a.yaml": "a: 1\n", "b.yml": "b: 2\n"}, "_top": {"c.yaml": "c: 3\n"}},
            id="in a folder and without",
        ),
        pytest.param(
            {"shop/checkout/a.yaml": "a: 1\n", "shop/a.yaml": "a: 2\n"},
            {"shop.checkout": {"a.yaml": "a: 1\n"}, "shop": {"a.yaml": "a: 2\n"}},
            id="one folder in another",
        ),
    ],
)
def test_folder_becomes_a_config_map_of_its_own(
    files: Mapping[str, str], mounted: Mapping[str, Mapping[str, str]]
) -> None:
    """A ConfigMap's key has no slash, and files of one folder stay together."""
    rendered = render({"runbooks": dict(files)})
    sources = {one["name"]: one["configMap"]["name"] for one in rendered.pod["spec"]["volumes"] if "configMap" in one}

    found = {
        Path(place["mountPath"]).name: config_maps(rendered)[sources[place["name"]]]
        for place in rendered.container["volumeMounts"]
        if place["mountPath"].startswith("/etc/runbook/runbooks/")
    }

    assert mounted == found


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{{ inputs.node }} {{ "{{" }}\n', id="templates of the engine, which helm must not fill"),
        pytest.param("  indented: first\n", id="a first line that begins with spaces"),
        pytest.param("a: 1", id="no line end"),
        pytest.param("a: 1\n\n\n", id="empty lines at the end"),
        pytest.param("\n\n# comment\na: 1\n", id="empty lines at the begin"),
        pytest.param("a: 1\r\nb: 2\r\n", id="line ends of another system"),
        pytest.param("---\na: 1\n---\nb: <2> & 'c' \"d\"\n", id="several documents and marks"),
        pytest.param("summary: größer als 80 % – 語\n", id="letters of other alphabets"),
        pytest.param("on: yes\nsize: 1e6\n", id="words that YAML reads in its own way"),
    ],
)
def test_content_of_a_runbook_arrives_unchanged(content: str) -> None:
    """What a reviewer read is what the engine reads, to the byte."""
    rendered = render({"runbooks": {"disk/a.yaml": content, "disk/b.yaml": content}})

    assert {"a.yaml": content, "b.yaml": content} == config_maps(rendered)["runner-runbook-engine-runbooks-disk"]


def test_existing_config_maps_are_mounted_as_folders() -> None:
    """A ConfigMap of somebody else is mounted where its folder says, and none is made for it."""
    rendered = render("everything-admission")
    mounts = {one["name"]: one["mountPath"] for one in rendered.container["volumeMounts"]}

    places = {
        volume["configMap"]["name"]: mounts[volume["name"]]
        for volume in rendered.pod["spec"]["volumes"]
        if "configMap" in volume
    }

    assert {
        "shop-engine-config": "/etc/runbook/config",
        "shop-engine-runbooks": "/etc/runbook/runbooks/_top",
        "disk-runbooks": "/etc/runbook/runbooks/platform.disk",
    } == places
    assert "disk-runbooks" not in config_maps(rendered)


@pytest.mark.parametrize("number", [1_000_000, 2**53])
def test_large_numbers_of_the_configuration_stay_whole(number: int) -> None:
    """Helm has a name for writing large numbers as 1e+06, which the engine refuses."""
    rendered = render({"config": {"limits": {"maxOpenExecutions": number}}})

    written = yaml.safe_load(config_maps(rendered)["runner-runbook-engine-config"]["engine.yaml"])

    assert number == EngineConfigDocument.model_validate(written).limits.max_open_executions


def test_example_of_the_readme_is_a_set_of_values(tmp_path: Path) -> None:
    """The first values that a newcomer copies render, and the engine takes them."""
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    example: Mapping[str, Any] = yaml.safe_load(readme.partition("```yaml\n")[2].partition("```")[0])
    rendered = render({**example, "runbooksFrom": [], "runbooks": {LATENCY: SHIPPED[LATENCY]}})

    loaded = load_files(
        [mount(rendered, tmp_path) / "runbooks"], Registry(), os.fspath(tmp_path / "config/engine.yaml")
    )

    assert () == loaded.errors
    assert ["checkout-high-latency"] == [one.name for one in loaded.bundle.runbooks]
