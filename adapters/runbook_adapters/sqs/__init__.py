"""Adapter `sqs`: queues of Amazon SQS, and the redrive of their dead letters."""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER"]


def build(port: Port, settings: AwsSettings, context: AdapterContext) -> Served:
    """Serve the queues of one account and region; nothing is sent yet."""
    from runbook_adapters.aws.clients import clients_of
    from runbook_adapters.aws.identity import identify
    from runbook_adapters.sqs.looks import Looks
    from runbook_adapters.sqs.reader import SqsReader
    from runbook_adapters.sqs.writer import SqsWriter

    if port != "queues":
        raise NoAdapter(f"sqs does not serve {port}", "it serves queues")
    clients = clients_of(context, settings)
    looks = Looks(clients)
    return Served(reader=SqsReader(looks), writer=SqsWriter(looks, clients), probe=lambda: identify(clients))


ADAPTER = AdapterSpec(name="sqs", provides=("queues",), settings=AwsSettings, build=build, vendor="aws")
