"""Storage: a folder that takes nothing is told from one that does, and its disk from its owner."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runbook_engine.entrypoints.storage import PROBE, Refusal, find_full_disk, try_folder


def test_a_folder_that_takes_what_is_written_is_left_as_it_was(tmp_path: Path) -> None:
    """The page that was tried is gone again."""
    assert try_folder(tmp_path) is None
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Looking makes nothing."""
    assert try_folder(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_named_with_its_folder_and_its_remedy(tmp_path: Path) -> None:
    """What, where, why, and what to do about it; the empty file that was begun is gone."""
    (tmp_path / PROBE).symlink_to("/dev/full")

    refusal = find_full_disk([tmp_path])

    assert (
        f"the disk is full: nothing can be written in {tmp_path}, so no change is made, and deliveries are "
        f"kept only while the journal has room (free space there: df -h {tmp_path})"
    ) == str(refusal)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        pytest.param(
            errno.EROFS,
            "the file system is read-only: nothing can be written in FOLDER, so no change is made, and deliveries are "
            "kept only while the journal has room (see in dmesg why, and mount it for writing again)",
            id="a file system that was mounted read-only after an error",
        ),
        pytest.param(
            errno.EDQUOT,
            "the disk quota is used up: nothing can be written in FOLDER, so no change is made, and deliveries are "
            "kept only while the journal has room (free space there, or raise the quota of the user who runs this)",
            id="a quota",
        ),
        pytest.param(
            errno.EIO,
            "the disk reports an error: nothing can be written in FOLDER, so no change is made, and deliveries are "
            "kept only while the journal has room (see in dmesg which, and move the folder to another disk)",
            id="a broken disk",
        ),
    ],
)
def test_a_disk_that_takes_nothing_more_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    """Each with its own remedy."""
    monkeypatch.setattr(Path, "write_bytes", _refusing(number))

    assert sentence.replace("FOLDER", str(tmp_path)) == str(find_full_disk([tmp_path]))


def test_a_folder_of_somebody_else_is_no_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only looks may have no right to write: that keeps nobody else from it."""
    monkeypatch.setattr(Path, "write_bytes", _refusing(errno.EACCES))

    assert find_full_disk([tmp_path]) is None
    assert try_folder(tmp_path) == Refusal(
        folder=tmp_path,
        why="Permission denied",
        remedy="let this user write there, or choose another with --state",
        of_the_disk=False,
    )


def _refusing(number: int) -> object:
    def write_bytes(self: Path, content: bytes) -> int:
        raise OSError(number, os.strerror(number))

    return write_bytes
