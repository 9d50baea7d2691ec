"""Adapter `ssm`: flags, the kill switch and secrets in the Parameter Store of AWS Systems Manager."""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings, Clients, clients_of
from runbook_adapters.aws.identity import identify
from runbook_adapters.ssm.flags import SsmFlagReader, SsmFlagWriter
from runbook_adapters.ssm.names import is_name
from runbook_adapters.ssm.pause import SsmPauseReader, SsmPauseWriter
from runbook_adapters.ssm.secrets import SsmSecretReader
from runbook_engine.errors import NoAdapter
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

EXACT = "parameter="  # as targets of engine.yaml name parameters


class SsmSettings(AwsSettings, frozen=True, kw_only=True):
    """Where the parameters are; of the kill switch, which one; of flags, what the version before ours is labelled."""

    parameter: str = ""  # pause: the one that holds the kill switch
    label: str = "runbook-engine-before"  # flags; empty = no version is labelled


def build(port: Port, settings: SsmSettings, context: AdapterContext) -> Served:
    """Serve one port from parameters; nothing is asked yet."""
    clients = clients_of(context, settings)
    match port:
        case "flags":
            _refuse_parameter(settings, port)
            reader = SsmFlagReader(clients)
            return Served(
                reader=reader,
                writer=SsmFlagWriter(clients, settings.label),
                probe=lambda: _probe_flags(clients, reader, context),
            )
        case "pause":
            return _pause(clients, settings, context)
        case "secrets":
            _refuse_parameter(settings, port)
            return Served(reader=SsmSecretReader(clients, context.clock), probe=lambda: _answers(clients))
        case _:
            raise NoAdapter(f"ssm does not serve {port}", "it serves flags, pause and secrets")


def _pause(clients: Clients, settings: SsmSettings, context: AdapterContext) -> Served:
    if not is_name(settings.parameter):
        says = f"{settings.parameter!r} is no parameter's name" if settings.parameter else "no parameter is named"
        raise NoAdapter(f"ssm cannot keep the kill switch: {says}", "set parameter: /runbook-engine/pause")
    reader = SsmPauseReader(clients, settings.parameter)

    def probe() -> str:
        thrown = reader.pause(context.clock.now())
        return f"{_answers(clients)}; {settings.parameter} is readable, {'thrown' if thrown else 'not thrown'}"

    return Served(reader=reader, writer=SsmPauseWriter(clients, settings.parameter), probe=probe)


def _refuse_parameter(settings: SsmSettings, port: Port) -> None:
    if settings.parameter:
        raise NoAdapter(f"ssm serves {port} from every parameter, not from one", "remove parameter: it is for pause")


def _answers(clients: Clients) -> str:
    return f"answers for {identify(clients)}"


def _probe_flags(clients: Clients, reader: SsmFlagReader, context: AdapterContext) -> str:
    """Read each parameter that the targets of engine.yaml name outright; of patterns nothing can be said."""
    named = (pattern[len(EXACT) :] for pattern in context.configuration.targets if pattern.startswith(EXACT))
    exact = [name for name in named if is_name(name)]
    for name in exact:
        reader.flag(Target("parameter", context.place, "", name))
    return f"{_answers(clients)}; readable: {', '.join(exact)}" if exact else _answers(clients)


ADAPTER = AdapterSpec(
    name="ssm", provides=("flags", "pause", "secrets"), settings=SsmSettings, build=build, vendor="aws"
)
