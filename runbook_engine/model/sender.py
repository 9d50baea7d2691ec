"""A sender of the platform: who may deliver into a scope without a token, because AWS itself says who it is."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

SENDER_PATTERN = (
    r"^(arn:aws[a-z-]*:(sns|sqs):[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+"
    r"|arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:[^\[\]\r\n\t]+"
    r"|(events|logs):[A-Za-z0-9_./#-]+(@[0-9]{12})?)$"
)
HINT = (
    "write events:aws.cloudwatch, events:SOURCE@ACCOUNT, logs:GROUP, or the ARN of a topic, a queue or an alarm "
    "(of an alarm the name may hold *)"
)
_SENDER = re.compile(SENDER_PATTERN)
_OF_SERVICE: dict[str, Literal["topic", "queue", "alarm"]] = {"sns": "topic", "sqs": "queue", "cloudwatch": "alarm"}


class InvalidSender(ValueError):
    """The text names nobody of the platform."""


class Sender(msgspec.Struct, frozen=True):
    """A topic, a queue or an alarm (its name may be a pattern) by its ARN; an event source or a log group by its name.

    The two without an ARN are of the engine's own account, unless another is named.
    """

    kind: Literal["topic", "queue", "alarm", "events", "logs"]
    name: str
    account: str = ""


def parse_sender(text: str) -> Sender:
    """Return the sender that a text names. Raises InvalidSender."""
    if not _SENDER.fullmatch(text):
        raise InvalidSender(f'"{text}" names nobody of AWS')
    if text.startswith("arn:"):
        return Sender(_OF_SERVICE[text.split(":")[2]], text)
    kind, _, rest = text.partition(":")
    name, _, account = rest.partition("@")
    return Sender("events" if kind == "events" else "logs", name, account)
