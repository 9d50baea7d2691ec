"""The wheel holds both packages, what the demo needs, and nothing else."""

import configparser
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

pytestmark = pytest.mark.xdist_group("wheel")  # built once

ROOT = Path(__file__).parents[2]
OURS = ("console", "files", "http", "kubernetes", "pagerduty", "process", "prometheus", "scrape", "slack", "sqlite")
OF_AWS = ("cloudwatch", "dynamodb", "eventbridge", "s3", "sns", "sqs", "ssm", "stepfunctions")
ADAPTERS = {  # the adapter that engine.yaml names, and where it lives
    **{name: name for name in (*OURS, *OF_AWS)},
    "lambda": "lambda_function",
    "ssmAutomation": "ssm_automation",
    "webhook": "receivers",
}


def build(version: str, folder: Path) -> Path:
    """Build the wheel of one kind ("standard" or "editable") in this interpreter, without a network."""
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version])))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The standard wheel, open for reading."""
    with zipfile.ZipFile(build("standard", tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def entry_points(wheel: zipfile.ZipFile) -> configparser.ConfigParser:
    """Read the entry points that the wheel would register."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    parser.read_string(wheel.read(name).decode())
    return parser


def test_wheel_holds_every_module_of_both_packages(wheel: zipfile.ZipFile) -> None:
    """Every Python file of the two source trees is in the wheel, adapters/ itself is not a package."""
    engine = {path.relative_to(ROOT).as_posix() for path in (ROOT / "runbook_engine").rglob("*.py")}
    adapters = {
        path.relative_to(ROOT / "adapters").as_posix() for path in (ROOT / "adapters/runbook_adapters").rglob("*.py")
    }

    shipped = {name for name in wheel.namelist() if name.endswith(".py") and "/shipped/" not in name}

    assert engine | adapters == shipped


def test_wheel_holds_the_templates_of_receivers(wheel: zipfile.ZipFile) -> None:
    """They are read beside the code."""
    folder = "runbook_adapters/receivers/templates"
    shipped = {f"{folder}/{path.name}" for path in (ROOT / "adapters" / folder).glob("*.json")}

    assert len(shipped) >= 6
    assert shipped == {name for name in wheel.namelist() if name.startswith(f"{folder}/")}


def test_wheel_holds_what_the_web_page_is_made_of(wheel: zipfile.ZipFile) -> None:
    """Templates, style, script and icon are read beside the code; nothing else lies there."""
    folder = "runbook_engine/entrypoints/server/web"
    patterns = ("templates/*.html", "static/app.css", "static/app.js", "static/icon.svg")
    parts = {f"{folder}/{path.relative_to(ROOT / folder)}" for each in patterns for path in (ROOT / folder).glob(each)}

    shipped = {name for name in wheel.namelist() if name.startswith(f"{folder}/") and not name.endswith(".py")}

    assert len(parts) >= 16
    assert parts == shipped


def test_wheel_is_typed(wheel: zipfile.ZipFile) -> None:
    """Both packages carry the marker without which type checkers ignore their annotations."""
    assert {"runbook_engine/py.typed", "runbook_adapters/py.typed"} <= set(wheel.namelist())


def test_wheel_registers_the_command_and_the_adapters(wheel: zipfile.ZipFile) -> None:
    """The console script and every adapter of ours arrive through the mechanism that strangers use."""
    points = entry_points(wheel)

    assert dict(points["console_scripts"]) == {"runbook": "runbook_engine.entrypoints.cli:main"}
    assert dict(points["runbook_engine.adapters"]) == {
        name: f"runbook_adapters.{module}:ADAPTER" for name, module in ADAPTERS.items()
    }


def test_every_registered_adapter_has_its_module_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """No entry point names a module that is not there."""
    modules = {value.partition(":")[0] for value in entry_points(wheel)["runbook_engine.adapters"].values()}
    names = set(wheel.namelist())

    missing = {
        module
        for module in modules
        if not {f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"} & names
    }

    assert set() == missing


def test_wheel_ships_what_the_demo_runs(wheel: zipfile.ZipFile) -> None:
    """The checkout service and every shipped runbook are beside the code, without tests or caches."""
    checkout = {f"runbook_engine/shipped/checkout/{path.name}" for path in (ROOT / "apps/checkout").glob("*.py")}
    runbooks = {
        f"runbook_engine/shipped/runbooks/{path.relative_to(ROOT / 'runbooks').as_posix()}"
        for path in (ROOT / "runbooks").rglob("*.yaml")
    }

    shipped = {name for name in wheel.namelist() if "/shipped/" in name}

    assert checkout | runbooks | {"runbook_engine/shipped/checkout/requirements.txt"} == shipped


def test_wheel_holds_no_stray_file(wheel: zipfile.ZipFile) -> None:
    """Nothing but the two packages and the metadata, and no test, cache or database among them."""
    roots = {name.split("/")[0] for name in wheel.namelist()}
    stray = [
        name
        for name in wheel.namelist()
        if "/tests/" in name or "__pycache__" in name or name.endswith((".pyc", ".db", ".orig", ".log"))
    ]

    assert {"runbook_engine", "runbook_adapters"} == {root for root in roots if not root.endswith(".dist-info")}
    assert [] == stray


def test_editable_wheel_points_at_the_sources_and_copies_none(tmp_path: Path) -> None:
    """An editable install reads both source roots in place, so nothing in it can go stale."""
    with zipfile.ZipFile(build("editable", tmp_path)) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        paths = archive.read(names[0]).decode().split()

    assert len(names) == 1
    assert [str(ROOT), str(ROOT / "adapters")] == [str(Path(path)) for path in paths]


def test_wheel_built_from_the_sdist_is_the_same(tmp_path: Path, wheel: zipfile.ZipFile) -> None:
    """Who builds from the source archive gets the same files as who builds from a clone."""
    archive = Path(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path))))
    unpacked = unpack(archive, tmp_path)

    again = Path(next(WheelBuilder(str(unpacked)).build(directory=str(tmp_path / "again"), versions=["standard"])))

    with zipfile.ZipFile(again) as rebuilt:
        assert sorted(wheel.namelist()) == sorted(rebuilt.namelist())


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a source archive and return its root folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())
