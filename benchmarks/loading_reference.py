"""What loading is measured against: the best parsers that are installed, and typed msgpack of the match section."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import yaml

Parse = Callable[[str], Any]
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata:
  name: service-{number}-error-rate
  owner: team-bench
  summary: Shed what is optional, and look whether that was enough.
matchers:
  - alertname = Service{number}Alert
  - __severity__ =~ critical|high
  - team = team-{team}
inputs:
  cluster: {{type: cluster, from: alert.labels.cluster, default: local}}
  service: {{type: workload, from: alert.labels.service}}
target: {{cluster: "{{{{ inputs.cluster }}}}", namespace: apps, deployment: "{{{{ inputs.service }}}}"}}
mode: auto
diagnostics:
  - graph: {{title: Error ratio, query: checkout:error_ratio, range: 1h}}
  - logs: {{pods: affected, lines: 100}}
links: {{dashboard: "https://grafana.example/d/{number}"}}
strategy: escalate
verify:
  - query: checkout:error_ratio
    where: {{cluster: "{{{{ inputs.cluster }}}}"}}
    below: 0.02
    for: 15s
    timeout: 2m
guardrails:
  cooldown: 30m
  deadline: 40m
  budget: {{changes: 5, per: service, window: 1h}}
steps:
  - name: shed-optional-features
    action: degrade
    with: {{parameter: /bench/{number}/degraded, value: "true"}}
    compensate: {{when: resolved, holdFor: 10m, onRefire: keep}}
  - name: add-capacity
    action: scale
    with: {{by: 50%, upTo: 12}}
    retry: {{attempts: 3, backoff: 5s}}
    settle: 30s
    compensate: {{when: resolved, holdFor: 30m, onRefire: keep}}
notify:
  - {{receiver: oncall, events: [notFixed]}}
"""
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: bench}
clusters: [local]
adapters: {flags: {adapter: files, path: ../flags.json, create: true}}
scopes: {bench: {source: alertmanager}}
teams: {team-bench: {receiver: oncall}}
receivers: {oncall: {adapter: console}}
targets: ["parameter=/bench/*", "deployment=apps/*"]
"""


class _Metadata(msgspec.Struct):
    name: str
    owner: str
    summary: str = ""


class Written(msgspec.Struct):
    """A runbook as loosely typed as can be: what any validation has to do at the least."""

    apiVersion: str
    kind: str
    metadata: _Metadata
    matchers: list[str]
    inputs: dict[str, dict[str, str]]
    target: dict[str, str]
    mode: str
    diagnostics: list[dict[str, Any]]
    links: dict[str, str]
    strategy: str
    verify: list[dict[str, Any]]
    guardrails: dict[str, Any]
    steps: list[dict[str, Any]]
    notify: list[dict[str, Any]]


class MatchSection(msgspec.Struct):
    """What is read of a runbook to know when it is meant."""

    name: str
    order: int
    matchers: list[tuple[str, str, str]]


def texts(count: int) -> list[str]:
    """Return so many runbooks of some fifty lines."""
    return [RUNBOOK.format(number=number, team=number % 20) for number in range(count)]


def parsers() -> dict[str, Parse]:
    """Return the parsers that are installed, by name."""
    found: dict[str, Parse] = {}
    if hasattr(yaml, "CSafeLoader"):
        found["PyYAML, libyaml"] = lambda text: yaml.load(text, Loader=yaml.CSafeLoader)
    else:
        found["PyYAML"] = yaml.safe_load
    for module, function in (("ryaml", "loads"), ("yaml_rs", "loads"), ("rapidyaml", "loads")):
        try:
            found[module] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError):
            continue
    return found


def validated(parse: Parse, written: Sequence[str]) -> list[Written]:
    """Parse all texts and check their types."""
    return [msgspec.convert(parse(text), Written) for text in written]
