"""Adapter `stepfunctions`: wakes a driver that waits for an answer under a task token."""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings, clients_of
from runbook_adapters.aws.identity import identify
from runbook_adapters.stepfunctions.callbacks import StepFunctionsCallbacks
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class StepFunctionsSettings(AwsSettings, frozen=True, kw_only=True):
    """Where the drivers run."""


def build(port: Port, settings: StepFunctionsSettings, context: AdapterContext) -> Served:
    """Serve the callbacks; nothing is asked yet."""
    if port != "callbacks":
        raise NoAdapter(f"stepfunctions does not serve {port}", "it serves callbacks")
    clients = clients_of(context, settings)
    return Served(writer=StepFunctionsCallbacks(clients), probe=lambda: f"answers for {identify(clients)}")


ADAPTER = AdapterSpec(name="stepfunctions", provides=("callbacks",), settings=StepFunctionsSettings, build=build)
