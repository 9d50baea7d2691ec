"""A topic: its ARN, which is checked, and what asks and tells it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.identity import identify
from runbook_adapters.aws.problems import looking
from runbook_engine.errors import NoAdapter

SERVICE = "sns"
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(?P<fifo>\.fifo)?")


class Topic:
    """One topic. Its address may be found only when it is needed."""

    def __init__(self, find: Callable[[], str], clients: Clients) -> None:
        self._find = find
        self._clients = clients

    def address(self) -> str:
        """Return its ARN. Raises NoAdapter."""
        return checked_address(self._find())

    @property
    def clients(self) -> Clients:
        """Return clients where the topic is, unless engine.yaml says where to ask. Raises NoAdapter."""
        settings = self._clients.settings
        if settings.region:
            return self._clients
        found = TOPIC.fullmatch(self.address())
        region = found["region"] if found is not None else ""
        return Clients(msgspec.structs.replace(settings, region=region), self._clients.sessions)

    def sender(self) -> Any:
        """Return what publishes to it."""
        return self.clients.touching(SERVICE)

    def probe(self) -> str:
        """Say who asks, and how many hear it. Raises NoAdapter, Unreadable."""
        address, client = self.address(), self.clients.looking(SERVICE)
        who = identify(self.clients)
        with looking(f"topic {address}"):
            attributes = client.get_topic_attributes(TopicArn=address)["Attributes"]
        heard, pending = attributes.get("SubscriptionsConfirmed", "0"), attributes.get("SubscriptionsPending", "0")
        return f"answers for {who}; {address} has {heard} confirmed subscriptions, {pending} pending"


def checked_address(address: str) -> str:
    """Return the ARN of a topic. Raises NoAdapter."""
    if TOPIC.fullmatch(address) is None:
        hint = "set topic to its ARN, as in arn:aws:sns:eu-central-1:123456789012:oncall"
        raise NoAdapter(f"sns cannot tell {address!r}: it is not the ARN of a topic", hint)
    return address
