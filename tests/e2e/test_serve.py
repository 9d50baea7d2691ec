"""`runbook serve` with its real neighbours: gunicorn, SQLite, a worker process, signals, and a flag file."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runner import Runner
from tests.lab import CONFIG, PATIENCE, SECRETS, TOKENS, install, wait_until, webhook

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("serve")]  # one runner for all of them

SENDER, READER, ANN = SECRETS["SENDER_OLD"], SECRETS["READER"], SECRETS["ANN"]
LIMITS = "limits: {lease: 2s, maxBody: 64KiB}\n"
HEAD = (
    f"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SENDER}\r\nContent-Type: application/json\r\n"
).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared runner lives."""
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def runner(folder: Path) -> Iterator[Runner]:
    """One runner with tokens, for the tests that leave it as it was."""
    started = Runner(install(folder, config=CONFIG + TOKENS + LIMITS))
    yield from kept(started)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One that waits for nobody: on a busy machine its patience would be too short for honest senders."""
    settings = install(tmp_path_factory.mktemp("impatient"), config=CONFIG + TOKENS + LIMITS)
    yield from kept(Runner(settings, "--read-limit", "0.7"))


def kept(started: Runner) -> Iterator[Runner]:
    """Yield a runner once it answers; its end is clean."""
    try:
        yield started.wait_for_start()
    finally:
        code = started.stop(signal.SIGTERM)
    assert 0 == code
    assert [] == started.left()


def flags(folder: Path) -> dict[str, Any]:
    """Return the flag store's flags."""
    path = folder / "flags.json"
    return json.loads(path.read_text())["flags"] if path.exists() else {}


def is_shed(folder: Path, part: str) -> bool:
    """Whether the runbook has flipped the parameter of a part."""
    return flags(folder).get(f"/lab/{part}", {}).get("value") == "true"


def opened(runner: Runner, part: str) -> str:
    """Return the id of the execution for a part, once the worker has decided what was sent."""

    def found() -> list[str]:
        listed = runner.ask("GET", "/api/executions?limit=500", token=READER)[1]["executions"]
        return [one["id"] for one in listed if one["target"] == f"/lab/{part}"]

    wait_until(lambda: len(found()) == 1, "it is opened")
    return found()[0]


def test_an_alert_becomes_an_effect_in_the_world(runner: Runner, folder: Path) -> None:
    """From the webhook, over the journal and the worker, to the file that the service reads."""
    status, answer, _ = runner.ask("POST", "/hooks/lab", webhook("path"), token=SENDER)

    wait_until(lambda: is_shed(folder, "path"), "the flag is set")

    execution_id = opened(runner, "path")
    assert (202, False) == (status, answer["decided"])
    wait_until(
        lambda: (
            runner.ask("GET", f"/api/executions/{execution_id}", token=READER)[1]["execution"]["status"] == "succeeded"
        ),
        "it has succeeded",
    )
    wait_until(lambda: runner.ask("GET", "/readyz")[0] == 200, "it is ready")
    metrics = runner.ask("GET", "/metrics")[1]
    assert 'runbook_action_seconds_count{action="degrade",direction="do",outcome="done"}' in metrics
    assert 'runbook_executions{status="succeeded"}' in metrics


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/hooks/lab", {}, 401, id="no credential"),
        pytest.param("/hooks/lab", {"Authorization": f"Bearer {SENDER}"}, 202, id="the old secret"),
        pytest.param("/hooks/lab", {"Authorization": f"Bearer {SECRETS['SENDER_NEW']}"}, 202, id="the new secret"),
        pytest.param("/hooks/lab", {"Authorization": f"Bearer {SENDER}, Bearer {SENDER}"}, 401, id="two credentials"),
        pytest.param("/hooks/lab", {"Authorization": f"Bearer {READER}"}, 401, id="another role"),
        pytest.param("/hooks/other", {"Authorization": f"Bearer {SENDER}"}, 401, id="another scope"),
        pytest.param("/hooks/none", {"Authorization": f"Bearer {SENDER}"}, 401, id="no such scope"),
        pytest.param("/hooks/lab/", {"Authorization": f"Bearer {SENDER}"}, 202, id="a slash too many, not redirected"),
    ],
)
def test_only_a_known_sender_gets_in(path: str, headers: dict[str, str], status: int, runner: Runner) -> None:
    """The table of credentials, through gunicorn's own parser."""
    assert status == runner.ask("POST", path, webhook(name="Nobody"), headers=headers)[0]


