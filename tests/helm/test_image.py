"""The image of the runner, as far as it can be checked without a builder: its context builds the whole wheel."""

import fnmatch
import re
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.helm.chart import ROOT

DOCKERFILE = (ROOT / "apps/runner/Dockerfile").read_text()
IGNORE = (ROOT / "apps/runner/Dockerfile.dockerignore").read_text().split()


def copied() -> list[str]:
    """Return what the Dockerfile copies out of its context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def wheel_of(root: Path, folder: Path) -> set[str]:
    """Return the names of the files in the wheel that a folder builds."""
    with zipfile.ZipFile(next(WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"]))) as wheel:
        return set(wheel.namelist())


def test_wheel_of_the_context_is_the_wheel_of_the_project(tmp_path: Path) -> None:
    """Nothing that the wheel needs is missing among the copied files."""
    for source in copied():
        target = tmp_path / "context" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        else:
            shutil.copy(ROOT / source, target)

    built = wheel_of(tmp_path / "context", tmp_path / "built")

    assert wheel_of(ROOT, tmp_path / "wanted") == built


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_sent_to_the_builder(source: str) -> None:
    """The ignore file keeps everything away but what is named in it."""
    assert "*" == IGNORE[0]
    assert any(fnmatch.fnmatch(source, kept.removeprefix("!")) for kept in IGNORE if kept.startswith("!"))


def test_image_installs_extras_that_the_project_has() -> None:
    """Server, cluster and cloud are installed, by the names that the project gives them."""
    extras = re.search(r"'\.\[([a-z,]+)\]'", DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert extras is not None
    assert ["server", "kubernetes", "aws"] == extras[1].split(",")
    assert set(extras[1].split(",")) <= project["optional-dependencies"].keys()


def test_constraints_pin_what_the_lock_pins() -> None:
    """The sed line of the Dockerfile leaves one plain pin of each locked package."""
    lock = (ROOT / "requirements.lock").read_text().splitlines()

    pins = [re.sub(r" *\\$", "", line) for line in lock if "--hash=" not in line]

    assert r"sed -e 's/ *\\$//' -e '/--hash=/d' requirements.lock" in DOCKERFILE
    assert len(pins) > 20
    assert all(re.fullmatch(r"[a-z0-9.-]+(\[[a-z,]+\])?==[^ ]+( ; .+)?", pin) for pin in pins), pins
