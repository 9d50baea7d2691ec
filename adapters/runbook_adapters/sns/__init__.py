"""Adapter `sns`: a receiver that is told through a topic: people by e-mail and text message, programs by JSON.

The topic comes from engine.yaml, never from an alert. Delivering twice is harmless for whoever looks at `id`; a FIFO
topic drops the second delivery of one id by itself, for five minutes.
"""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings, clients_of
from runbook_adapters.sns.receiver import SnsReceiver
from runbook_adapters.sns.topic import Topic, checked_address
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class SnsSettings(AwsSettings, frozen=True, kw_only=True):
    """Which topic: its ARN, or where to find it. Without a region, the ARN's is used."""

    topic: str | SecretReference


def build(port: Port, settings: SnsSettings, context: AdapterContext) -> Served:
    """Serve one receiver; nothing is asked yet."""
    if port != "receiver":
        raise NoAdapter(f"sns does not serve {port}", "it serves receiver")
    given = settings.topic
    if isinstance(given, str):
        checked_address(given)

    def address() -> str:
        return given if isinstance(given, str) else context.secret(given)

    topic = Topic(address, clients_of(context, settings))
    return Served(writer=SnsReceiver(topic), probe=topic.probe)


ADAPTER = AdapterSpec(name="sns", provides=("receiver",), settings=SnsSettings, build=build)
