"""Sixty runbooks as installations really have them, with many that come near a defect and have none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SERVICES: Final = (
    ("checkout", "team-shop", 12),
    ("cart", "team-shop", 8),
    ("search", "team-search", 20),
    ("catalog", "team-search", 6),
    ("payments", "team-money", 10),
    ("invoices", "team-money", 4),
    ("mailer", "team-messages", 5),
    ("images", "team-messages", 16),
    ("login", "team-identity", 9),
    ("profiles", "team-identity", 7),
    ("orders", "team-shop", 14),
    ("stock", "team-money", 3),
)
TEAMS: Final = (*sorted({owner for _, owner, _ in SERVICES}), "team-platform")

_ERRORS = """
metadata: {{name: {service}-errors, owner: {owner}, summary: Shed what is optional and add capacity.}}
matchers: ["alertname = {title}Errors", "__severity__ =~ critical|high"]
inputs: {{cluster: {{type: cluster, from: alert.labels.cluster, default: local}}}}
target: {{cluster: "{{{{ inputs.cluster }}}}", namespace: apps, deployment: {service}}}
mode: [{{mode: auto, matchers: [environment = staging]}}, {{mode: approve}}]
strategy: escalate
verify: {{query: "{service}:error_ratio", below: 0.02, for: 30s, timeout: 3m}}
doNoHarm: {{query: "{service}:latency_p99", risesBy: 25%}}
guardrails: {{cooldown: 30m, deadline: 1h, budget: {{changes: 4, per: service, window: 1h}}}}
steps:
  - {{name: shed, action: degrade, with: {{parameter: /{service}/mode, value: "basic"}}, compensate: whenResolved}}
  - {{name: grow, action: scale, with: {{by: 50%, upTo: {most}}}, settle: 30s, compensate: whenResolved}}
"""
_IDLE = """
metadata: {{name: {service}-idle, owner: {owner}, summary: Give back what nobody uses.}}
matchers: ["alertname = {title}Idle"]
target: {{namespace: apps, deployment: {service}}}
mode: propose
verify: {{query: "{service}:latency_p99", below: 0.5, timeout: 5m}}
guardrails: {{cooldown: 2h, deadline: 30m}}
steps:
  - {{name: shrink, action: scale, with: {{by: "-25%", downTo: 2}}, settle: 1m, compensate: onFailure}}
"""
_CRASHING = """
metadata: {{name: {service}-crashing, owner: {owner}, summary: Restart once and then ask.}}
matchers: ["alertname = {title}Crashing"]
target: {{namespace: apps, deployment: {service}}}
strategy: escalate
verify: {{ready: 100%, for: 1m, timeout: 6m}}
guardrails: {{cooldown: 1h, deadline: 1h30m}}
steps:
  - {{name: restart, action: restart, settle: 30s, compensate: never}}
  - name: return
    when: {{changedWithin: 3h}}
    action: rollback
    with: {{to: lastHealthy}}
    approval: {{by: {owner}, timeout: 20m, onTimeout: next}}
    compensate: never
  - {{name: hand-over, action: ticket, with: {{receiver: oncall, text: "It crashes on."}}}}
"""
_LATENCY = """
metadata: {{name: {service}-slow, owner: {owner}, summary: Add capacity.}}
matchers: ["alertname =~ {title}(Slow|VerySlow)", "severity != info"]
target: {{namespace: apps, deployment: {service}}}
mode: auto
require: {{ready: 50%}}
verify: {{query: "{service}:latency_p99", below: 0.5, timeout: 4m}}
guardrails: {{cooldown: 30m, deadline: 30m, minimumFaultAge: 1m}}
steps:
  - {{name: grow, action: scale, with: {{by: 2, upTo: {most}}}, compensate: {{when: resolved, holdFor: 1h}}}}
"""
_NODE_INPUTS = """inputs:
  cluster: {type: cluster, from: alert.labels.cluster, default: local}
  node: {type: node, from: alert.labels.node}
target: {cluster: "{{ inputs.cluster }}", node: "{{ inputs.node }}"}
"""
_POD_INPUTS = """inputs:
  namespace: {type: namespace, from: alert.labels.namespace}
  pod: {type: pod, from: alert.labels.pod}