def test_a_body_larger_than_the_limit_is_refused_however_it_is_sent(runner: Runner) -> None:
    """With its length, or in chunks that never say how many there are."""
    large = b" " * (64 * 1024 + 1)

    whole = runner.ask("POST", "/hooks/lab", large, token=SENDER)[0]
    chunked = runner.ask("POST", "/hooks/lab", iter([large]), token=SENDER)[0]

    assert (413, 413) == (whole, chunked)


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        pytest.param(b"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nX-Some", b"", id="silent in the headers"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\n{", b"", id="silent in the body"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\n{", b" ", id="a body byte by byte"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n{", b" ", id="a chunk byte by byte"),
    ],
)
def test_who_sends_too_slowly_is_not_waited_for(first: bytes, drip: bytes, impatient: Runner) -> None:
    """Eight such senders would otherwise hold every thread."""
    host, _, port = impatient.address.removeprefix("http://").rpartition(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=0.2) as connection:
        connection.sendall(first)
        answer = b""
        while not answer and time.monotonic() - started < PATIENCE:
            try:
                answer = connection.recv(4096) or b"closed"
            except TimeoutError:
                with suppress(ConnectionError):  # it was closed just now, and the next look says so
                    connection.sendall(drip)
            except ConnectionError:  # closed while a byte of ours was on its way
                answer = b"closed"

    assert answer == b"closed" or answer.startswith(b"HTTP/1.1 400")
    assert 0.5 < time.monotonic() - started < PATIENCE  # a thousand bytes would take longer
    assert 200 == impatient.ask("GET", "/healthz")[0]


def test_two_deliveries_at_once_open_one_execution(runner: Runner, folder: Path) -> None:
    """A split Alertmanager cluster sends the same alert from both halves."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: runner.ask("POST", "/hooks/lab", webhook("twice"), token=SENDER), range(8)))

    wait_until(lambda: is_shed(folder, "twice"), "the flag is set")
    listed = runner.ask("GET", "/api/executions?limit=500", token=READER)[1]["executions"]
    assert {202} == {status for status, _, _ in answers}
    assert 1 == len([one for one in listed if one["target"] == "/lab/twice"])
    assert 1 == flags(folder)["/lab/twice"]["version"]


def test_a_worker_killed_in_the_middle_is_started_again_and_its_work_taken_over(runner: Runner, folder: Path) -> None:
    """The flag store is locked by us, so the worker dies after its intent and before its effect."""
    before = len(runner.events("child.died"))
    with (folder / "flags.json.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner.ask("POST", "/hooks/lab", webhook("killed"), token=SENDER)
        execution_id = opened(runner, "killed")

        def trail() -> list[str]:
            report = runner.ask("GET", f"/api/executions/{execution_id}", token=READER)[1]
            return [record["event"] for record in report["audit"]]

        wait_until(lambda: "intended" in trail(), "the intent is recorded")
        os.kill(runner.worker_pid(), signal.SIGKILL)
        wait_until(lambda: len(runner.events("child.died")) > before, "its death is noticed")

    wait_until(lambda: is_shed(folder, "killed"), "the next worker does it")
    wait_until(
        lambda: (
            runner.ask("GET", f"/api/executions/{execution_id}", token=READER)[1]["execution"]["status"] == "succeeded"
        ),
        "it succeeds",
    )
    assert 1 == flags(folder)["/lab/killed"]["version"]


def test_what_was_answered_is_decided_once_by_the_next_worker_when_one_is_killed(runner: Runner, folder: Path) -> None:
    """The worker stands still while alerts come in, and never goes on."""
    parts, before = [f"crowd-{number}" for number in range(4)], len(runner.events("child.died"))
    worker = runner.worker_pid()
    runner.stop_still(worker)
    answers = [runner.ask("POST", "/hooks/lab", webhook(*parts[at : at + 2]), token=SENDER) for at in (0, 2, 0, 1)]

    os.kill(worker, signal.SIGKILL)

    assert [(202, False)] * 4 == [(status, said["decided"]) for status, said, _ in answers]
    wait_until(lambda: len(runner.events("child.died")) > before, "its death is noticed")
    wait_until(lambda: all(is_shed(folder, part) for part in parts), "the next worker does all of it")
    wait_until(lambda: "runbook_inbox_deliveries 0.0" in runner.ask("GET", "/metrics")[1], "nothing waits any more")
    listed = runner.ask("GET", "/api/executions?limit=500", token=READER)[1]["executions"]
    assert len(parts) == len([one for one in listed if "/lab/crowd-" in one["target"]])
    assert [1] * len(parts) == [flags(folder)[f"/lab/{part}"]["version"] for part in parts]


def test_a_journal_that_goes_away_is_503_and_nothing_is_lost_when_it_is_back(runner: Runner, folder: Path) -> None:
    """The sender is told to come again, and then succeeds."""
    path = runner.state / "journal.sqlite3"
    away = path.with_name("away.sqlite3")
    path.rename(away)
    try:
        broken = runner.ask("POST", "/hooks/lab", webhook("back"), token=SENDER)
        wait_until(lambda: runner.ask("GET", "/readyz")[0] == 503, "it is not ready")
    finally:
        away.rename(path)

    wait_until(
        lambda: runner.ask("POST", "/hooks/lab", webhook("back"), token=SENDER)[0] == 202, "the next try is taken"
    )
    assert (503, "unavailable") == (broken[0], broken[1]["error"]["code"])
    assert int(broken[2]["retry-after"]) >= 1
    wait_until(lambda: is_shed(folder, "back"), "the work goes on")


def test_a_person_pauses_and_resumes_over_http(runner: Runner, folder: Path) -> None:
    """While the kill switch is thrown nothing changes; afterwards what waited goes on."""
    thrown = runner.ask("POST", "/api/pause", b'{"for": "10m", "reason": "test"}', token=ANN)[0]
    runner.ask("POST", "/hooks/lab", webhook("paused"), token=SENDER)
    execution_id = opened(runner, "paused")
    wait_until(
        lambda: (
            runner.ask("GET", f"/api/executions/{execution_id}", token=READER)[1]["execution"]["status"] == "waiting"
        ),
        "it waits",
    )

    untouched = not is_shed(folder, "paused")
    lifted = runner.ask("POST", "/api/resume", b"{}", token=ANN)[0]

    assert (202, 202) == (thrown, lifted)
    assert untouched


def test_the_tests_beside_the_runbooks_are_run_once(runner: Runner) -> None:
    """Behind everything else; what became of them is there for the page, and the process is gone."""
    state = runner.state / "serve" / "tests.json"

    wait_until(state.exists, "they were run")

    assert {"tested": {}, "problem": ""} == json.loads(state.read_text())  # there are none here
    launch = str(state.with_name("launch.json"))
    wait_until(lambda: not _processes("runbook_engine.entrypoints.test_process", launch), "it has ended")


def _processes(*words: str) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if set(words) <= set(each.read_bytes().decode(errors="replace").split("\0")):
                found.append(each.parent.name)
    return found


def test_a_stop_is_clean_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C as a person types it: exit code 0, no process, no port."""
    runner = Runner(install(tmp_path)).wait_for_start()
    runner.ask("POST", "/hooks/lab", webhook("last"))

    code = runner.stop(signal.SIGINT)

    assert 0 == code
    assert [] == runner.left()
    assert runner.events("serve.stopped")
    with pytest.raises(OSError, match="refused"):
        runner.ask("GET", "/healthz")


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves nobody to forward anything: they must notice by themselves."""
    runner = Runner(install(tmp_path), grace="1").wait_for_start()
    alive = len(runner.left())

    runner.stop(signal.SIGKILL)

    assert alive >= 4  # supervisor, gunicorn and its worker, our worker
    assert [] == runner.left()


@pytest.mark.parametrize(
    ("config", "arguments", "sentence"),
    [
        pytest.param(
            CONFIG,
            ("--host", "0.0.0.0"),
            "refusing to listen on 0.0.0.0: anybody who reaches it could start runbooks "
            "(name tokens with the role ingest in engine.yaml, or listen on 127.0.0.1)",
            id="strangers without credentials",
        ),
        pytest.param(
            CONFIG + "tokens:\n  sender: {roles: [ingest], secrets: [{env: NOT_SET}]}\n",
            (),
            "token sender has no secret: the secret {env: NOT_SET} is not set (export NOT_SET before starting)",
            id="a token without its secret",
        ),
        pytest.param(
            CONFIG,
            ("--host", "192.0.2.1", "--config", "TOKENS"),
            f"cannot listen on 192.0.2.1:0: {os.strerror(errno.EADDRNOTAVAIL)} (choose another with --host and --port)",
            id="an address of another machine",
        ),
    ],
)
def test_what_cannot_be_served_safely_is_not_started(
    config: str, arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    """One sentence on standard error, exit code 2, no process."""
    settings = install(tmp_path, config=config)
    guarded = tmp_path / "guarded.yaml"
    guarded.write_text(CONFIG + TOKENS)
    if "TOKENS" in arguments:
        (settings.runbooks / "engine.yaml").unlink()
    runner = Runner(settings, *(str(guarded) if one == "TOKENS" else one for one in arguments))

    code = runner.process.wait(PATIENCE)

    assert 2 == code
    assert sentence == runner.log_file.read_text().strip()
    assert [] == runner.left()


def test_a_client_of_aws_that_does_not_exist_is_refused_before_the_start(tmp_path: Path) -> None:
    """Not at the first alert, when a run would end for it."""
    aws = "adapters:\n  automations: {adapter: ssmAutomation, region: eu-central-1}\n"
    config = CONFIG.replace("adapters:\n", aws)
    runner = Runner(install(tmp_path, config=config), environment={"RUNBOOK_AWS_CLIENT": "lean"})

    code = runner.process.wait(PATIENCE)

    assert 2 == code
    says = "RUNBOOK_AWS_CLIENT is 'lean', which is no client (set it to boto3, or leave it out)"
    assert says == runner.log_file.read_text().strip()


def test_a_web_process_that_dies_is_started_again_on_the_same_port(runner: Runner) -> None:
    """The supervisor holds the socket, so who asks meanwhile waits instead of being refused."""
    web = [event for event in runner.events("child.started") if event["child"] == "web"][-1]

    os.kill(web["child_pid"], signal.SIGKILL)
    wait_until(lambda: "web" in [event["child"] for event in runner.events("child.died")], "its death is noticed")
    status = runner.ask("POST", "/hooks/lab", webhook("again"), token=SENDER)[0]

    assert 202 == status


def test_a_web_process_that_cannot_start_ends_the_runner(tmp_path: Path) -> None:
    """Exit code 3 and nothing left, instead of a worker that acts while nobody can reach it."""
    broken = tmp_path / "broken" / "gunicorn"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken by the test')\n")
    runner = Runner(install(tmp_path), environment={"PYTHONPATH": str(broken.parent)})

    code = runner.process.wait(PATIENCE)

    assert 3 == code
    assert runner.events("serve.failed")
    assert [] == runner.left()


def test_a_second_runner_on_the_same_state_is_refused(runner: Runner, folder: Path, tmp_path: Path) -> None:
    """Two of them would empty each other's counters."""
    settings = install(tmp_path)
    second = Runner(settings, "--state", str(runner.state))

    assert 2 == second.process.wait(PATIENCE)
    said = f"another runbook serve uses {runner.state} (stop it, or give this one its own with --state)"
    assert said == second.log_file.read_text().strip()


def test_a_worker_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    """It lives, so its death is never noticed; what came in meanwhile is done by the next one."""
    settings = install(tmp_path, config=CONFIG + LIMITS)
    runner = Runner(settings, "--hang-limit", "8").wait_for_start()
    hung = runner.worker_pid()
    wait_until(lambda: (settings.state / "serve" / "worker.json").exists(), "it goes round")

    runner.stop_still(hung)
    status = runner.ask("POST", "/hooks/lab", webhook("hung"))[0]

    wait_until(lambda: is_shed(tmp_path, "hung"), "the next worker does it")
    events = [(each["child"], each["silent_for"]) for each in runner.events("child.hung") if each["child_pid"] == hung]
    assert (202, [("worker", 8.0)]) == (status, events)
    assert hung != runner.worker_pid()
    assert (0, []) == (runner.stop(), runner.left())
