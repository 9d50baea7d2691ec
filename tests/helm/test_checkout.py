"""The chart of the checkout service: what the service reads, what the engine looks for, what the rules say."""

import json
import re
from pathlib import Path

import pytest
import yaml

from knobs import NAMES, Knobs, load_knobs
from settings import read_settings
from tests.docs.pages import blocks_of
from tests.helm.chart import CHECKOUT, ROOT, Manifest, Rendered
from tests.helm.values_of import given_values, named_values, unexplained_values

SETS = pytest.mark.parametrize("values", CHECKOUT.values)
HOUSE = {"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}
LATENCY = ROOT / "runbooks/checkout/high-latency.yaml"


def variables(rendered: Rendered) -> dict[str, str]:
    """Return the environment of the service."""
    return {one["name"]: one["value"] for one in rendered.container_named("checkout")["env"]}


def volumes(rendered: Rendered) -> dict[str, Manifest]:
    """Return the volumes of the pod by where the service finds them."""
    kinds = {one["name"]: one for one in rendered.pod["spec"]["volumes"]}
    return {one["mountPath"]: kinds[one["name"]] for one in rendered.container_named("checkout")["volumeMounts"]}


@SETS
def test_chart_lints_strictly(values: str) -> None:
    """Helm's own linter has nothing to say against any set of values."""
    done = CHECKOUT.lint(values)

    assert "0 chart(s) failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@SETS
def test_manifests_are_named_labelled_and_told_apart(values: str) -> None:
    """Every manifest says whose it is and where it belongs, and none comes twice."""
    rendered = CHECKOUT.render(values)

    assert len(rendered) > 3
    assert all(set(one["metadata"]["labels"]) >= HOUSE for one in rendered)
    assert {"apps"} == {one["metadata"]["namespace"] for one in rendered}
    assert len(rendered) == len({(one["kind"], one["metadata"]["name"]) for one in rendered})


def test_target_of_the_runbooks_is_what_the_chart_makes() -> None:
    """The Deployment is apps/checkout, and the engine reads the service from its label."""
    rendered = CHECKOUT.render("production")
    target = yaml.safe_load(LATENCY.read_text())["target"]
    metadata = rendered.one("Deployment")["metadata"]

    assert (target["namespace"], target["deployment"]) == (metadata["namespace"], metadata["name"])
    assert "checkout" == metadata["labels"]["app.kubernetes.io/name"]


def test_autoscaler_may_grow_as_far_as_the_runbooks_do() -> None:
    """A ceiling below theirs would stop the runbook before it is done."""
    steps = yaml.safe_load(LATENCY.read_text())["steps"]
    autoscaler = CHECKOUT.render("production").one("HorizontalPodAutoscaler")["spec"]

    assert {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"} == autoscaler["scaleTargetRef"]
    assert max(step["with"]["upTo"] for step in steps) == autoscaler["maxReplicas"]


@pytest.mark.parametrize(("values", "replicas"), [("minimal", 3), ("full", 4), ("production", None)])
def test_deployment_counts_only_where_no_autoscaler_does(values: str, replicas: int | None) -> None:
    """Two that write one number would undo each other at every upgrade."""
    spec = CHECKOUT.render(values).one("Deployment")["spec"]

    assert replicas == spec.get("replicas")


@SETS
def test_pod_has_as_few_rights_as_a_pod_can_have(values: str) -> None:
    """Nobody is root, nothing of the image can be changed, and no token of the API server is there."""
    rendered = CHECKOUT.render(values)
    spec = rendered.pod["spec"]

    assert (True, 10001) == (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"])
    assert not spec["automountServiceAccountToken"]
    assert all(not one["automountServiceAccountToken"] for one in rendered.of("ServiceAccount"))
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]


@SETS
def test_what_the_service_writes_is_on_volumes_of_its_own(values: str) -> None:
    """On a read-only root filesystem the workers' figures and gunicorn's heartbeat need a place."""
    rendered = CHECKOUT.render(values)

    found = volumes(rendered)

    assert "emptyDir" in found[variables(rendered)["PROMETHEUS_MULTIPROC_DIR"]]
    assert "emptyDir" in found["/tmp"]  # the path in the pod


@SETS
def test_service_takes_every_setting_of_the_chart(values: str) -> None:
    """The service itself reads the environment, and its README knows each variable."""
    rendered = CHECKOUT.render(values)
    environment = variables(rendered)
    given = yaml.safe_load(CHECKOUT.values[values].read_text())
    readme = (ROOT / "apps/checkout/README.md").read_text()

    read = read_settings(environment)

    assert all(f"`{name}`" in readme for name in environment.keys() - given.get("env", {}).keys())
    assert given.get("degradedMode", False) == read.degraded_mode
    assert (read.flag_store is not None) == (given.get("flags", {}).get("source", "none") != "none")
    assert Knobs() == read.knobs


def test_flag_of_the_service_is_the_parameter_of_the_runbook() -> None:
    """What the first step of checkout-high-error-rate sets is what the service reads."""
    step = yaml.safe_load((ROOT / "runbooks/checkout/high-error-rate.yaml").read_text())["steps"][0]

    for values in ("production", "ingress-hpa"):
        assert step["with"]["parameter"] == variables(CHECKOUT.render(values))["FLAG_NAME"]


def test_flag_store_in_a_config_map_follows_it() -> None:
    """A file mounted by itself would never change; the folder does."""
    rendered = CHECKOUT.render("ingress-hpa")
    store = Path(variables(rendered)["FLAG_STORE"])
    (flags,) = [one for one in rendered.of("ConfigMap") if one["metadata"]["name"] == "checkout-flags"]

    assert {"name": "checkout-flags"} == volumes(rendered)[str(store.parent)]["configMap"]
    assert {"flags": {}} == json.loads(flags["data"][store.name])
    mounts = rendered.container_named("checkout")["volumeMounts"]
    assert not any("subPath" in mount for mount in mounts)


def test_knobs_that_the_chart_writes_are_those_that_the_service_reads(tmp_path: Path) -> None:
    """Error ratio, latency and crashes arrive as they were said."""
    rendered = CHECKOUT.render("full")
    file = Path(variables(rendered)["KNOBS_FILE"])
    (knobs,) = [one for one in rendered.of("ConfigMap") if one["metadata"]["name"] == "shop-till-knobs"]
    (tmp_path / file.name).write_text(knobs["data"][file.name])

    read = load_knobs(tmp_path / file.name, {})

    assert Knobs(error_rate=0.25, latency=1.5, crash_rate=0.001) == read
    assert "configMap" in volumes(rendered)[str(file.parent)]


@pytest.mark.parametrize("values", ["minimal", "production"])
def test_service_knows_no_knob_without_chaos(values: str) -> None:
    """What is not there cannot be turned."""
    assert not {"KNOBS_FILE", *NAMES} & variables(CHECKOUT.render(values)).keys()


@SETS
def test_pod_has_time_to_end(values: str) -> None:
    """Load balancers stop sending, then gunicorn finishes, and only then is anything killed."""
    rendered = CHECKOUT.render(values)
    container = rendered.container_named("checkout")
    command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])

    needed = int(command[1]) + int(variables(rendered)["GRACEFUL_TIMEOUT"])

    assert rendered.pod["spec"]["terminationGracePeriodSeconds"] > needed


