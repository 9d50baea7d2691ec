"""Who we are at AWS: what a probe says first. Everybody may ask this of themselves."""

from __future__ import annotations

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import looking, part


def identify(clients: Clients) -> str:
    """Return whose credentials these are, as in `account 123456789012, region eu-central-1, as ...`.

    Raises NoAdapter, Unreadable.
    """
    client = clients.looking("sts")
    with looking("who asks at AWS"):
        answer = client.get_caller_identity()
        arn, account = str(part(answer, "Arn")), part(answer, "Account")
    who = arn.split(":", 5)[-1]
    return f"account {account}, region {client.meta.region_name}, as {who}"
