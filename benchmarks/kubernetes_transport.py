"""Cold start of the Kubernetes transport: import and first GET in a fresh interpreter, beside the official client's.

Both ask the same local server for the same Deployment over plain HTTP, so that the difference is what they bring along.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.timing import table

REPEATS = 9
QUICK_REPEATS = 3
_DEPLOYMENT = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 3},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"name": "app"}]}},
        },
        "status": {"replicas": 3, "readyReplicas": 3, "observedGeneration": 3},
    }
).encode()
_OURS = """
from datetime import UTC, datetime
from runbook_adapters.kubernetes.credentials import GivenToken
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Wire
class Now:
    def now(self):
        return datetime.now(UTC)
transport = Transport(Wire("{url}"), GivenToken(lambda: "t"), Now())
assert transport.get("/apis/apps/v1/namespaces/shop/deployments/checkout")["spec"]["replicas"] == 3
"""
_OFFICIAL = """
from kubernetes import client
configuration = client.Configuration(host="{url}")
configuration.retries = False
api = client.AppsV1Api(client.ApiClient(configuration))
assert api.read_namespaced_deployment("checkout", "shop", _request_timeout=(3, 15)).spec.replicas == 3
"""
_URLLIB3 = """
import json, urllib3
got = urllib3.PoolManager(retries=False).request("GET", "{url}/apis/apps/v1/namespaces/shop/deployments/checkout")
assert json.loads(got.data)["spec"]["replicas"] == 3
"""
_PROBE = """
import json, resource, sys, time
sys.path[:0] = {path!r}
started = time.perf_counter()
{statement}
took = time.perf_counter() - started
try:
    status = open("/proc/self/status").read()  # getrusage would count the parent that this process was forked from
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([took, peak, len(sys.modules)]))
"""


class Cost(NamedTuple):
    """What one cold start costs."""

    seconds: float
    peak: float  # bytes of resident memory
    modules: int


def run(*, quick: bool = False) -> str:
    """Return the figures, as ratios to the official client where it is installed."""
    repeats = QUICK_REPEATS if quick else REPEATS
    statements = {"nothing": "pass", "urllib3 and json": _URLLIB3, "our transport": _OURS}
    if importlib.util.find_spec("kubernetes"):
        statements["official client"] = _OFFICIAL
    with _server() as url, TemporaryDirectory() as cache:
        costs = {name: _cost(text.replace("{url}", url), repeats, cache) for name, text in statements.items()}
    whole = costs.get("official client")
    rows = [
        (
            name,
            cost.seconds * 1e3,
            cost.peak / 2**20,
            cost.modules,
            cost.seconds / whole.seconds if whole else "-",
            cost.peak / whole.peak if whole else "-",
        )
        for name, cost in costs.items()
    ]
    return table(("import and first GET", "ms", "MiB resident", "modules", "x official", "x its memory"), rows)


def _cost(statement: str, repeats: int, cache: str) -> Cost:
    probes = [_probe(statement, cache) for _ in range(repeats + 1)][1:]  # the first one compiles, and fills the cache
    took, peak, modules = zip(*probes, strict=True)
    return Cost(median(took), median(peak), int(modules[0]))


def _probe(statement: str, cache: str) -> list[float]:
    written = _PROBE.format(statement=statement, path=[entry for entry in sys.path if entry])
    without = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**without, "PYTHONPYCACHEPREFIX": cache}  # what was compiled is kept, for all of them alike
    done = subprocess.run([sys.executable, "-c", written], capture_output=True, text=True, check=True, env=environment)
    measured: list[float] = json.loads(done.stdout)
    return measured


@contextmanager
def _server() -> Iterator[str]:
    """Serve one Deployment on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(_DEPLOYMENT)))
            self.end_headers()
            self.wfile.write(_DEPLOYMENT)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
