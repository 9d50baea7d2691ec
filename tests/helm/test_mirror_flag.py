"""The flag's copy: what the second container writes is what the service reads, and nothing else is ever written."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cached import Unreadable
from flags import load_switch
from tests.helm.chart import CHECKOUT
from tests.lab import PATIENCE

FLAG = "/checkout/degraded_mode"
SCRIPT = CHECKOUT.folder / "files/mirror-flag"


class Rig:
    """A folder with the store, and an `aws` that answers what a file says; without the file it fails."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "flags.json"
        self.answer = folder / "answer"
        self.asked = folder / "asked"
        (folder / "aws").write_text(f'#!/bin/sh\necho "$*" >>{self.asked}\ncat {self.answer}\n')
        (folder / "aws").chmod(0o755)
        self._environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def once(self, answer: str | None) -> subprocess.CompletedProcess[str]:
        """Copy once, as before the service starts."""
        self.says(answer)
        command = ["sh", str(SCRIPT), FLAG, str(self.store), "once"]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def begin(self, seconds: int) -> subprocess.Popen[bytes]:
        """Copy again and again."""
        command = ["sh", str(SCRIPT), FLAG, str(self.store), str(seconds)]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)

    def says(self, answer: str | None) -> None:
        """Let the parameter hold this from now on; None is a Parameter Store that cannot be asked."""
        self.answer.unlink(missing_ok=True)
        if answer is not None:
            self.answer.write_text(answer)

    def mode(self) -> bool:
        """Return the mode that the service would read."""
        return load_switch(self.store, FLAG, default=False)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """An empty store."""
    return Rig(tmp_path)


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes soon."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.mark.parametrize(("answer", "mode"), [("true\t7\n", True), ("false\t8\n", False)])
def test_mode_of_the_parameter_is_what_the_service_reads(rig: Rig, answer: str, mode: bool) -> None:
    """The file has the form of the flag store, and only the one parameter was asked for."""
    done = rig.once(answer)

    assert (0, "") == (done.returncode, done.stderr)
    assert mode == rig.mode()
    assert rig.asked.read_text().startswith(f"ssm get-parameter --name {FLAG} --query ")


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        pytest.param(None, "parameter_unreadable", id="Parameter Store is down"),
        pytest.param("", "parameter_neither_true_nor_false", id="nothing is said"),
        pytest.param("True\t7\n", "parameter_neither_true_nor_false", id="another spelling"),
        pytest.param("true\n", "parameter_neither_true_nor_false", id="no version"),
        pytest.param("true\tx\n", "parameter_neither_true_nor_false", id="a version that is no number"),
        pytest.param('true"}, "x": {"value": "\t7\n', "parameter_neither_true_nor_false", id="JSON in the value"),
        pytest.param("true\t$(touch /x)\t7\n", "parameter_neither_true_nor_false", id="a command in the value"),
    ],
)
def test_what_is_no_mode_changes_nothing(rig: Rig, answer: str | None, event: str) -> None:
    """The last good mode stays, and what was wrong is said."""
    rig.once("true\t7\n")

    done = rig.once(answer)

    assert (0, f'{{"logger": "mirror-flag", "event": "{event}"}}\n') == (done.returncode, done.stderr)
    assert rig.mode()


def test_change_of_the_parameter_reaches_the_service_until_it_is_told_to_end(rig: Rig) -> None:
    """Each round reads anew."""
    rig.says("false\t1\n")
    mirror = rig.begin(1)
    try:
        wait_until(rig.store.exists)
        rig.says("true\t2\n")
        wait_until(rig.mode)
    finally:
        mirror.send_signal(signal.SIGTERM)
        code = mirror.wait(PATIENCE)

    assert 0 == code


def test_next_round_is_not_waited_for_when_it_is_told_to_end(rig: Rig) -> None:
    """A pod that ends would wait for it, and be killed."""
    rig.says("false\t1\n")
    mirror = rig.begin(10 * int(PATIENCE))
    try:
        wait_until(rig.store.exists)
    finally:
        mirror.send_signal(signal.SIGTERM)
        code = mirror.wait(PATIENCE)

    assert 0 == code


def test_store_that_cannot_be_asked_for_a_minute_is_unreadable_to_the_service(rig: Rig) -> None:
    """Then the service counts it, and the alert about an unreadable flag store fires."""
    rig.once("true\t7\n")
    rig.says(None)

    mirror = rig.begin(60)
    try:
        wait_until(lambda: not rig.store.exists())
    finally:
        mirror.terminate()
        mirror.wait(PATIENCE)

    with pytest.raises(Unreadable, match=r"^the flag store flags\.json cannot be read: No such file or directory$"):
        rig.mode()
