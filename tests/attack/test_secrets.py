"""A canary in every credential that an installation can hold: it is where it is used, and nowhere else."""

from __future__ import annotations

import base64
import hmac
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.attack.siege import Siege
from tests.contract.http_service import Asked, HttpService, Told, http_service
from tests.e2e.runner import Runner
from tests.lab import CONFIG, RUNBOOK, install, wait_until, webhook
from tests.length import LONG

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("attack-secrets")]

NAMES = (
    "SENDER_OLD", "SENDER_NEW", "READER", "ANN", "GITHUB_KEY", "GRAFANA_KEY", "LINK_KEY", "HOOK_TOKEN", "HOOK_HEADER",
    "HOOK_URL", "PAGER_KEY", "SLACK_TOKEN", "METRICS_TOKEN", "POOL_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY_ID", "DATABASE_PASSWORD",
)  # fmt: skip
CANARIES = {
    name: f"canary-{number:02}-{hmac.new(b'c', name.encode(), 'sha256').hexdigest()[:32]}"
    for number, name in enumerate(NAMES)
}
KUBE_TOKEN = "canary-kubeconfig-6f1d2b3c4a5e6f7081920a1b"
CONFIGURED = """\
tokens:
  sender: {roles: [ingest], scopes: [lab], secrets: [{env: SENDER_OLD}, {env: SENDER_NEW}]}
  github: {roles: [ingest], scopes: [other], secrets: [{env: GITHUB_KEY}],
           presentedAs: {signature: {header: X-Hub-Signature-256, prefix: "sha256="}}}
  grafana: {roles: [ingest], scopes: [graf], secrets: [{env: GRAFANA_KEY}], presentedAs: grafana}
  reader: {roles: [read], secrets: [{env: READER}]}
  ann: {roles: [read, operate], secrets: [{env: ANN}]}
approvals: {url: "https://runbooks.example/approvals", key: {env: LINK_KEY}}
requests:
  drain:
    method: POST
    url: "ECHO/drain"
    headers: {Authorization: {env: POOL_TOKEN}}
    effect: {says: drains, repeat: declarative}
    approval: none
"""
RECEIVERS = """\
receivers:
  chat: {adapter: webhook, url: "ECHO/hook", token: {env: HOOK_TOKEN}, headers: {X-Secret-Key: {env: HOOK_HEADER}}}
  hidden: {adapter: webhook, url: {env: HOOK_URL}}
  pager: {adapter: pagerduty, routingKey: {env: PAGER_KEY}, url: "ECHO"}
  slack: {adapter: slack, token: {env: SLACK_TOKEN}, channel: C024BE91L, url: "ECHO/api"}
"""
ADAPTERS = """\
adapters:
  metrics: {adapter: prometheus, url: "ECHO", token: {env: METRICS_TOKEN}}
  cluster: {adapter: kubernetes, auth: kubeconfig, kubeconfig: KUBECONFIG, context: c}
  requests: {adapter: http}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "ECHO"}}]
users: [{name: u, user: {token: TOKEN}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
"""
SEND = RUNBOOK.replace("name: shed,", "name: send,").replace("alertname = Hot", "alertname = Send").replace(
    'action: degrade\n    with: {parameter: "/lab/{{ inputs.part }}", value: "true"}\n    compensate: whenResolved',
    "action: http\n    with: {request: drain}\n    compensate: never",
)  # fmt: skip
LOOK = RUNBOOK.replace("name: shed,", "name: look,").replace("alertname = Hot", "alertname = Look").replace(
    "steps:", 'require: {query: up, below: 2}\nsteps:'
)  # fmt: skip
EVENTS = "notify:\n" + "".join(
    f"  - {{receiver: {name}, events: [started, approval, changed, notFixed, ended]}}\n"
    for name in ("chat", "hidden", "pager", "slack")
)
COMMANDS = (
    ("doctor",), ("home",), ("incidents",), ("executions",), ("inbox",), ("standing",), ("permissions",),
    ("verify-audit",),
    ("plan", "--alert", "ALERT"), ("explain", "--alert", "ALERT"), ("lint", "RUNBOOKS"), ("bundle", "RUNBOOKS",
    "--out", "OUT"),
    ("pause", "--for", "1h"), ("resume",), ("nonsense",), ("replay", "none"), ("coverage",),
)  # fmt: skip


