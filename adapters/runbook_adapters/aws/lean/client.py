"""One service's client: boto3's names and shapes for the calls that it knows; for any other, boto3's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from runbook_adapters.aws.lean.choosing import Place
from runbook_adapters.aws.lean.credentials import Credentials
from runbook_adapters.aws.lean.failures import CallRefused
from runbook_adapters.aws.lean.reading import Reader
from runbook_adapters.aws.lean.retrying import Patience
from runbook_adapters.aws.lean.services import ENCODER, Pages, Service, Shape
from runbook_adapters.aws.lean.signing import Request, Scope, Signer
from runbook_adapters.aws.lean.wire import Wire

AGENT = "runbook-engine/lean"
TOO_FAR = timedelta(minutes=4)  # a service takes five
SKEWED = frozenset(("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"))


class Meta(NamedTuple):
    """Where a client asks."""

    region_name: str
    endpoint_url: str


@dataclass(slots=True)
class Timekeeper:
    """The time that requests are signed with: this machine's, until a service shows that it is wrong."""

    now: Callable[[], datetime]
    off_by: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now() + self.off_by

    def corrected(self, failure: CallRefused) -> bool:
        """Whether a request was refused for its time, which is right from now on. Nothing was done then."""
        if failure.response["Error"]["Code"] not in SKEWED:
            return False
        told = failure.response["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            off_by = parsedate_to_datetime(told) - self.now()
        except (TypeError, ValueError):
            return False
        if abs(off_by - self.off_by) < TOO_FAR:
            return False
        self.off_by = off_by
        return True


class Exceptions:
    """The errors of a service that have a class of their own, as `client.exceptions` has them."""

    def __init__(self, names: frozenset[str]) -> None:
        self.by_code = {name: type(name, (CallRefused,), {}) for name in names}
        vars(self).update(self.by_code)


class LeanClient:
    """Asks one service. Any number of threads may call."""

    def __init__(
        self,
        service: Service,
        place: Place,
        *,
        credentials: Credentials,
        wire: Wire,
        patience: Patience,
        time: Timekeeper,
        whole: Callable[[], Any],
    ) -> None:
        self.exceptions = Exceptions(service.errors)
        self.meta = Meta(place.region, place.url.rstrip("/"))
        self._service = service
        self._place = place
        self._wire = wire
        self._patience = patience
        self._time = time
        self._whole = whole
        self._signer = Signer(credentials, Scope(place.region, service.host))
        self._reader = Reader(service, self.exceptions.by_code)

    def __getattr__(self, name: str) -> Any:
        """Return a call by boto3's name of it."""
        operation = self._service.operations.get(name)
        return getattr(self._whole(), name) if operation is None else _Call(self, operation)

    def get_paginator(self, name: str) -> Any:
        """Return what asks page after page."""
        pages = self._service.pages.get(name)
        return self._whole().get_paginator(name) if pages is None else _Paginator(getattr(self, name), pages)

    def _ask(self, operation: str, arguments: Mapping[str, Any]) -> Shape:
        body = ENCODER.encode(arguments).encode()

        def once(retries: int) -> Shape:
            try:
                return self._asked_once(operation, body, retries)
            except CallRefused as failure:
                if not self._time.corrected(failure):
                    raise
                return self._asked_once(operation, body, retries)

        answer: Shape = self._patience.ask(once)
        return answer

    def _asked_once(self, operation: str, body: bytes, retries: int) -> Shape:
        headers = {
            "Host": self._place.host,
            "Content-Type": f"application/x-amz-json-{self._service.version}",
            "X-Amz-Target": f"{self._service.target}.{operation}",
        }
        request = Request("POST", self._place.path, headers, body)
        sent = self._signer.signed(request, self._time())
        sent["User-Agent"] = AGENT  # not signed: whoever stands in between may change it
        return self._reader.read(self._wire.send(self._place, sent, body), operation, self._place.url, retries)


class _Call(NamedTuple):
    client: LeanClient
    operation: str

    def __call__(self, **arguments: Any) -> Shape:
        return self.client._ask(self.operation, arguments)


class _Paginator(NamedTuple):
    call: Callable[..., Shape]
    pages: Pages

    def paginate(self, *, PaginationConfig: Mapping[str, Any] | None = None, **arguments: Any) -> Iterator[Shape]:
        """Yield page after page."""
        size = (PaginationConfig or {}).get("PageSize")
        wanted = {**arguments, **({self.pages.size: size} if size else {})}
        while True:
            page = self.call(**wanted)
            yield page
            token = page.get(self.pages.token)
            if not token:
                return
            wanted[self.pages.token] = token
