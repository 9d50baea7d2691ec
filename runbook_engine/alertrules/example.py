"""A worked example: an installation on one machine, and one runbook that degrades, then adds capacity, tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runbook_engine.alertrules.naming import named

EXAMPLE: Final = "web-high-error-rate"
ENGINE: Final = """\
# The installation: who may send, what may be touched, who is told.
# No ceiling is set, so nothing acts by itself: every runbook proposes, and a person starts the plan.
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: first}}
clusters: [local]                     # by their aliases: what the label cluster of an alert says
adapters:                             # relative paths start at this file's folder
{served}  pause: {{adapter: files, path: ../.runbook/pause.json}}
  journal: {{adapter: sqlite, path: journal.sqlite3}}
scopes:
  prometheus: {{source: alertmanager}}  # Alertmanager posts to /hooks/prometheus
receivers:
  chat: {{adapter: console}}
  oncall: {{adapter: console}}
teams:
  {owner}: {{receiver: chat}}
{targets}"""
_SERVED: Final = """\
  cluster: [{adapter: process, place: local, folder: ../.runbook/deployments}]
  flags: {adapter: files, path: ../.runbook/flags.json, create: true}
"""
_TO_BE_SERVED: Final = (
    "  # Name here what serves your cluster and your metrics; until then a run says what is missing.\n"
)
_ALL_OF_ONE: Final = "targets: [deployment=shop/web, parameter=/web/*]  # nothing else may be changed, whoever asks\n"
_NOTHING: Final = "targets: []                           # nothing may be changed yet; as in deployment=apps/*\n"
_RUNBOOK: Final = """\
# A worked example. Take it apart, and let runbook lint, runbook test and runbook plan tell what it means.
apiVersion: runbook-engine/v1
kind: Runbook
metadata:
  name: web-high-error-rate
  owner: {owner}
  summary: Shed optional features, then add capacity; both are undone once the alert is over.
matchers:                             # all must hold
  - alertname = WebHighErrorRate
  - __severity__ =~ critical|high
target: {{namespace: shop, deployment: web}}
mode: propose                         # observe, propose, approve, auto; the installation's ceiling wins
strategy: escalate                    # stop at the first step after which verify passes
verify:
  - query: web:error_ratio
    below: 0.02                       # the error budget burns no faster than 2 %
    for: 30s
    timeout: 3m                       # errors end within a minute or two, or it did not help
guardrails:
  cooldown: 30m                       # the same remedy again so soon would hide the cause
  deadline: 1h                        # then a person has it, whatever came of it
  minimumFaultAge: 1m                 # a burst that passes by itself is left alone
steps:
  - name: shed-optional-features
    action: degrade
    with: {{parameter: /web/degraded_mode, value: "true"}}
    settle: 10s                       # the service rereads its flag within 10 s
    compensate: whenResolved
  - name: add-capacity
    action: scale
    with: {{by: 50%, upTo: 12}}
    settle: 30s                       # new replicas warm up before they count
    compensate: {{when: resolved, holdFor: 30m}}
notify:
  - {{receiver: chat, events: [started, changed, approval, ended]}}
  - {{receiver: oncall, events: [notFixed]}}
"""
_TEST: Final = """\
# Simulated time; a series has a sample every 15 s, and the last one stays.
apiVersion: runbook-engine/v1
kind: RunbookTest
runbooks: [web-high-error-rate.yaml]
interval: 15s
tests:
  - name: a person says yes, degrading alone fixes it, and it is undone ten minutes after the alert is over
    world:
      deployments: [{namespace: shop, name: web, replicas: 4}]
      parameters: {/web/degraded_mode: "false"}
      series: {web:error_ratio: 0.12x20 0.01}
    alerts:
      - {at: 0s, fires: {alertname: WebHighErrorRate, severity: critical}}
      - {at: 10m, resolves: {alertname: WebHighErrorRate, severity: critical}}
    signals: [{at: 3m, approve: shed-optional-features, by: ana}]
    expect:
      - {at: 2m, changes: 0, parameters: {/web/degraded_mode: "false"}}
      - {at: 9m, status: succeeded, ran: [shed-optional-features], parameters: {/web/degraded_mode: "true"}}
      - {at: 25m, compensation: undone, parameters: {/web/degraded_mode: "false"}}

  - name: a warning is not our business
    alerts: [{at: 0s, fires: {alertname: WebHighErrorRate, severity: warning}}]
    expect: [{at: 1m, matched: [], changes: 0}]
"""


def installation(owner: str, *, with_example: bool) -> str:
    """Return an engine.yaml for a first installation of one team."""
    served, targets = (_SERVED, _ALL_OF_ONE) if with_example else (_TO_BE_SERVED, _NOTHING)
    return ENGINE.format(owner=named(owner), served=served, targets=targets)


def worked_example(owner: str) -> Mapping[str, str]:
    """Return the files of a runbook and its test, by name."""
    return {f"{EXAMPLE}.yaml": _RUNBOOK.format(owner=named(owner)), f"{EXAMPLE}.test.yaml": _TEST}
