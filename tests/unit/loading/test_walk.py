"""What lies in a folder of runbooks is read, or told of: nothing named as YAML is passed over in silence."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runbook_engine.loading.files import load_files
from runbook_engine.loading.walk import walk
from runbook_engine.registry import Registry

RUNBOOK = (Path(__file__).parents[2] / "data" / "good" / "high-error-rate.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one runbook."""
    (tmp_path / "runbooks" / "team").mkdir(parents=True)
    (tmp_path / "runbooks" / "team" / "a.yaml").write_text(RUNBOOK)
    return tmp_path / "runbooks"


def _said(folder: Path) -> list[str]:
    """Return every finding as a person reads its first line, paths from the folder on."""
    found = load_files([folder], Registry()).diagnostics
    lines = [f"{Path(each.file).relative_to(folder)} {each.severity}: {each.message} ({each.hint})" for each in found]
    return [line for line in lines if not line.startswith("team/a.yaml")]


@pytest.mark.parametrize(
    ("name", "leads", "said"),
    [
        pytest.param(
            "b.yaml",
            "gone.yaml",
            "error: the link cannot be followed: No such file or directory (correct where it leads, or remove it)",
            id="named as a runbook",
        ),
        pytest.param(
            "b.yaml",
            "b.yaml",
            "error: the link cannot be followed: Too many levels of symbolic links "
            "(correct where it leads, or remove it)",
            id="a ring",
        ),
        pytest.param(
            "shared",
            "../gone",
            "warning: the link cannot be followed: No such file or directory (correct where it leads, or remove it)",
            id="perhaps a folder once",
        ),
    ],
)
def test_a_link_to_nothing_is_told(folder: Path, name: str, leads: str, said: str) -> None:
    """Somebody believes that a runbook is there."""
    (folder / name).symlink_to(leads)

    assert [f"{name} {said}"] == _said(folder)


def test_what_is_no_file_is_told_and_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a writer would be waited for ever, and so would one behind a link."""
    monkeypatch.chdir(folder)  # the path of a socket is short
    os.mkfifo("pipe.yaml")
    os.mkfifo(".hidden")
    Path("to-pipe.yaml").symlink_to(".hidden")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.yml")

    remedy = "(put a file in its place, or remove it)"
    assert [
        f"pipe.yaml error: it is a pipe, which is not read {remedy}",
        f"socket.yml error: it is a socket, which is not read {remedy}",
        f"to-pipe.yaml error: it is a pipe, which is not read {remedy}",
    ] == _said(folder)


def test_a_file_that_is_named_is_not_waited_for_when_it_is_a_pipe(tmp_path: Path) -> None:
    """As the configuration that a server is given."""
    pipe = tmp_path / "engine.yaml"
    os.mkfifo(pipe)

    loaded = load_files([], Registry(), pipe)

    assert [(str(pipe), "it is a pipe, which is not read")] == [(each.file, each.message) for each in loaded.errors]


@pytest.mark.parametrize(
    ("leads", "said"),
    [
        pytest.param(
            "../elsewhere",
            "error: the folder is a link that leads out of the folder of the runbooks (put the folder itself here)",
            id="out of the folder",
        ),
        pytest.param(
            "..data/sub",
            "error: the folder is a link, and nothing is read through it (put the folder itself here)",
            id="to a hidden folder, which is read nowhere else",
        ),
        pytest.param(
            "team",
            "warning: the folder is a link, and nothing is read through it (put the folder itself here)",
            id="to a folder that is read as itself",
        ),
        pytest.param(
            "..",
            "error: the folder is a link that leads out of the folder of the runbooks (put the folder itself here)",
            id="to what holds it",
        ),
        pytest.param(
            ".",
            "warning: the folder is a link, and nothing is read through it (put the folder itself here)",
            id="to itself",
        ),
    ],
)
def test_a_folder_that_is_a_link_is_told_and_not_read(folder: Path, leads: str, said: str) -> None:
    """Whoever put runbooks there believes that they act."""
    for hidden in (folder.parent / "elsewhere", folder / "..data" / "sub"):
        hidden.mkdir(parents=True)
        (hidden / "b.yaml").write_text("kind: Nonsense\n")
    (folder / "linked").symlink_to(leads)

    assert [f"linked {said}"] == _said(folder)


def test_a_folder_is_told_when_it_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its runbooks would be missing, and nobody knew."""
    listing = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    (folder / "secret").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)

    assert ["secret error: cannot be read: Permission denied ()"] == _said(folder)


def test_what_is_hidden_or_no_yaml_is_passed_over(folder: Path) -> None:
    """Editors and tools leave links and pipes of their own; and what has another name is no runbook."""
    (folder / ".#a.yaml").symlink_to("me@host.1234")
    (folder / ".git").mkdir()
    os.mkfifo(folder / ".git" / "pipe.yaml")
    os.mkfifo(folder / "pipe")
    (folder / "notes.txt").symlink_to(folder / "team" / "a.yaml")

    walked = walk([folder], None)

    assert ((folder / "team" / "a.yaml",), ()) == (walked.files, walked.diagnostics)
