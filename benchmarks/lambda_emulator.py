"""Cold and warm starts of the AWS functions under Lambda's own Runtime Interface Emulator, from the built zip.

Each function of an installation is a process of its own; alerts come over the front door, and bus, state machine, table
and topic are those of the emulated AWS, whose answers are part of every figure. *First* is the first invocation of a
process, its initialisation included: as the emulator reports it, and as its caller waits for it. Beside them, in turns:
a function that makes boto3's client of DynamoDB and answers, and one that only answers. The emulator enforces no
limit of CPU or memory, and reports the memory that was asked for; *MiB* is the most that the kernel has seen resident.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks.cold_start import unpacked_zip
from benchmarks.timing import table
from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws import Aws
from tests.emulators.rie import Runtime
from tests.pipeline.installation import CONFIG, SHED, Installation
from tests.pipeline.rie.deployed import FUNCTIONS, PRODUCT

EMULATOR = "aws-lambda-rie"
TOOLS = Path(__file__).parents[1] / ".tools"
ROUNDS, QUICK_ROUNDS = 5, 2
WARM, QUICK_WARM = 20, 5
MEMORY = 512
TIMEOUT = 60.0
PATIENCE = 120.0  # seconds: several cold starts on a busy machine
ROLES = ("ingest", "drive", "approve", "sweep")
BOTO3, BARE = "boto3 and its dynamodb client", "a handler alone"
REFERENCES = {
    BOTO3: "import boto3\nCLIENT = boto3.client('dynamodb')\ndef handler(event, context):\n    return {}\n",
    BARE: "def handler(event, context):\n    return {}\n",
}
FLIP = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: flip, owner: team-checkout, summary: Flip the flag of a service.}
matchers: [alertname = Flip]
inputs: {service: {type: workload, from: alert.labels.service}}
target: {parameter: "/checkout/{{ inputs.service }}"}
mode: auto
strategy: sequence
guardrails: {cooldown: 1m, deadline: 2h}
steps:
  - name: flip
    action: degrade
    with: {parameter: "/checkout/{{ inputs.service }}", value: "true"}
    compensate: never
"""
ASKING = SHED.replace("mode: auto", "mode: approve")
INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
REPORT = re.compile(r"^REPORT .*?\tDuration: ([\d.]+) ms", re.MULTILINE)


class Spent(NamedTuple):
    """What one process took: milliseconds as reported and as waited for, and the most MiB resident."""

    init: float
    reported: Sequence[float]
    waited: Sequence[float]
    resident: float