def echo(asked: Asked) -> Told:
    """Refuse, and repeat everything that was asked: as some do, in their words about an error."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    key = re.search(r'"routing_key": ?"([^"]*)"', asked.body.decode(errors="replace"))
    words = (headers.get("authorization"), headers.get("x-secret-key"), key and key[1], asked.path)
    said = " ".join(word for word in words if word)
    answer = {"error": said, "message": said, "reason": said, "errors": [said], "kind": "Status", "status": said}
    return Told(403, json.dumps(answer).encode(), (("Content-Type", "application/json"),))


@pytest.fixture(scope="module")
def service() -> Iterator[HttpService]:
    """The service that every adapter and receiver asks."""
    with http_service(echo) as running:
        yield running


@pytest.fixture(scope="module")
def runner(service: HttpService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner with a canary in every credential."""
    folder = tmp_path_factory.mktemp("canaries")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.replace("ECHO", service.url).replace("TOKEN", KUBE_TOKEN))
    config = CONFIG.replace("receivers:\n  chat: {adapter: console}\n", RECEIVERS).replace("adapters:\n", ADAPTERS)
    config = config.replace(
        "  other: {source: alertmanager}", "  other: {source: deployments}\n  graf: {source: grafana}"
    )
    config = config.replace('targets: ["parameter=/lab/*"]', 'targets: ["parameter=/lab/*", "request=*"]') + CONFIGURED
    settings = install(folder, config=config.replace("ECHO", service.url).replace("KUBECONFIG", str(kubeconfig)))
    for name, text in {"shed": RUNBOOK, "send": SEND, "look": LOOK}.items():
        text = text.replace("MODE", "auto" if name != "shed" else "approve")
        (settings.runbooks / f"{name}.yaml").write_text(text.partition("notify:")[0] + EVENTS)
    environment = CANARIES | {"HOOK_URL": f"{service.url}/services/{CANARIES['HOOK_URL']}"}
    started = Runner(settings, grace="1", environment=environment)
    try:
        yield started.wait_for_start()
    finally:
        started.stop()


def spoken(runner: Runner, service: HttpService) -> Iterator[tuple[str, str]]:
    """Do everything that could make it speak, well and badly; yield what was answered."""
    for name, headers in {
        "sender": {"Authorization": f"Bearer {CANARIES['SENDER_OLD']}"},
        "almost": {"Authorization": f"Bearer {CANARIES['SENDER_NEW']}x"},
        "role": {"Authorization": f"Bearer {CANARIES['ANN']}"},
    }.items():
        for body in (webhook("a"), webhook(name="Send"), webhook(name="Look"), b"{", webhook("a", status="resolved")):
            yield name, str(runner.ask("POST", "/hooks/lab", body, headers=headers))
    for scope, header in (("other", "X-Hub-Signature-256"), ("graf", "X-Grafana-Alerting-Signature")):
        yield scope, str(runner.ask("POST", f"/hooks/{scope}", b"{}", headers={header: CANARIES["GITHUB_KEY"]}))
    wait_until(lambda: len(service.asked) > 5, "everybody is told")
    listed = runner.ask("GET", "/api/executions", token=CANARIES["READER"])[1]["executions"]
    signed = runner.ask("POST", "/sign-in", f"token={CANARIES['ANN']}".encode(), headers=_form(runner))
    cookie = {"Cookie": signed[2].get("set-cookie", "").partition(";")[0]}
    yield (
        "a wrong token",
        str(runner.ask("POST", "/sign-in", f"token={CANARIES['ANN']}x".encode(), headers=_form(runner))),
    )
    yield "signed in", str(signed)
    for path in (
        "/",
        "/incidents",
        "/runbooks",
        "/runbooks/send",
        "/inbox",
        "/pause",
        *(f"/executions/{one['id']}" for one in listed),
    ):
        yield path, str(runner.ask("GET", path, headers=cookie))
    for path in (
        "/api/incidents",
        "/api/executions",
        "/api/pause",
        *(f"/api/executions/{one['id']}" for one in listed),
    ):
        yield path, str(runner.ask("GET", path, token=CANARIES["ANN"]))
    for path in ("/metrics", "/readyz", "/healthz", "/openapi.json", "/api/nothing"):
        yield path, str(runner.ask("GET", path))
    yield "a wish", str(runner.ask("POST", "/api/pause", b'{"for":"x"}', token=CANARIES["ANN"]))


