"""Who hears what: the Alertmanager of the values, asked about every alert that our rules can raise."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import ROOT, RUNNER
from tests.helm.platform_files import alerts, stack_values
from tests.tools import find_tool

VALUES = stack_values("alertmanager")["alertmanager"]
CONFIG = VALUES["config"]
SECRETS = "/etc/alertmanager/secrets/"
LOUD = ("critical", "high", "page")
ALERTS = {(rule["alert"], rule["labels"]["severity"]): rule["labels"] for rule in alerts()}


def answered_names() -> Iterator[re.Pattern[str]]:
    """Yield the names of alerts that the shipped runbooks of a cluster answer to."""
    for folder in ("checkout", "kubernetes"):
        for path in sorted((ROOT / "runbooks" / folder).glob("*.yaml")):
            for document in yaml.load_all(path.read_text(), yaml.CSafeLoader):
                yield from names_in(document["matchers"] if document["kind"] == "Runbook" else ())


def names_in(matchers: Sequence[str]) -> Iterator[re.Pattern[str]]:
    """Yield the names that the matchers of a runbook take."""
    for matcher in matchers:
        if found := re.fullmatch(r"alertname (=~?) (.+)", matcher):
            yield re.compile(found[2] if found[1] == "=~" else re.escape(found[2]))


ANSWERED = tuple(answered_names())


def is_answered(name: str) -> bool:
    """Whether a shipped runbook answers to an alert of this name."""
    return any(pattern.fullmatch(name) for pattern in ANSWERED)


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Alertmanager's own tool."""
    command = [str(find_tool("amtool")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def receivers(config: Path, labels: Mapping[str, str]) -> set[str]:
    """Return who hears of an alert with these labels."""
    words = [f"{name}={value}" for name, value in labels.items()]
    done = amtool("config", "routes", "test", f"--config.file={config}", *words)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.strip().split(","))


def settings_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from settings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from settings_of(inner)


def route_to(receiver: str, wait: str | None = None) -> Mapping[str, Any]:
    """Return the route to a receiver, of several the one with this wait."""
    (found,) = [
        route
        for route in CONFIG["route"]["routes"]
        if route["receiver"] == receiver and (wait is None or route.get("group_wait") == wait)
    ]
    route: Mapping[str, Any] = found
    return route


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration as the operator hands it to Alertmanager."""
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def test_alertmanager_takes_the_configuration(config: Path) -> None:
    """Its own tool finds nothing wrong."""
    done = amtool("check-config", str(config))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 receivers" in done.stdout


@pytest.mark.parametrize(("name", "severity"), ALERTS, ids="-".join)
def test_alert_reaches_the_runner_exactly_when_a_runbook_answers_to_it(config: Path, name: str, severity: str) -> None:
    """And always a person besides: at once, or when it still fires ten minutes later."""
    people = {"oncall" if severity in LOUD else "chat"}

    heard = receivers(config, {"alertname": name, "cluster": "in-cluster", **ALERTS[name, severity]})

    assert people | ({"runner"} if is_answered(name) else set()) == heard


def test_shipped_runbooks_have_alerts_among_ours() -> None:
    """The table above asks about both kinds of alerts, those about the engine too."""
    answered = {name for name, _ in ALERTS if is_answered(name)}

    assert len(answered) > 8
    assert all(any(pattern.fullmatch(name) for name in answered) for pattern in ANSWERED)
    assert sum(labels.get("runbook_engine") == "self" for labels in ALERTS.values()) > 10


@pytest.mark.parametrize(
    ("labels", "heard"),
    [
        pytest.param({"alertname": "Watchdog", "severity": "none"}, {"nobody"}, id="the heartbeat before one is named"),
        pytest.param({"alertname": "InfoInhibitor", "severity": "none"}, {"nobody"}, id="a tool of Alertmanager's"),
        pytest.param({"alertname": "SomethingElse", "severity": "critical"}, {"oncall"}, id="an alert of others"),
        pytest.param({"alertname": "SomethingElse"}, {"chat"}, id="an alert without a severity"),
        pytest.param({"alertname": "CheckoutHighErrorRateOfMine", "severity": "high"}, {"oncall"}, id="a longer name"),
        pytest.param(
            {"alertname": "CheckoutHighErrorRate", "severity": "high", "runbook_engine": "self"},
            {"oncall"},
            id="the engine's own under a name that is answered",
        ),
    ],
)
def test_alert_is_heard_by(config: Path, labels: Mapping[str, str], heard: set[str]) -> None:
    """What is not ours has its place too."""
    assert heard == receivers(config, labels)


def test_engine_is_never_told_of_itself_however_far_the_route_is_widened(tmp_path: Path) -> None:
    """Somebody will write alertname =~ ".+" one day."""
    (names,) = {matcher for matcher in route_to("runner")["matchers"] if matcher.startswith("alertname")}
    widened = yaml.safe_dump(CONFIG, width=10_000).replace(names, 'alertname =~ ".+"')
    (tmp_path / "alertmanager.yml").write_text(widened)

    own = [labels | {"alertname": name} for (name, _), labels in ALERTS.items() if "runbook_engine" in labels]

    assert {"runner", "chat"} == receivers(tmp_path / "alertmanager.yml", {"alertname": "Any", "severity": "warning"})
    assert all("runner" not in receivers(tmp_path / "alertmanager.yml", labels) for labels in own[:3])


def test_heartbeat_is_heard_once_the_dead_man_is_named(tmp_path: Path) -> None:
    """What stands ready in comments is taken by Alertmanager as it is, and nothing else changes."""
    text = (ROOT / "helm/observability/alertmanager-values.yaml").read_text()
    named = re.sub(r"^( *)#: ", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(yaml.safe_load(named)["alertmanager"]["config"]))

    checked = amtool("check-config", str(tmp_path / "alertmanager.yml"))

    assert checked.returncode == 0, checked.stderr
    assert "5 receivers" in checked.stdout
    assert receivers(tmp_path / "alertmanager.yml", {"alertname": "Watchdog", "severity": "none"}) == {"dead-man"}
    assert receivers(tmp_path / "alertmanager.yml", {"alertname": "Any", "severity": "critical"}) == {"oncall"}


def test_no_webhook_leads_nowhere() -> None:
    """An address of example fails for ever, and what alarms for ever is not looked at."""
    urls = [value for key, value in settings_of(CONFIG["receivers"]) if key == "url"]

    assert urls == ["http://runner-runbook-engine.runbooks.svc:8930/hooks/alertmanager"]


def test_rule_about_the_way_to_the_runner_names_what_is_routed_there() -> None:
    """An alert that is forgotten there could fire undelivered, and nobody would be told of the cut way."""
    (rule,) = (rule for rule in alerts() if rule["alert"] == "RunbookEngineUnreachable")
    named = re.findall(r'alertname=~"([^"]+)"', rule["expr"])
    routed = [matcher for matcher in route_to("runner")["matchers"] if matcher.startswith("alertname")]

    assert [f'alertname =~ "{names}"' for names in named] == routed


def test_runner_hears_at_once_and_of_the_end() -> None:
    """Minutes are spent by what is ill, not by the way of the alert."""
    route = route_to("runner")
    (webhook,) = next(one for one in CONFIG["receivers"] if one["name"] == "runner")["webhook_configs"]

    assert ("1s", "15s", True) == (route["group_wait"], route["group_interval"], route["continue"])
    assert webhook["send_resolved"] is True
    assert route["matchers"] == route_to("chat", "10m")["matchers"]


def test_webhook_is_the_address_and_the_token_of_the_runner() -> None:
    """Service, port, scope and Secret are those of the runner's chart as scripts/deploy.sh installs it."""
    rendered = RUNNER.render("default")
    service = rendered.one("Service")
    config = yaml.safe_load(rendered.of("ConfigMap")[0]["data"]["engine.yaml"])
    (webhook,) = next(one for one in CONFIG["receivers"] if one["name"] == "runner")["webhook_configs"]
    (secret,) = config["tokens"]["alertmanager"]["secrets"]

    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"

    assert f"http://{host}/hooks/{next(iter(config['scopes']))}" == webhook["url"]
    kept = secret["file"].removeprefix("/etc/runbook/secrets/")
    assert f"{SECRETS}{kept}" == webhook["http_config"]["authorization"]["credentials_file"]


def test_no_secret_stands_in_the_values_and_each_file_is_mounted() -> None:
    """Every credential is read from a file of a Secret that the operator mounts."""
    settings = dict(settings_of(CONFIG["receivers"]))
    files = [value for key, value in settings_of(CONFIG["receivers"]) if key.endswith("_file")]
    mounted = set(VALUES["alertmanagerSpec"]["secrets"])

    assert not {"credentials", "api_url", "routing_key", "service_key", "password", "bearer_token"} & settings.keys()
    assert len(files) == 3
    assert mounted == {file.removeprefix(SECRETS).partition("/")[0] for file in files}
    assert all(file.startswith(SECRETS) for file in files)