class Timed:
    """A function under the emulator, whose callers' waiting is timed."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._runtime, self._name = runtime, name
        self._waited: list[float] = []

    def __call__(self, event: Any, context: object) -> Any:
        """Invoke it, as a function of the test bed."""
        began = perf_counter()
        answer = self._runtime.handler(event, context)
        self._waited.append((perf_counter() - began) * 1e3)
        return answer

    def spent(self, most: int) -> Spent:
        """Return what its process has taken, of its first so many invocations."""
        log = self._runtime.log()
        found = INIT.search(log)
        if found is None or log.count("INIT REPORT") != 1:
            raise RuntimeError(f"the process of {self._name} was not started exactly once:\n{log[-2000:]}")
        reported = [float(each) for each in REPORT.findall(log)]
        return Spent(float(found[1]), reported[:most], self._waited[:most], _resident(self._name))


def run(quick: bool) -> str:
    """Return what first and further invocations take, beside those of the references."""
    if shutil.which(EMULATOR, path=str(TOOLS)) is None and shutil.which(EMULATOR) is None:
        return f"the functions were not measured: {EMULATOR} is neither in .tools nor on PATH (make tools)"
    kept: dict[str, list[Spent]] = {name: [] for name in (*ROLES, *REFERENCES)}
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        unpacked = unpacked_zip(home)
        for number in range(1 + (QUICK_ROUNDS if quick else ROUNDS)):  # the first fills the file cache
            for name, spent in _round(unpacked, home / f"round-{number}", QUICK_WARM if quick else WARM):
                kept[name].append(spent)
    return _table({name: each[1:] for name, each in kept.items()})


def _table(kept: Mapping[str, Sequence[Spent]]) -> str:
    def middle(name: str, figure: Callable[[Spent], float]) -> float:
        return median(figure(each) for each in kept[name])

    figures: Sequence[Callable[[Spent], float]] = (
        lambda spent: spent.init,
        lambda spent: spent.reported[0],
        lambda spent: spent.waited[0],
        lambda spent: median(spent.reported[1:]),
        lambda spent: median(spent.waited[1:]),
        lambda spent: spent.resident,
    )
    rows = []
    for name in kept:
        init, first, waited, warm, warm_waited, resident = (middle(name, figure) for figure in figures)
        shares = first / middle(BOTO3, figures[1]), resident / middle(BOTO3, figures[5])
        rows.append((name, init, first, shares[0], waited, warm, warm_waited, resident, shares[1]))
    first_ones = ("init ms", "first ms", "x boto3", "from outside")
    return table(("function", *first_ones, "warm p50 ms", "from outside", "MiB", "x boto3"), rows)


def _round(unpacked: Path, scratch: Path, warm: int) -> Iterator[tuple[str, Spent]]:
    """Start every function anew, and yield what each takes."""
    for name, source in REFERENCES.items():
        yield name, _reference(source, scratch / name.replace(" ", "-"), warm)
    (folder := scratch / "installation").mkdir(parents=True)
    with Aws(clock=SimulatedClock(datetime.now(UTC))) as aws, ExitStack() as stack:
        installed = Installation(aws, folder, runbooks=(FLIP, ASKING), config=CONFIG)
        functions = {role: _deployed(stack, installed, unpacked, scratch, role) for role in ROLES}
        counts = _play(installed, warm)
        yield from ((role, each.spent(counts)) for role, each in functions.items())


def _reference(source: str, folder: Path, warm: int) -> Spent:
    code = folder / "code"
    code.mkdir(parents=True)
    (code / "reference.py").write_text(source)
    name = f"{folder.parent.name}-{folder.name}"
    with Runtime(code, "reference.handler", scratch=folder / "scratch", name=name, memory=MEMORY) as runtime:
        timed = Timed(runtime, name)
        for _ in range(1 + warm):
            timed({}, None)
        return timed.spent(1 + warm)


def _deployed(stack: ExitStack, installed: Installation, unpacked: Path, scratch: Path, role: str) -> Timed:
    """Let the zip's own handler be this function."""
    name = f"{scratch.name}-{FUNCTIONS[role]}"
    runtime = Runtime(
        unpacked,
        f"{PRODUCT}.{role}",
        environment={
            **installed.pipeline.environment,
            "RUNBOOK_BUNDLE": str(installed.folder / "bundle.msgpack"),
            "RUNBOOK_BUNDLE_DIGEST": installed.digest,
            "AWS_ENDPOINT_URL": installed.aws.serve(),
        },
        timeout=TIMEOUT,
        memory=MEMORY,
        name=name,
        scratch=scratch / role,
    )
    timed = Timed(stack.enter_context(runtime), name)
    installed.aws.function(f"{installed.pipeline.name}-{FUNCTIONS[role]}", timed, timeout=TIMEOUT)
    return timed


def _play(installed: Installation, warm: int) -> int:
    """Let alerts come one by one, each with its run; then ask once, look at the question, sweep, and answer.

    Returns how many invocations of each function are alike.
    """
    aws, alike = installed.aws, 1 + warm
    store = aws.client("ssm")
    for number in range(alike):
        store.put_parameter(Name=f"/checkout/service-{number}", Value="false", Type="String")
        installed.post(installed.fires("Flip", service=f"service-{number}"))
        aws.settle(PATIENCE)
    flags = store.get_parameters_by_path(Path="/checkout", MaxResults=10)["Parameters"]
    told = [flag["Value"] for flag in flags if flag["Name"].startswith("/checkout/service-")]
    if set(told) != {"true"} or {each.status for each in installed.executions()} != {"succeeded"}:
        raise RuntimeError(f"not every run flipped its flag: {[each.status for each in installed.executions()]}")
    installed.post(installed.fires())
    aws.settle(PATIENCE)
    (link,) = [message["links"]["approve"] for message in installed.told() if message["event"] == "approval"]
    for _ in range(alike):
        if (shown := installed.follow(link)).status != 200:
            raise RuntimeError(f"the question was answered {shown.status}")
        swept = aws.invoke(f"{installed.pipeline.name}-{FUNCTIONS['sweep']}", {})
        if swept.error is not None:
            raise RuntimeError(f"sweeping failed: {swept.error}")
    if installed.follow(link, "POST", urlencode({"answer": "deny"})).status != 200:
        raise RuntimeError("the question took no answer")
    aws.settle(PATIENCE)  # or its state machine would go on waiting
    return alike


def _resident(name: str) -> float:
    """Return the most MiB that the process of a function had resident: the emulator's child, found by its variables."""
    variable = f"AWS_LAMBDA_FUNCTION_NAME={name}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told, command = ((process / part).read_bytes().split(b"\0") for part in ("environ", "cmdline"))
            status = (process / "status").read_text()
        except (FileNotFoundError, PermissionError, ProcessLookupError):  # another's, or over meanwhile
            continue
        if variable in told and not command[0].endswith(EMULATOR.encode()):
            peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
            if peak is not None:
                return int(peak[1]) / 1024
    raise RuntimeError(f"no process of {name} runs any more")
