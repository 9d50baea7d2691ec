"""Adapter `lambda`: AWS Lambda functions as targets.

One choice under `adapters.functions` serves functions whole: their aliases, their environment, what was published of
them, and their logs.
"""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER"]


def build(port: Port, settings: AwsSettings, context: AdapterContext) -> Served:
    """Serve one port of one account and region; nothing is sent yet."""
    from runbook_adapters.aws.clients import clients_of
    from runbook_adapters.aws.identity import identify
    from runbook_adapters.cloudwatch.logs import CloudWatchLogReader
    from runbook_adapters.lambda_function.changes import LambdaChangeReader
    from runbook_adapters.lambda_function.environment import LambdaSettingReader, LambdaSettingWriter
    from runbook_adapters.lambda_function.looks import Looks
    from runbook_adapters.lambda_function.reader import LambdaFunctionReader
    from runbook_adapters.lambda_function.writer import LambdaFunctionWriter

    clients = clients_of(context, settings)
    looks = Looks(clients)
    match port:
        case "functions":
            return Served(
                reader=LambdaFunctionReader(looks),
                writer=LambdaFunctionWriter(looks, clients),
                probe=lambda: identify(clients),
            )
        case "settings":
            return Served(reader=LambdaSettingReader(looks), writer=LambdaSettingWriter(looks, clients))
        case "changes":
            return Served(reader=LambdaChangeReader(looks))
        case "logs":
            return Served(reader=CloudWatchLogReader(clients, context.clock, {}))
        case _:
            raise NoAdapter(f"lambda does not serve {port}", "it serves functions, settings, changes and logs")


ADAPTER = AdapterSpec(
    name="lambda",
    provides=("functions", "settings", "changes", "logs"),
    settings=AwsSettings,
    build=build,
    vendor="aws",
)
