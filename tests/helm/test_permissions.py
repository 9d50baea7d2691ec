"""The rights that runbooks need, from the engine into the chart."""

from pathlib import Path

from runbook_engine.loading.files import load_files
from runbook_engine.permissions import grants_of
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import helm_values, rules_by_namespace
from tests.helm.chart import render

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [prod]
receivers: {chat: {adapter: console}}
teams: {team-shop: {receiver: chat}}
targets: [deployment=shop/cart]
modeCeiling: auto
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: cart-stuck, owner: team-shop}
matchers: [alertname = CartStuck]
target: {namespace: shop, deployment: cart}
mode: auto
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: restart, action: restart, compensate: never}
"""


def test_rights_that_the_engine_prints_are_the_ones_that_the_chart_grants(tmp_path: Path) -> None:
    """What `runbook permissions --format helm` writes is a values file, and no rule of it is lost or widened."""
    (tmp_path / "cart.yaml").write_text(RUNBOOK)
    (tmp_path / "engine.yaml").write_text(CONFIG)
    registry = Registry()
    loaded = load_files([tmp_path], registry)
    grants = grants_of(loaded.bundle.runbooks, loaded.bundle.configuration, registry)

    rendered = render(helm_values(grants))

    rules = {role["metadata"].get("namespace", ""): role["rules"] for role in rendered if "rules" in role}
    assert () == loaded.errors
    assert any(verb == "patch" for rule in rules["shop"] for verb in rule["verbs"])
    assert rules_by_namespace(grants) == rules
