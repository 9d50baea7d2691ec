"""Waking who waits under a task token. The answer carries nothing: the journal alone says what was decided."""

from __future__ import annotations

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import THROTTLE_WAIT, touching
from runbook_engine.errors import EffectUnknown, Retryable

SERVICE = "stepfunctions"
LONGEST_TOKEN = 2048
NOTHING = "{}"


class StepFunctionsCallbacks:
    """Wakes drivers."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def wake(self, token: str) -> bool:
        """Wake who waits under the token; False when nobody does any more. Raises Retryable, Permanent."""
        if not 0 < len(token) <= LONGEST_TOKEN:
            return False
        client = self._clients.touching(SERVICE)
        nobody = (client.exceptions.TaskTimedOut, client.exceptions.TaskDoesNotExist, client.exceptions.InvalidToken)
        try:
            with touching("waking a driver"):
                try:
                    client.send_task_success(taskToken=token, output=NOTHING)
                except nobody:
                    return False
        except EffectUnknown as error:  # waking twice is harmless: the second time nobody waits
            raise Retryable(str(error), THROTTLE_WAIT) from error
        return True
