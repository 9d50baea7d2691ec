"""Addresses in what others say: nothing is ever fetched from one, and who is told is told nowhere else."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_adapters.http.guarded import why_refused
from runbook_adapters.receivers import WebhookSettings
from runbook_engine.errors import InvalidAlert, Permanent, RunbookError
from runbook_engine.model.delivery import Request, SourceSettings
from runbook_engine.sources.envelope import unwrap
from tests.attack.siege import Siege
from tests.contract.http_service import Told, http_service
from tests.contract.requests.test_http import send, template
from tests.contract.test_receivers import MESSAGE, webhook
from tests.contract.test_web_pages import every_page
from tests.hostile.mutation import samples
from tests.hostile.test_deliveries import MAPPINGS, SOURCES
from tests.scenario.rig import MINUTE
from tests.web.stages import stage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELDS = (
    "generatorURL", "externalURL", "silenceURL", "dashboardURL", "panelURL", "imageURL", "ruleURL", "valueString",
    "url",
    "html_url", "self", "href", "runbook_url", "dashboard", "summary", "target_url", "log_url", "environment_url",
    "SubscribeURL", "UnsubscribeURL", "SigningCertURL", "TopicArn", "callback", "webhook", "image", "icon", "link",
)  # fmt: skip
ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/iam/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
    "file:///etc/passwd", "gopher://127.0.0.1:1/x", "ftp://127.0.0.1/", "//169.254.169.254/", "http://0/", "data:,x",
)  # fmt: skip
METADATA = (
    "169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "fd00:ec2::254", "fd00:ec2::23", "fe80::1", "fe80::1%eth0", "100.100.100.200", "192.0.0.192", "fd20:ce::254",
    "0.0.0.0",
    "::", "224.0.0.1", "ff02::1",
)  # fmt: skip


class Canary:
    """Listens, and counts who comes."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/canary"

    def calls(self) -> int:
        """Return how many connections were made since it was asked last."""
        found = 0
        while True:
            try:
                connection, _ = self._listening.accept()
            except BlockingIOError:
                return found
            connection.close()
            found += 1


