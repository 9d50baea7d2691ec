"""The adapters for targets in AWS cost nothing until one is asked something."""

from __future__ import annotations

import subprocess
import sys

BUILD = """
import sys
from pathlib import Path
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import AdapterContext
from runbook_adapters import cloudwatch, lambda_function, sqs, ssm_automation
context = AdapterContext(
    clock=None, configuration=Configuration(), base=Path(), state=Path(), secret=lambda reference: "", common={}
)
for adapter in (cloudwatch.ADAPTER, lambda_function.ADAPTER, sqs.ADAPTER, ssm_automation.ADAPTER):
    for port in adapter.provides:
        adapter.build(port, adapter.settings(), context)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "pydantic", "jinja2", "yaml"}))
"""


def test_nothing_heavy_is_loaded_when_adapters_are_built() -> None:
    """boto3 takes longer to load than an alert to be taken in."""
    built = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True)

    assert "[]\n" == built.stdout
