"""An installation as people make one: engine.yaml, and a runbook a repeat class.

The lease is short, so that what a dead worker had in hand is taken over after a second.
"""

from __future__ import annotations

from pathlib import Path

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: chaos}}
adapters:
  flags: {{adapter: files, path: ../flags.json, create: true}}
  metrics: {{adapter: prometheus, url: "{url}"}}
  requests: {{adapter: http}}
scopes: {{shop: {{source: alertmanager}}}}
receivers:
  chat: {{adapter: console}}
  oncall: {{adapter: webhook, url: {{env: ONCALL_URL}}}}
teams: {{team-shop: {{receiver: chat}}}}
targets: ["parameter=/shop/*", "request=*"]
modeCeiling: auto
limits: {{lease: 1s, maxOpenExecutions: 5000}}
storm: {{maxTargets: 1000, within: 1s}}
requests:
  drain-pool:
    method: POST
    url: {url}/pools/{{{{ parameters.thing }}}}
    parameters: [thing]
    effect: {{says: takes a pool out of the load balancer, repeat: token, changes: thing}}
    approval: none
  cool-cache:
    method: PUT
    url: {url}/caches/{{{{ parameters.thing }}}}
    body: {{state: cold}}
    parameters: [thing]
    effect: {{says: declares a cache cold, repeat: declarative, changes: thing}}
    approval: none
  fail-over:
    method: POST
    url: {url}/primaries/{{{{ parameters.thing }}}}
    parameters: [thing]
    effect: {{says: fails over to the other primary, repeat: once, changes: thing}}
    approval: none
"""
HEAD = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {{name: {name}, owner: team-shop, summary: Act on one thing.}}
matchers: ["alertname = {alert}"{matcher}]
inputs:
  thing: {{type: namespace, from: alert.labels.thing}}
target: {{parameter: "/shop/{{{{ inputs.thing }}}}"}}
mode: auto
verify: {{query: shop:error_ratio, below: 0.02, timeout: 1m}}
guardrails: {{cooldown: 2m, deadline: 30m}}
notify:
  - {{receiver: chat, events: [started, changed, ended]}}
  - {{receiver: oncall, events: [notFixed]}}
"""
REQUEST = """\
steps:
  - name: send
    action: http
    with: {{request: {request}, arguments: {{thing: "{{{{ inputs.thing }}}}"}}}}
"""
FLAG = """\
steps:
  - name: shed
    action: degrade
    with: {parameter: "/shop/{{ inputs.thing }}", value: "true"}
    compensate: {when: resolved, holdFor: 1s}
"""
ALERTS = {"token": "PoolAtFault", "declarative": "CacheStale", "once": "PrimaryDown", "flag": "ShopBusy"}
LANES = 6  # runbooks for primaries: one whose run ended unknown is demoted, and asks first from then on


def install(folder: Path, url: str) -> None:
    """Write an installation into a folder; what it changes and whom it pages is at the url."""
    runbooks = folder / "runbooks"
    runbooks.mkdir()
    (runbooks / "engine.yaml").write_text(CONFIG.format(url=url))
    (runbooks / "pool.yaml").write_text(_request("pool-at-fault", "token", "drain-pool"))
    (runbooks / "cache.yaml").write_text(_request("cache-stale", "declarative", "cool-cache"))
    (runbooks / "shop.yaml").write_text(_head("shop-busy", "flag") + FLAG)
    review(folder, 0)


def review(folder: Path, number: int) -> None:
    """Commit a review of the runbooks for primaries: what was demoted acts again, once the runner has read it."""
    for lane in range(LANES):
        text = _request(f"primary-down-{lane}", "once", "fail-over", f', "lane = {lane}"')
        reviewed = text.replace("summary:", f"reviewed: the {number}th time, summary:")
        (folder / "runbooks" / f"primary-{lane}.yaml").write_text(reviewed)


def _request(name: str, kind: str, request: str, matcher: str = "") -> str:
    return _head(name, kind, matcher) + REQUEST.format(request=request)


def _head(name: str, kind: str, matcher: str = "") -> str:
    return HEAD.format(name=name, alert=ALERTS[kind], matcher=matcher)