@SETS
def test_probes_ask_paths_that_the_service_has(values: str) -> None:
    """A worker that hangs is started anew; one that cannot answer yet gets no traffic."""
    container = CHECKOUT.render(values).container_named("checkout")
    app = (ROOT / "apps/checkout/app.py").read_text()

    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}

    assert {"port": "http", "path": "/healthz/live"} == asked["startup"] == asked["liveness"]
    assert {"port": "http", "path": "/healthz/ready"} == asked["readiness"]
    assert all(f'@app.get("{probe["path"]}")' in app for probe in asked.values())


def test_release_and_its_cause_are_told_to_the_engine() -> None:
    """The cause stands where Kubernetes copies it to the ReplicaSet, and does not make a release by itself."""
    rendered = CHECKOUT.render("ingress-hpa")

    metadata = rendered.one("Deployment")["metadata"]

    assert {"kubernetes.io/change-cause": "build 412, commit 3f2a9c1"} == metadata["annotations"]
    assert "annotations" not in rendered.pod["metadata"]
    assert "412" == variables(rendered)["RELEASE"]
    assert "2026-01-05.1" == variables(CHECKOUT.render("production"))["RELEASE"]


@pytest.mark.parametrize("values", ["production", "full"])
def test_rules_arrive_as_they_are_written(values: str) -> None:
    """Nothing in a rule file is a template of Helm, though it looks like one."""
    files = sorted((CHECKOUT.folder / "rules").glob("*.yaml"))

    specs = [rule["spec"] for rule in CHECKOUT.render(values).of("PrometheusRule")]

    assert [yaml.safe_load(file.read_text()) for file in files] == specs
    assert specs


