"""Reading metrics from the Prometheus HTTP API, or from anything that speaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from runbook_adapters.prometheus import answer
from runbook_adapters.prometheus.selector import select
from runbook_adapters.web import NoAnswer, TooLarge, Web, bearer, without
from runbook_engine.errors import TooMuch, Unreadable
from runbook_engine.model.observation import Sample, Series

SERVER_TIME_LIMIT = "8s"  # less than our own, so that the server can still say what took so long
REMEDIES = {
    401: "set token of adapter prometheus to a valid one",
    403: "the token may not query; grant it",
    404: "set url to the address before /api/v1",
}


class PrometheusReader:
    """Asks one Prometheus."""

    def __init__(self, web: Web, address: str, token: Callable[[], str]) -> None:
        self._web = web
        self._address = address
        self._token = token

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the newest sample of every series; empty when there is none. Raises Unreadable."""
        return answer.samples(self._ask("query", {"query": select(query, where), "time": f"{at.timestamp():.3f}"}))

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return every series between two instants. Raises Unreadable."""
        fields = {
            "query": select(query, where),
            "start": f"{start.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{step.total_seconds():g}",
        }
        return answer.series(self._ask("query_range", fields))

    def _ask(self, what: str, fields: Mapping[str, str]) -> answer.Result:
        asked = f"{self._address} cannot answer {fields['query']}"
        token = self._token()
        try:
            got = self._web.get(
                f"{self._address}/api/v1/{what}",
                fields={**fields, "timeout": SERVER_TIME_LIMIT},
                headers={"Accept": "application/json", **bearer(token)},
            )
        except TooLarge as error:
            raise TooMuch(f"{asked}: {error}") from error
        except NoAnswer as error:
            raise Unreadable(f"{asked}: {error}") from error
        got = got if 200 <= got.status < 300 else without((token,), got)
        if 300 <= got.status < 400:
            raise Unreadable(f"{asked}: it redirects, which is not followed (set url to the final address)")
        if got.status in REMEDIES:
            raise Unreadable(f"{asked}: HTTP {got.status} ({REMEDIES[got.status]})")
        try:
            body = answer.read_body(got.body)
        except Unreadable as error:
            raise Unreadable(f"{asked}: HTTP {got.status}, {error}") from error
        if body.status == "error" or body.data is None:
            raise Unreadable(f"{asked}: {body.error_type or 'no data'}: {body.error or got.excerpt}")
        if body.warnings:
            raise Unreadable(f"{asked} in full: {'; '.join(body.warnings)}")
        return body.data