@contextmanager
def listening() -> Iterator[Canary]:
    """Listen on a free port of the loopback interface."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        yield Canary(server)


def poisoned(node: Any, url: str) -> Any:
    """Return a payload in which everything that is an address, or could be one, is this one."""
    match node:
        case dict():
            found = {key: url if _is_address(key, value) else poisoned(value, url) for key, value in node.items()}
            return {**dict.fromkeys(FIELDS, url), **found}
        case list():
            return [poisoned(value, url) for value in node]
        case _:
            return node


def _is_address(key: str, value: object) -> bool:
    return isinstance(value, str) and (key in FIELDS or key.lower().endswith(("url", "uri")) or "://" in value)


def test_canary_hears_who_comes() -> None:
    """So that its silence below says something."""
    with listening() as canary:
        host, port = canary.url.split("/")[2].split(":")
        socket.create_connection((host, int(port))).close()

        assert (1, 0) == (canary.calls(), canary.calls())


def test_nothing_is_fetched_from_an_address_in_a_payload() -> None:
    """Of every sender, in every field; while it is read, decided, driven and shown."""
    siege = Siege("SSRF through payload addresses", "every sender, from the webhook to the page")
    with listening() as canary:
        for source, spec in SOURCES.items():
            prefix = {"deployments": "deployment"}.get(source, source)
            for name, payload in samples(prefix):
                for body in (poisoned(copy.deepcopy(payload), canary.url), poisoned(payload, ELSEWHERE[0])):
                    request = Request(
                        "lab", source, {"content-type": "application/json"}, json.dumps(body).encode(), NOW
                    )
                    _read(spec, request, name)
                    siege.tried(f"{source} {name}", refused=not canary.calls())
        for name, event in samples("envelope"):
            for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation", "Notification"):
                changed = json.loads(json.dumps(poisoned(event, canary.url)).replace('"Notification"', f'"{kind}"'))
                _unwrapped(changed)
                siege.tried(f"{kind} {name}", refused=not canary.calls())
        rig = stage()
        rig.healed_by_flag()
        links = dict.fromkeys(FIELDS, canary.url)
        alert = rig._alert("firing", "CheckoutHighErrorRate", {"service": "checkout", "instance": canary.url})
        rig.post({**alert, **links, "annotations": links})
        rig.run(2 * MINUTE, MINUTE / 4)
        pages = every_page(rig)
        siege.tried("a run and its pages", refused=not canary.calls())
        assert any(canary.url in page for page in pages.values())
    siege.ends("its address shown as a link; not one connection")


def _read(spec: Any, request: Request, name: str) -> None:
    with suppress(InvalidAlert):
        spec.parse(request, SourceSettings(mapping=MAPPINGS.get(name, next(iter(MAPPINGS.values())))))


def _unwrapped(event: Any) -> None:
    with suppress(InvalidAlert):
        for delivery in unwrap(event).deliveries:
            delivery.read()


def test_a_receiver_is_told_at_its_address_and_nowhere_else() -> None:
    """Whatever a message says, and wherever the receiver's own answer leads."""
    siege = Siege("SSRF through redirects and messages", "receiver webhook, action http")
    with listening() as canary, http_service() as service:
        for elsewhere in (canary.url, *ELSEWHERE):
            for status in (301, 302, 303, 307, 308):
                service.tell(Told(status, b"", (("Location", elsewhere), ("Refresh", f"0;url={elsewhere}"))))
                for tell in (
                    lambda: webhook(WebhookSettings(url=f"{service.url}/hook")).send("chat", MESSAGE),
                    lambda: send(template(service)),
                ):
                    service.asked.clear()
                    with pytest.raises(RunbookError):
                        tell()
                    followed = canary.calls() or len(service.asked) != 1
                    siege.tried(f"{status} to {elsewhere}: {service.asked}", refused=not followed)
            service.tell(Told(200))
            service.asked.clear()
            links = {"url": elsewhere, "approve": elsewhere, "dashboard": elsewhere}
            message = replace(MESSAGE, id=elsewhere, title=elsewhere, text=elsewhere, target=elsewhere, links=links)
            webhook(WebhookSettings(url=f"{service.url}/hook")).send("chat", message)
            told = [each.path for each in service.asked]
            siege.tried(f"a message that names {elsewhere}: {told}", refused=told == ["/hook"] and not canary.calls())
    siege.ends("one request to the address of engine.yaml; a redirect is an error")


def test_a_name_that_leads_to_the_credentials_of_a_machine_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as an address, however it is written, nor as a name that leads there only now (DNS rebinding)."""
    siege = Siege("SSRF by address and DNS rebinding", "action http")
    for address in METADATA:
        siege.tried(address, refused=bool(why_refused(address)))
    true = socket.getaddrinfo
    with http_service() as service:
        port = int(service.url.rpartition(":")[2])
        for address in METADATA:

            def leads(host: str, *rest: Any, **named: Any) -> Any:
                return true("127.0.0.1" if host == "rebound.example" else host, *rest, **named)

            def peer(found: str, there: str = address) -> str:
                return why_refused(there)

            with monkeypatch.context() as rebound:
                rebound.setattr(socket, "getaddrinfo", leads)
                rebound.setattr("runbook_adapters.http.guarded.why_refused", peer)
                url = f"http://rebound.example:{port}/v1/pools/{{{{ parameters.pool }}}}/drain"
                with pytest.raises(Permanent, match="was not sent: it leads to"):
                    send(template(service, url=url, time_limit=timedelta(seconds=1)))
            siege.tried(f"a name that leads to {address}: {service.asked}", refused=not service.asked)
    siege.ends("nothing is sent: the connection itself is judged")