target: {workloadOf: {namespace: "{{ inputs.namespace }}", pod: "{{ inputs.pod }}"}}
"""
_PLATFORM = "owner: team-platform}\n"
NEAR_MISSES: Final = (
    # one target, and conditions that no alert satisfies both
    f"""metadata: {{name: node-disk, {_PLATFORM}matchers: [alertname = NodePressure, condition = DiskPressure]
{_NODE_INPUTS}guardrails: {{cooldown: 6h, deadline: 1h}}
steps:
  - {{name: close, action: cordon, compensate: onFailure}}
  - {{name: move, action: drain, compensate: never}}
""",
    f"""metadata: {{name: node-memory, {_PLATFORM}matchers: [alertname = NodePressure, condition = MemoryPressure]
{_NODE_INPUTS}guardrails: {{cooldown: 6h, deadline: 1h}}
steps:
  - {{name: close, action: cordon, compensate: onFailure}}
  - {{name: move, action: drain, compensate: never}}
""",
    f"""metadata: {{name: node-back, {_PLATFORM}matchers: [alertname = NodeWellAgain]
{_NODE_INPUTS}guardrails: {{cooldown: 1h, deadline: 1h}}
steps:
  - {{name: open, action: uncordon, compensate: never}}
""",
    # a page at once, and then only what a person may still want
    f"""metadata: {{name: node-silent, {_PLATFORM}matchers: [alertname =~ NodeNotReady|NodeUnreachable]
{_NODE_INPUTS}guardrails: {{cooldown: 1h, deadline: 1h}}
steps:
  - {{name: page, action: notify, with: {{receiver: oncall, text: "A node is silent."}}}}
  - {{name: close, when: {{nodeReady: false}}, action: cordon, compensate: never}}
""",
    # the same alerts as another one, of which it does more
    f"""metadata: {{name: pods-crash, {_PLATFORM}matchers: [alertname = PodCrashLooping]
{_POD_INPUTS}group: {{wait: 1m, maxTargets: 2, batches: [1]}}
verify: {{ready: 100%, timeout: 8m}}
guardrails: {{cooldown: 2h, deadline: 2h, budget: {{changes: 4, per: fleet, window: 1h}}}}
steps:
  - {{name: restart, action: restart, compensate: never}}
""",
    f"""metadata: {{name: pods-crash-evidence, {_PLATFORM}matchers: [alertname = PodCrashLooping]
{_POD_INPUTS}diagnostics: [{{events: {{only: warnings}}}}]
guardrails: {{cooldown: 10m, deadline: 30m}}
steps:
  - {{name: say-so, action: notify, with: {{receiver: chat, text: "Evidence is gathered."}}}}
""",
    # wider than the ones above, and other steps
    f"""metadata: {{name: pods-evidence, {_PLATFORM}matchers: ["alertname =~ Pod.+"]
{_POD_INPUTS}guardrails: {{cooldown: 10m, deadline: 30m}}
steps:
  - {{name: say-so, action: notify, with: {{receiver: chat, text: "Something is wrong with a pod."}}}}
""",
    # matches nearly everything, and only tells
    """metadata: {name: unknown-severity, owner: team-platform}
matchers: [__severity__ = unknown, __kind__ = alert]
target: none
mode: auto
guardrails: {cooldown: 1h, deadline: 30m}
steps:
  - {name: say-so, action: notify, with: {receiver: chat, text: "An alert says no severity we know."}}
""",
    # one thing set twice, by one team, and to one value
    """metadata: {name: login-flood, owner: team-identity}
matchers: [alertname = LoginFlood]
target: {namespace: apps, deployment: login}
verify: {query: "login:attempts", below: 100, timeout: 5m}
guardrails: {cooldown: 30m, deadline: 30m}
steps:
  - {name: limit, action: degrade, with: {parameter: /login/limit, value: "10"}, compensate: whenResolved}
""",
    """metadata: {name: login-guessing, owner: team-identity}
matchers: [alertname = LoginGuessing]
target: {namespace: apps, deployment: login}
verify: {query: "login:failures", below: 100, timeout: 5m}
guardrails: {cooldown: 30m, deadline: 30m, budget: {changes: 3, per: target, window: 6h}}
steps:
  - {name: limit, action: degrade, with: {parameter: /login/limit, value: "10"}, compensate: whenResolved}
""",
    # free text, where it only narrows what is asked
    """metadata: {name: queue-backlog, owner: team-messages}
matchers: [alertname = QueueBacklog]
inputs: {queue: {type: string, from: alert.labels.queue}, limit: {type: integer, default: "5"}}
target: {namespace: apps, deployment: queue-worker}
verify: {query: "queue:age_seconds", where: {queue: "{{ inputs.queue }}"}, below: 300, timeout: 10m}
guardrails: {cooldown: 1h, deadline: 30m, stepCap: {up: 100%}}
steps:
  - name: fewer-at-once
    action: degrade
    with: {parameter: /queue/limit, value: "{{ inputs.limit }}"}
    compensate: whenResolved
  - {name: grow, when: [{query: "queue:age_seconds", above: 300}, {query: "queue:age_seconds", below: 9000}],
     action: scale, with: {by: 100%, upTo: 30}, compensate: whenResolved}
""",
    # two modes, and the last rule is for the rest
    """metadata: {name: batch-late, owner: team-money}
matchers: [alertname = BatchLate]
target: {namespace: apps, deployment: batch}
mode:
  - {mode: auto, matchers: ["__severity__ =~ critical|high", environment = staging]}
  - {mode: approve, matchers: ["__severity__ =~ critical|high"]}
  - {mode: propose}
verify: {query: "batch:lag_seconds", below: 600, for: 2m, timeout: 15m}
guardrails: {cooldown: 1h, deadline: 1h}
steps:
  - {name: restart, action: restart, approval: {by: team-money, timeout: 15m, onTimeout: stop}, compensate: never}
notify:
  - {receiver: oncall, events: [notFixed], after: 30m}
""",
)


def write_clean_runbooks(folder: Path) -> None:
    """Write the sixty runbooks, and the installation that they are for."""
    teams = "".join(f"  {team}: {{receiver: chat}}\n" for team in TEAMS)
    (folder / "engine.yaml").write_text(
        "apiVersion: runbook-engine/v1\nkind: EngineConfig\nclusters: [local]\n"
        f"receivers: {{chat: {{adapter: console}}, oncall: {{adapter: console}}}}\nteams:\n{teams}"
    )
    for number, text in enumerate(_bodies()):
        whole = f"apiVersion: runbook-engine/v1\nkind: Runbook\n{text.lstrip()}"
        (folder / f"{number:02}.yaml").write_text(whole)


def _bodies() -> tuple[str, ...]:
    recipes = (_ERRORS, _IDLE, _CRASHING, _LATENCY)
    of_services = tuple(
        recipe.format(service=service, owner=owner, title=service.title(), most=most)
        for service, owner, most in SERVICES
        for recipe in recipes
    )
    return (*of_services, *NEAR_MISSES)
