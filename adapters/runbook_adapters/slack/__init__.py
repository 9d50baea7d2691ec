"""Adapter `slack`: a receiver in a channel: one message a run, which is brought up to date as the run goes on.

With a bot's token and a channel. With the address of an incoming webhook alone, Slack lets nobody update a message,
so every event is one of its own. Delivering twice: an update is harmless; a first message or a reply whose answer was
lost is posted again, since Slack has no key to know it by.
"""

from __future__ import annotations

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

BASE = "https://slack.com/api"
HINT = "write token and channel, or webhookUrl alone"


class SlackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """As whom and where: a bot's token and a channel, or an incoming webhook."""

    token: SecretReference | None = None
    channel: str = ""  # its id, as in C024BE91L, or its name
    webhook_url: SecretReference | None = None
    url: str = BASE  # of the API: https://slack-gov.com/api for GovSlack


def build(port: Port, settings: SlackSettings, context: AdapterContext) -> Served:
    """Serve one receiver; nothing is asked yet."""
    from runbook_adapters.slack.api import SlackApi
    from runbook_adapters.slack.hook import SlackHook
    from runbook_adapters.slack.receiver import SlackReceiver
    from runbook_adapters.web import Web, checked_address

    if port != "receiver":
        raise NoAdapter(f"slack does not serve {port}", "it serves receiver")
    token, hook = settings.token, settings.webhook_url
    if (token is None) == (hook is None) or (token is None) != (not settings.channel):
        raise NoAdapter("slack needs to know as whom it posts, and where", HINT)
    web = Web(most_bytes=256 * 1024)
    if hook is not None:

        def address() -> str:
            found = context.secret(hook)
            checked_address(found, "slack")
            return found

        return Served(writer=SlackHook(web, address, context.clock))
    assert token is not None, "what is no webhook has a token"
    api = SlackApi(web, checked_address(settings.url, "slack"), lambda: context.secret(token), context.clock)
    return Served(writer=SlackReceiver(api, settings.channel), probe=api.probe)


ADAPTER = AdapterSpec(name="slack", provides=("receiver",), settings=SlackSettings, build=build)
