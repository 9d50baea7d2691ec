"""A real browser, driven over its own debugging protocol: it opens pages, presses keys, and tells what went wrong."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools import find_tool

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 90.0  # seconds, on a busy machine
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # the gate runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27}


def find_browser() -> Path:
    """Return where the browser is, under any of its names. Without it the test is skipped, or fails in CI."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return Path(found) if found is not None else find_tool(NAMES[0])


class Gone(AssertionError):
    """The browser refused a command: most often, the page that it was for is no longer there."""


class Wire:
    """The pipe to the browser: commands go, answers and events come."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command and return what it answers."""
        self._number += 1
        number = self._number
        told: dict[str, Any] = {"id": number, "method": method, "params": params}
        message = json.dumps(told | ({"sessionId": session} if session else {})).encode() + b"\0"
        while message:
            message = message[os.write(self._writes, message) :]
        until = time.monotonic() + PATIENCE
        while True:
            found = self._next(until)
            if found.get("id") == number:
                if "error" in found:
                    raise Gone(f"{method}: {found['error']}")
                answer: dict[str, Any] = found["result"]
                return answer
            self.events.append(found)

    def wait(self, method: str, session: str) -> None:
        """Wait for an event, which may have come already."""
        until = time.monotonic() + PATIENCE
        while not any(each.get("method") == method and each.get("sessionId") == session for each in self.events):
            self.events.append(self._next(until))

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reads], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise AssertionError("the browser does not answer")
            self._buffer += os.read(self._reads, 1 << 20)
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@dataclass
class Tab:
    """One page of the browser."""

    wire: Wire
    session: str
    base: str
    shots: Path

    def open(self, path: str) -> None:
        """Go to a page of the server."""
        self._forget("Page.loadEventFired")
        self._call("Page.navigate", url=f"{self.base}{path}")
        self.wire.wait("Page.loadEventFired", self.session)

    def looks(self, *, width: int = 1200, height: int = 900, dark: bool = False, scale: float = 1.0) -> None:
        """Be a screen of that size, in that light."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """Return what a script comes to."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str, patience: float = PATIENCE) -> None:
        """Wait until a script comes to something true; while a page comes and another goes, nothing is."""
        end = time.monotonic() + patience
        while not self._holds(f"(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()"):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)

    def _holds(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except Gone:
            return False

    def press(self, key: str) -> None:
        """Press a key, as a person without a mouse does."""
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self._call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self._call("Input.insertText", text=text)

    def tab_to(self, is_there: str, most: int = 60) -> None:
        """Press Tab until the focus is where the script says."""
        for _ in range(most):
            self.press("Tab")
            if self.run(is_there):
                return
        raise AssertionError(f"no Tab leads there: {is_there}")

    def shoot(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        how = {"format": "png", "captureBeyondViewport": True, "optimizeForSpeed": True}
        shot = self._call("Page.captureScreenshot", clip=clip, **how)
        path = self.shots / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def complaints(self) -> list[str]:
        """Return what the browser had to say against the pages so far: errors, and what the policy forbade."""
        self.run("0")  # whatever is on its way has come then
        return [said for each in self.wire.events if each.get("sessionId") == self.session for said in _said(each)]

    def _forget(self, method: str) -> None:
        self.wire.events[:] = [each for each in self.wire.events if each.get("method") != method]

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.wire.call(method, self.session, **params)


def _said(event: Mapping[str, Any]) -> Iterator[str]:
    params = event.get("params", {})
    match event.get("method"):
        case "Runtime.exceptionThrown":
            yield str(params["exceptionDetails"])
        case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
            yield f"{params['entry']['source']}: {params['entry']['text']} {params['entry'].get('url', '')}"
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
            yield str(params["args"])


@contextmanager
def browsing(program: Path, profile: Path, shots: Path) -> Iterator[Callable[[str], Tab]]:
    """Run the browser; yield what opens a tab for a server's address."""
    shots.mkdir(parents=True, exist_ok=True)
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()
    theirs = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (theirs_read, theirs_write)]

    def be_three_and_four() -> None:
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    command = [str(program), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(3, 4),
        preexec_fn=be_three_and_four,
        env={**os.environ, "HOME": str(profile)},
    )
    for each in (theirs_read, theirs_write, *theirs):
        os.close(each)
    wire = Wire(ours_read, ours_write)

    def open_tab(base: str) -> Tab:
        context = wire.call("Target.createBrowserContext")["browserContextId"]
        target = wire.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = wire.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            wire.call(f"{domain}.enable", session)
        tab = Tab(wire, session, base, shots)
        tab.looks()
        return tab

    try:
        yield open_tab
    finally:
        wire.call("Browser.close")
        process.wait(timeout=PATIENCE)
        os.close(ours_read)
        os.close(ours_write)
