"""Telling a topic. Whoever is in doubt whether a message went out sends it again: a second one is harmless."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from runbook_adapters.aws.problems import THROTTLE_WAIT, touching
from runbook_adapters.sns.topic import Topic
from runbook_adapters.sns.wording import attributes_of, body_of, subject_of
from runbook_engine.errors import EffectUnknown, Permanent, Retryable
from runbook_engine.model.observation import Message

FIFO = ".fifo"
GONE = ("NotFound", "NotFoundException")
IDENTITY = re.compile(r"[!-~]{1,128}")  # what SNS takes as the id of a message or of a group
NO_GROUP = "runbook-engine"


class SnsReceiver:
    """Publishes messages to one topic."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, which has no reference. Raises Retryable, or Permanent when it is refused for good."""
        address, client = self._topic.address(), self._topic.sender()

        def known(code: str, reason: str) -> Exception | None:
            says = f"telling receiver {receiver}: there is no topic {address} (correct topic: of receiver {receiver})"
            return Permanent(says) if code in GONE else None

        try:
            with touching(f"telling receiver {receiver}", known):
                client.publish(
                    TopicArn=address,
                    Subject=subject_of(message),
                    Message=body_of(receiver, message),
                    MessageStructure="json",
                    MessageAttributes=attributes_of(message),
                    **(_identities(message) if address.endswith(FIFO) else {}),
                )
        except EffectUnknown as error:
            raise Retryable(str(error), THROTTLE_WAIT) from error
        return ""


def _identities(message: Message) -> Mapping[str, str]:
    """Return what a FIFO topic drops repeats by, and what it keeps in order."""
    return {
        "MessageDeduplicationId": _identity(message.id),
        "MessageGroupId": _identity(message.incident_id or NO_GROUP),
    }


def _identity(text: str) -> str:
    return text if IDENTITY.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()