def test_selectors_all_find_the_pod() -> None:
    """Deployment, Service, budget, policy, spread and monitor mean the labels that pod and Service carry."""
    rendered = CHECKOUT.render("production")
    labels = rendered.pod["metadata"]["labels"]
    service = rendered.one("Service")

    selectors = [
        rendered.one("Deployment")["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        rendered.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        rendered.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in rendered.pod["spec"]["topologySpreadConstraints"]),
    ]

    assert len(selectors) == 6
    assert all(selector and selector.items() <= labels.items() for selector in selectors)
    monitor = rendered.one("ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [{"port": "http", "path": "/metrics", "interval": "15s"}] == monitor["endpoints"]


def test_ingress_leads_to_the_service_and_not_to_its_metrics() -> None:
    """Outside there is one path."""
    rendered = CHECKOUT.render("ingress-hpa")
    spec = rendered.one("Ingress")["spec"]

    assert ["shop.example.test", "*.shop.example.test"] == [rule["host"] for rule in spec["rules"]]
    for rule in spec["rules"]:
        (path,) = rule["http"]["paths"]
        assert ("/checkout", "Prefix") == (path["path"], path["pathType"])
        assert {"service": {"name": "checkout", "port": {"name": "http"}}} == path["backend"]


def test_what_nobody_may_is_written_as_nobody() -> None:
    """An empty list of peers would mean everybody, so it makes no rule."""
    (only,) = CHECKOUT.render("full").one("NetworkPolicy")["spec"]["ingress"]

    assert [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.9.0/24"]}}] == only["from"]


def test_values_of_the_documentation_are_taken() -> None:
    """What docs/deploying.md proposes is watched, grown by its autoscaler, and reads its flag."""
    (block,) = [each for each in blocks_of(ROOT / "docs/deploying.md") if each.text.startswith("serviceMonitor:")]

    rendered = CHECKOUT.render(yaml.safe_load(block.text))

    kinds = {one["kind"] for one in rendered}
    assert {"ServiceMonitor", "PrometheusRule", "HorizontalPodAutoscaler"} <= kinds
    assert rendered.container_named("mirror-flag")


def test_schema_names_exactly_the_values() -> None:
    """A value without a schema would be refused, a schema without a value would be a lie."""
    assert given_values(CHECKOUT) | {"global"} == named_values(CHECKOUT)


def test_readme_explains_every_value() -> None:
    """Whoever reads the README finds each value by its name."""
    assert set() == unexplained_values(CHECKOUT)


def test_full_set_differs_from_every_default() -> None:
    """What is never set in a test is never seen."""
    default = yaml.safe_load((CHECKOUT.folder / "values.yaml").read_text())
    full = yaml.safe_load(CHECKOUT.values["full"].read_text())

    assert default.keys() == full.keys()
    assert set() == {name for name in default if default[name] == full[name]}


def test_notes_warn_of_a_service_that_no_runbook_knows_and_no_alert_watches() -> None:
    """A name or a namespace of one's own, and alerts that are off, are said after the installation."""
    elsewhere = CHECKOUT.notes("minimal", namespace="shop")
    good = CHECKOUT.notes("production")

    assert (
        "WARNING: the shipped runbooks look after deployment=apps/checkout, and this is deployment=shop/checkout.\n"
        "  Install the release as checkout into the namespace apps, or change the runbooks' target.\n"
    ) in elsewhere
    assert "WARNING: NO ALERTS. prometheusRule.enabled is off" in elsewhere
    assert "WARNING" not in good
    assert re.search(r"Degraded mode: the parameter /checkout/degraded_mode in eu-central-1\. ", good)
