"""What changes read parts alerts into runs of their own; what is only told to people parts nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import load_valid_files
from runbook_engine.registry import Registry

RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {{name: r, owner: team}}
matchers: [alertname = A]
inputs:
  pool: {{type: workload, from: alert.labels.pool}}
  pod: {{type: pod, from: alert.labels.pod, default: web-0}}
target: {target}
guardrails: {{cooldown: 5m, deadline: 10m}}
steps:
  - {step}
  - {{name: tell, action: notify, with: {{receiver: chat, text: "{{{{ inputs.pod }}}} is bad"}}, compensate: never}}
"""
DEGRADE = 'name: s, action: degrade, with: {parameter: /x, value: "{{ inputs.pool }}"}, compensate: never'
RESTART = "name: s, action: restart, compensate: never"


@pytest.mark.parametrize(
    ("target", "step", "apart"),
    [
        pytest.param("none", DEGRADE, (("inputs", "pool"),), id="an argument of a change"),
        pytest.param("{parameter: /x}", DEGRADE, (("inputs", "pool"),), id="beside a target that is always the same"),
        pytest.param("{namespace: apps, deployment: web}", RESTART, (), id="a change that reads nothing"),
        pytest.param(
            "none",
            'name: s, action: restart, target: {namespace: apps, deployment: "{{ inputs.pool }}"}, compensate: never',
            (("inputs", "pool"),),
            id="a step's own target",
        ),
        pytest.param(
            "workloadOf-pod",
            RESTART,
            (),
            id="a workload that any of its pods leads to",
        ),
    ],
)
def test_alerts_part_when_changes_read_what_tells_them_apart(
    tmp_path: Path, target: str, step: str, apart: tuple[tuple[str, ...], ...]
) -> None:
    """The title of a message reads the pod in each of them, and parts nobody."""
    if target == "workloadOf-pod":
        target = '{workloadOf: {namespace: apps, pod: "{{ inputs.pod }}"}}'
    (tmp_path / "r.yaml").write_text(RUNBOOK.format(target=target, step="{" + step + "}"))

    (runbook,) = load_valid_files([tmp_path], Registry()).bundle.runbooks

    assert apart == runbook.apart
