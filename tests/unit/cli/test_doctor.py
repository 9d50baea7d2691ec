"""`runbook doctor`: everything that must work, each with its remedy; with the real local adapters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.journal import SqliteJournal
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.storage import PROBE
from runbook_engine.model.delivery import Request
from tests.unit.cli.desks import Result, Stream

CONFIG = """
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: local}}
clusters: [local]
adapters:
  flags: {{adapter: files, path: flags.json, create: true}}
  metrics: {{adapter: scrape, url: "{metrics}"}}
scopes:
  local: {{source: alertmanager}}
receivers:
  chat: {{adapter: {receiver}}}
tokens:
  alertmanager: {{roles: [ingest], secrets: [{{env: HOOK_SECRET}}]}}
teams:
  team-checkout: {{receiver: chat}}
targets: [parameter=/checkout/*]
series:
  checkout:error_ratio: {{kind: value, metric: checkout_error_ratio}}
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: degrade-checkout, owner: team-checkout, summary: Shed optional features.}
matchers: [alertname = CheckoutHighErrorRate]
target: {parameter: /checkout/degraded_mode}
strategy: escalate
verify: [{query: "checkout:error_ratio", below: 0.02, timeout: 2m}]
guardrails: {cooldown: 30m, deadline: 40m}
steps:
  - name: degrade
    action: degrade
    with: {parameter: /checkout/degraded_mode, value: "true"}
    compensate: never
"""
SECRET = "0123456789abcdef0123"
APPROVALS = "approvals: {url: https://runbooks.example/approvals, key: {env: LINK_KEY}}\n"


class Runner(BaseHTTPRequestHandler):
    """A runner and a service at once: refuses strangers, and serves one metric."""

    reasons: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if self.path == "/readyz" and self.reasons:
            self._answer(503, json.dumps({"status": "not ready", "reasons": self.reasons}).encode())
            return
        self._answer(200, b"checkout_error_ratio 0.01\n" if self.path == "/metrics" else b"ok")

    def do_POST(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {SECRET}"
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(400 if known else 401, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """A runner that answers."""
    found = ThreadingHTTPServer(("127.0.0.1", 0), Runner)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()
    thread.join()


def _examine(folder: Path, *argv: str, **environment: str) -> Result:
    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={"RUNBOOK_DEBUG": "1", **environment})
    places = ("--runbooks", str(folder), "--state", str(folder / "state"))
    return Result(main(["doctor", *places, *argv], desk), out.getvalue(), err.getvalue())


def _journal(folder: Path) -> SqliteJournal:
    return SqliteJournal(Database(folder / "state" / "journal.sqlite3", timedelta(seconds=5)))


def _install(
    folder: Path, *, metrics: str, receiver: str = "console", approvals: str = "", runbook: str = RUNBOOK
) -> None:
    (folder / "engine.yaml").write_text(CONFIG.format(metrics=metrics, receiver=receiver) + approvals)
    (folder / "degrade.yaml").write_text(runbook)


def test_doctor_tells_what_was_set_aside_until_a_person_has_settled_it(tmp_path: Path, server: str) -> None:
    """Nothing was opened for what is in it, and nothing of it goes away by itself."""
    _install(tmp_path, metrics=server)
    now = datetime.now(UTC)
    (tmp_path / "state").mkdir()
    with closing(_journal(tmp_path)) as journal:
        number = journal.inbox.keep(Request("local", "alertmanager", {}, b"{}", now), 1)
        journal.inbox.set_aside(number, reason="a scope was renamed", at=now)

    result = _examine(tmp_path, HOOK_SECRET=SECRET)
    with closing(_journal(tmp_path)) as journal:
        journal.inbox.discard(number)
    settled = _examine(tmp_path, HOOK_SECRET=SECRET)

    says = "1 delivery could not be decided, so no run was opened for what was in it"
    remedy = "runbook inbox shows why, runbook inbox retry NUMBER decides it again"
    assert says in " ".join(result.out.split())
    assert remedy in " ".join(result.out.split())
    assert "could not be decided" not in settled.out


def test_doctor_tells_of_a_ring_of_links_when_one_lies_among_the_runbooks(tmp_path: Path, server: str) -> None:
    """And of everything else."""
    _install(tmp_path, metrics=server)
    (tmp_path / "a.yaml").symlink_to("a.yaml")

    result = _examine(tmp_path, HOOK_SECRET=SECRET)

    says = "1 error, the first: the link cannot be followed: Too many levels of symbolic links"
    assert (1, "") == (result.code, result.err)
    assert says in " ".join(result.out.split())


def test_doctor_finds_everything_in_order(tmp_path: Path, server: str) -> None:
    """Adapters are built, the signal is read, strangers are refused and our token is not."""
    _install(tmp_path, metrics=f"{server}/metrics", approvals=APPROVALS)
    (tmp_path / "state" / "serve").mkdir(parents=True)
    beat = Heartbeat(at=datetime.now(UTC), pid=1, owner="w")
    write_heartbeat(tmp_path / "state" / "serve" / "worker.json", beat)

    result = _examine(tmp_path, "--server", server, HOOK_SECRET=SECRET, RUNBOOK_TOKEN=SECRET, LINK_KEY="k" * 32)

    assert (0, "") == (result.code, result.err)
    healthy = [row.split()[0] for row in result.out.splitlines()[:-1]]
    assert {"ok"} == set(healthy)
    for name in (
        "runbooks",
        "engine.yaml",
        "state",
        "adapter flags",
        "receiver chat",
        "tokens",
        "approval links",
        "journal",
        "kill switch",
        "worker",
    ):
        assert f"ok    {name} " in result.out
    assert "ok    metric checkout:error_ratio  1 series, newest 0s old\n" in result.out
    assert result.out.endswith("nothing broken, 0 warnings\n")


@pytest.mark.parametrize(
    ("metrics", "receiver", "environment", "name", "remedy"),
    [
        pytest.param(
            "http://127.0.0.1:1/metrics",
            "console",
            {"HOOK_SECRET": SECRET},
            "metric checkout:error_ratio",
            "degrade-checkout cannot verify without it: start what it is read from, or correct adapters.metrics",
            id="a signal that cannot be read",
        ),
        pytest.param("METRICS", "console", {}, "tokens", "", id="a secret that is not set"),
        pytest.param(
            "METRICS",
            "console",
            {"HOOK_SECRET": SECRET, "RUNBOOK_TOKEN": "f" * 20},
            "webhook local",
            "give RUNBOOK_TOKEN a secret of a token with the role ingest",
            id="a token that is refused",
        ),
        pytest.param("METRICS", "console", {"HOOK_SECRET": SECRET}, "worker", "runbook serve", id="nobody who drives"),
    ],
)
def test_doctor_says_what_is_broken_and_what_mends_it(
    tmp_path: Path,
    server: str,
    metrics: str,
    receiver: str,
    environment: dict[str, str],
    name: str,
    remedy: str,
) -> None:
    """One broken thing hides no other; exit 1."""
    _install(tmp_path, metrics=f"{server}/metrics" if metrics == "METRICS" else metrics, receiver=receiver)

    result = _examine(tmp_path, "--server", server, "--format", "json", **environment)

    assert 1 == result.code
    (found,) = [check for check in result.record["checks"] if check["name"] == name]
    assert ("broken", remedy) == (found["health"], found["remedy"])


def test_doctor_where_nothing_is(tmp_path: Path) -> None:
    """An empty folder: every remedy, no traceback, and nothing is left behind but the state folder."""
    result = _examine(tmp_path, "--server", "http://127.0.0.1:1")

    assert 1 == result.code
    assert f"FAIL  runbooks     none under {tmp_path}\n" in result.out
    assert "-> name their folder with --runbooks\n" in result.out
    assert "FAIL  engine.yaml  there is no engine.yaml: nobody may send, nothing may be touched\n" in result.out
    assert "FAIL  webhook      http://127.0.0.1:1 does not answer: Connection refused\n" in result.out
    assert "-> runbook serve\n" in result.out


def test_doctor_of_a_runbook_with_errors_goes_on(tmp_path: Path, server: str) -> None:
    """The rest is looked at all the same."""
    _install(tmp_path, metrics=f"{server}/metrics")
    (tmp_path / "bad.yaml").write_text("kind: Runbook\n")

    result = _examine(tmp_path, "--server", server, HOOK_SECRET=SECRET)

    assert 1 == result.code
    assert f"-> runbook lint {tmp_path}\n" in result.out
    assert "ok    journal" in result.out


def test_doctor_counts_the_warnings_that_lint_gives(tmp_path: Path) -> None:
    """Those of a single file, and those of the set; the remedy would be another number otherwise."""
    wide = RUNBOOK.replace("target:", "inputs: {name: {type: string, from: alert.labels.name}}\ntarget:").replace(
        'parameter: /checkout/degraded_mode, value: "true"', 'parameter: "/checkout/{{ inputs.name }}", value: "true"'
    )
    _install(tmp_path, metrics="http://127.0.0.1:9/metrics", runbook=wide)

    out = Stream()
    main(
        ["lint", str(tmp_path), "--format", "json"],
        Desk(stdin=Stream(), stdout=out, stderr=Stream(), environment={"RUNBOOK_DEBUG": "1"}),
    )
    result = _examine(tmp_path, "--server", "http://127.0.0.1:9", "--format", "json", HOOK_SECRET=SECRET)

    (found,) = [check for check in result.record["checks"] if check["name"] == "runbooks"]
    warnings = len(json.loads(out.getvalue())["warnings"])
    assert warnings > 0
    assert found["says"].endswith(f", {warnings} warning{'' if warnings == 1 else 's'}")


def test_doctor_asks_the_runner_what_keeps_it(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own reasons, and not only that it answers."""
    monkeypatch.setattr(Runner, "reasons", ["the worker does not go round", "no runbook is loaded"])
    _install(tmp_path, metrics=f"{server}/metrics")

    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET)

    (found,) = [check for check in result.record["checks"] if check["name"] == "runner"]
    assert 1 == result.code
    assert "broken" == found["health"]
    assert "says that it is not ready: the worker does not go round; no runbook is loaded" == found["says"]


@pytest.mark.parametrize(
    ("approvals", "runbook", "environment", "health", "says"),
    [
        pytest.param(
            "",
            RUNBOOK,
            {},
            "warning",
            "none are made, with 1 runbook that may ask for approval (degrade-checkout)",
            id="a runbook may ask, and nobody can answer over a link",
        ),
        pytest.param("", RUNBOOK.replace("strategy:", "mode: observe\nstrategy:"), {}, "", "", id="nobody asks"),
        pytest.param(
            APPROVALS,
            RUNBOOK,
            {"LINK_KEY": "k" * 32},
            "ok",
            "questions are answered at https://runbooks.example/approvals",
            id="links are made",
        ),
        pytest.param(
            APPROVALS,
            RUNBOOK,
            {},
            "broken",
            "the secret {env: LINK_KEY} is not set (export LINK_KEY before starting)",
            id="the key is not there",
        ),
        pytest.param(
            APPROVALS,
            RUNBOOK,
            {"LINK_KEY": "short"},
            "broken",
            "the key that signs approval links is shorter than 32 characters (make one with: openssl rand -hex 32)",
            id="the key can be guessed",
        ),
    ],
)
def test_doctor_says_whether_questions_carry_a_link(
    tmp_path: Path, server: str, approvals: str, runbook: str, environment: dict[str, str], health: str, says: str
) -> None:
    """Found out now, and not by whoever is asked at night."""
    _install(tmp_path, metrics=f"{server}/metrics", approvals=approvals)
    (tmp_path / "degrade.yaml").write_text(runbook)

    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET, **environment)

    found = [check for check in result.record["checks"] if check["name"] == "approval links"]
    assert ([(health, says)] if health else []) == [(check["health"], check["says"]) for check in found]


def _checks(result: Result) -> dict[str, tuple[str, str, str]]:
    """Return health, sentence and remedy of everything that was looked at, by its name."""
    return {check["name"]: (check["health"], check["says"], check["remedy"]) for check in result.record["checks"]}


SIGNED = "presentedAs: {signature: {header: X-Hub-Signature-256}}"
SIGNS = f"  github: {{roles: [ingest], secrets: [{{env: HOOK_SECRET}}], {SIGNED}}}\n"
BASIC = "  sns: {roles: [ingest], secrets: [{env: HOOK_SECRET}], presentedAs: {basic: sns}}\n"
HEADER = "  grafana: {roles: [ingest], secrets: [{env: HOOK_SECRET}], presentedAs: {header: X-Hook-Secret}}\n"
BEARER = "  alertmanager: {roles: [ingest], secrets: [{env: HOOK_SECRET}]}\n"


@pytest.mark.parametrize(
    ("tokens", "token", "health", "says"),
    [
        pytest.param(SIGNS, "f" * 20, "ok", "strangers are refused; not tried: its sender signs", id="who posts signs"),
        pytest.param(SIGNS, "", "ok", "strangers are refused; not tried: its sender signs", id="and no token is set"),
        pytest.param(
            SIGNS + BEARER.replace("secrets", "scopes: [other], secrets"),
            "f" * 20,
            "ok",
            "strangers are refused; not tried: its sender signs",
            id="a bearer of another scope changes nothing",
        ),
        pytest.param(
            BASIC,
            "f" * 20,
            "ok",
            "strangers are refused; not tried: its sender presents a user and a password",
            id="who posts has a user and a password",
        ),
        pytest.param(
            HEADER,
            "f" * 20,
            "ok",
            "strangers are refused; not tried: its sender presents a header of its own",
            id="who posts has a header of its own",
        ),
        pytest.param(
            HEADER + SIGNS,
            "f" * 20,
            "ok",
            "strangers are refused; not tried: its senders present no bearer token",
            id="each in another way",
        ),
        pytest.param(
            SIGNS + BEARER, "f" * 20, "broken", "the token of RUNBOOK_TOKEN is refused", id="one of them may be tried"
        ),
    ],
)
def test_doctor_tries_no_token_where_no_sender_presents_one(
    tmp_path: Path, server: str, tokens: str, token: str, health: str, says: str
) -> None:
    """No token that a person holds can be right there."""
    _install(tmp_path, metrics=f"{server}/metrics")
    config = (tmp_path / "engine.yaml").read_text().replace(BEARER, tokens)
    config = config.replace(
        "  local: {source: alertmanager}\n", "  local: {source: alertmanager}\n  other: {source: alertmanager}\n"
    )
    (tmp_path / "engine.yaml").write_text(config)

    environment = {"RUNBOOK_TOKEN": token} if token else {}
    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET="s" * 40, **environment)

    assert (health, says) == _checks(result)["webhook local"][:2]


def test_doctor_says_that_messages_wait_for_a_receiver_and_runs_do_not(tmp_path: Path, server: str) -> None:
    """A run goes on while nobody can be told."""
    _install(tmp_path, metrics=f"{server}/metrics")
    slack = 'chat: {adapter: slack, token: {env: SLACK}, channel: "#oncall", url: "http://127.0.0.1:1"}'
    config = (tmp_path / "engine.yaml").read_text().replace("chat: {adapter: console}", slack)
    (tmp_path / "engine.yaml").write_text(config)

    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET, SLACK="xoxb-1")

    health, _, remedy = _checks(result)["receiver chat"]
    assert ("broken", "until slack answers, its messages wait; runs do not") == (health, remedy)


def test_doctor_says_nothing_of_what_an_unreadable_configuration_says(tmp_path: Path, server: str) -> None:
    """What cannot be read is not known: neither that there is no token nor that nothing is paused."""
    _install(tmp_path, metrics=f"{server}/metrics")
    with (tmp_path / "engine.yaml").open("a") as config:
        config.write("colour: blue\n")

    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET)

    checks = _checks(result)
    unknown = "not known: mend engine.yaml first"
    assert 1 == result.code
    assert "broken" == checks["engine.yaml"][0]
    assert "colour" in checks["engine.yaml"][1]
    assert {unknown} == {checks[name][1] for name in ("scopes", "tokens", "journal", "kill switch", "storm")}
    assert {"warning"} == {health for health, says, _ in checks.values() if says == unknown}
    assert not {"approval links", "engine"} & set(checks)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_doctor_names_a_full_disk_and_sends_nobody_to_start_a_runner(tmp_path: Path, server: str) -> None:
    """A journal that has nothing to write does not notice, and a worker without a heartbeat looks dead."""
    _install(tmp_path, metrics=f"{server}/metrics")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / PROBE).symlink_to("/dev/full")

    result = _examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET)

    checks, first = _checks(result), "mend the disk first: see state"
    assert 1 == result.code
    assert (
        "broken",
        f"the disk is full: nothing can be written in {tmp_path}/state, "
        "so no change is made, and deliveries are kept only while the journal has room",
        f"free space there: df -h {tmp_path}/state",
    ) == checks["state"]
    assert ("broken", "readable: 0 executions, 0 open incidents; the disk is full", first) == checks["journal"]
    assert ("warning", "not known: its heartbeat cannot be written", first) == checks["worker"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_doctor_of_a_journal_elsewhere_looks_at_its_disk(tmp_path: Path, server: str) -> None:
    """The journal may lie on another disk than the state folder."""
    _install(tmp_path, metrics=f"{server}/metrics")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = (tmp_path / "engine.yaml").read_text()
    journal = f"adapters:\n  journal: {{adapter: sqlite, path: {elsewhere}/journal.sqlite3}}\n"
    (tmp_path / "engine.yaml").write_text(config.replace("adapters:\n", journal))
    (elsewhere / PROBE).symlink_to("/dev/full")

    says = _checks(_examine(tmp_path, "--server", server, "--format", "json", HOOK_SECRET=SECRET))["state"][1]

    assert says.startswith(f"the disk is full: nothing can be written in {elsewhere}, ")