def _form(runner: Runner) -> dict[str, str]:
    return {"Content-Type": "application/x-www-form-urlencoded", "Origin": runner.address}


def typed(runner: Runner, folder: Path) -> Iterator[tuple[str, str]]:
    """Type every command, also wrongly; yield what is shown."""
    alert = folder / "alert.json"
    alert.write_text(json.dumps({"labels": {"alertname": "Look", "severity": "critical"}, "status": "firing"}))
    places = {"ALERT": str(alert), "RUNBOOKS": str(folder / "runbooks"), "OUT": str(folder / "out.bundle")}
    environment = CANARIES | {
        "RUNBOOK_STATE": str(runner.state),
        "RUNBOOK_OPERATOR": "ann",
        "RUNBOOK_RUNBOOKS": places["RUNBOOKS"],
    }
    for command in COMMANDS if LONG else COMMANDS[:10:2] + COMMANDS[1:12:5]:
        out, err = io.StringIO(), io.StringIO()
        desk = Desk(stdin=io.StringIO(), stdout=out, stderr=err, environment=environment)
        code = main([places.get(word, word) for word in command if word != "home"], desk)
        yield " ".join(command), f"{code} {out.getvalue()} {err.getvalue()}"


def forms(canary: str) -> tuple[bytes, ...]:
    """Return how a canary could be written: as it is, in base64 (without its ends), in hex, backwards."""
    raw = canary.encode()
    encoded = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return (raw, raw.hex().encode(), raw[::-1], quote(canary).encode(), *encoded)


def test_no_credential_is_anywhere_but_where_it_is_used(
    runner: Runner, service: HttpService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In nothing that was answered, shown, logged, counted, told or kept, whether it goes well or wrong."""
    siege = Siege("canary secrets: logs, errors, pages, records, metrics, messages", "everything written")
    folder = runner.log_file.parent
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    written = {f"answer: {name} {number}": text.encode() for number, (name, text) in enumerate(spoken(runner, service))}
    written |= {f"output: {name}": text.encode() for name, text in typed(runner, folder)}
    wait_until(lambda: bool(runner.events("delivery")), "it is logged")
    written |= {f"message: {each.path}": each.body for each in service.asked if each.path != "/v2/enqueue"}
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("kubeconfig",)]
    written |= {f"file: {path.relative_to(folder)}": path.read_bytes() for path in kept}

    for place, content in written.items():
        for name, canary in {**CANARIES, "KUBECONFIG": KUBE_TOKEN}.items():
            found = [each for each in forms(canary) if each in content]
            siege.tried(f"{name} in {place}", refused=not found)
    lines = [line for line in runner.log_file.read_text().splitlines() if not line.startswith("{")]
    siege.tried(f"the log has lines that are no events: {lines[:3]}", refused=not lines)

    doors = {"/hook", "/drain", "/v2/enqueue", "/api/chat.postMessage"}
    assert doors <= {one.path for one in service.asked}
    siege.ends("nothing")
