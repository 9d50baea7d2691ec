"""Cold start of the AWS functions: out of the built zip, in fresh interpreters, beside what their parts cost alone.

`ingest` is everything from the first import to the answer of the first alert, with AWS answering at once; `drive` is
its host and the client of its table. Both go with the bytecode of the zip, without any of it, and with boto3 instead of
the lean client. A warm ingest is measured with AWS in the place of the wire, and beyond a socket of this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cold_start_probe import HEADERS, WARM_UP, answer
from benchmarks.timing import table
from tests.emulators.rie.provided import provide
from tests.packaging.lambda_zip import NAME, build_zip, write_sources

PROBE = Path(__file__).with_name("cold_start_probe.py")
BOTO3 = "RUNBOOK_AWS_CLIENT=boto3"
VARIABLE = re.compile(r"[A-Z_]+=")
CLIENT = "import boto3; boto3.client('dynamodb')"
NAMED = "import pydantic, yaml, jinja2, tenacity, flask, prometheus_client; " + CLIENT
REFERENCES = {
    "boto3 and its dynamodb client": CLIENT,
    "seven packages by name, and the client": NAMED,
    "from kubernetes import client, config": "from kubernetes import client, config",
}
REPEATS, QUICK_REPEATS = 7, 2
ROUNDS, QUICK_ROUNDS = 300, 100
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "RUNBOOK_TABLE": "table",
    "RUNBOOK_BUS": "bus",
    "RUNBOOK_TOPIC_ONCALL": "arn:aws:sns:eu-west-1:123456789012:oncall",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def run(*, quick: bool = False) -> str:
    """Return what each start costs, as ratios to the SDK with one client."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        unpacked = unpacked_zip(home)
        bare = _without_bytecode(unpacked, home / "bare")
        runtime = provide(home / "runtime")
        starts = {
            **{name: (("reference", code), None) for name, code in REFERENCES.items()},
            "ingest, first alert answered": (("ingest",), unpacked),
            "drive, ready": (("drive",), unpacked),
            "ingest over boto3": (("ingest", BOTO3), unpacked),
            "drive over boto3": (("drive", BOTO3), unpacked),
            "ingest without bytecode": (("ingest",), bare),
            "drive without bytecode": (("drive",), bare),
        }
        kept: dict[str, list[dict[str, Any]]] = {name: [] for name in starts}
        for _ in range(1 + (QUICK_REPEATS if quick else REPEATS)):  # in turns; the first fills the file cache
            for name, (wish, folder) in starts.items():
                kept[name].append(probe(wish, folder, runtime))
        warm = _warm(QUICK_ROUNDS if quick else ROUNDS, unpacked, runtime)
    return f"{_table(kept)}\n\n{warm}"


def _warm(rounds: int, unpacked: Path, runtime: Path) -> str:
    """Return what a warm ingest of one new alert costs with either client, without the wire and with it."""
    with answering() as server:
        wishes = {"without the wire": (), "over a socket": (f"AWS_ENDPOINT_URL=http://127.0.0.1:{server.server_port}",)}
        rows = []
        for name, wish in wishes.items():
            lean, whole = (probe(("warm", str(rounds), *wish, *more), unpacked, runtime) for more in ((), (BOTO3,)))
            rows.append((name, lean * 1e3, whole * 1e3, lean / whole))
        calls = round(server.asked / 2 / (rounds + WARM_UP))
    spent = table(("warm ingest of one new alert", "lean, CPU ms", "boto3, CPU ms", "ratio"), rows)
    return f"{spent}\n\ncalls of AWS it makes: {calls}"


class Service(ThreadingHTTPServer):
    """What answers for AWS."""

    daemon_threads = True
    asked = 0


@contextmanager
def answering() -> Iterator[Service]:
    """Answer for AWS on this machine, as the probe does for itself."""
    server = Service(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Answering(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        """Answer one call."""
        self.server.asked += 1
        content = self.rfile.read(int(self.headers["Content-Length"]))
        told = answer(self.headers["X-Amz-Target"], content)
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        head = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(told)}\r\n\r\n"
        self.wfile.write(head.encode() + told)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _table(kept: dict[str, list[dict[str, Any]]]) -> str:
    def middle(name: str, what: str) -> float:
        return float(median(found[what] for found in kept[name][1:]))

    least = middle(next(iter(REFERENCES)), "cpu")
    rows = [
        (
            name,
            middle(name, "seconds") * 1e3,
            middle(name, "cpu") * 1e3,
            middle(name, "cpu") / least,
            middle(name, "resident"),
            found[-1]["modules"],
            ", ".join(found[-1]["heavy"]) or "none",
        )
        for name, found in kept.items()
    ]
    return table(("start", "ms", "CPU ms", "x CPU of boto3", "MiB", "modules", "heavy ones"), rows)


def unpacked_zip(home: Path) -> Path:
    """Build the zip as `make lambda` does, and return it as Lambda unpacks it."""
    built = build_zip(home, write_sources(home / "sources"))
    if built.returncode:
        raise RuntimeError(built.stderr)
    shutil.unpack_archive(home / NAME, home / "unpacked")
    return home / "unpacked"


def _without_bytecode(unpacked: Path, folder: Path) -> Path:
    return Path(shutil.copytree(unpacked, folder, ignore=shutil.ignore_patterns("__pycache__")))


def probe(wish: tuple[str, ...], folder: Path | None, runtime: Path) -> Any:
    """Run one measurement; a reference sees what is installed here, a function its zip and the runtime's packages.

    What of a wish looks like a variable is one.
    """
    named = dict(each.split("=", 1) for each in wish if VARIABLE.match(each))
    wish = tuple(each for each in wish if not VARIABLE.match(each))
    seen = sysconfig.get_path("purelib") if folder is None else f"{folder}{os.pathsep}{runtime}"
    environment = {**ENVIRONMENT, **named, "PYTHONPATH": seen, "LAMBDA_TASK_ROOT": str(folder or ".")}
    done = subprocess.run(
        [sys.executable, "-S", str(PROBE), *wish], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
