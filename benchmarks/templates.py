"""Templates: ours beside Jinja's own sandbox, compiled once and at each use; and a call that retries, when it need not.

Both render the same texts from the same alert, and must give the same answer. Times are CPU time of the thread, the
shortest of a few rounds, taken in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import thread_time
from typing import Any
from unittest import mock

import jinja2
import tenacity
from jinja2.sandbox import ImmutableSandboxedEnvironment

from benchmarks.timing import table
from runbook_adapters import web
from runbook_engine.templating import Templates

CALLS, QUICK_CALLS = 20_000, 2_000
TURNS = 5
PATH_GOAL, OTHER_GOAL, RETRY_GOAL = 0.25, 1.2, 2.0
LABELS = {
    "alertname": "CheckoutHighErrorRate",
    "cluster": "eu-1",
    "namespace": "apps",
    "service": "checkout",
    "severity": "critical",
    "pod": "checkout-7d9c6f5b4-x2x7f",
}
VARIABLES: Mapping[str, Any] = {
    "inputs": {"service": "checkout", "cluster": "eu-1"},
    "alert": {"labels": LABELS, "annotations": {"summary": "the service burns its error budget"}, "name": "Checkout"},
}
ANSWER = web.Answer(200, {}, b"")
TEMPLATES = {
    "one label": ("{{ alert.labels.service }}", PATH_GOAL),
    "three paths in a text": ("/{{ inputs.cluster }}/{{ alert.labels.namespace }}/{{ inputs.service }}", PATH_GOAL),
    "a filter": ("{{ alert.labels.service | upper }}", OTHER_GOAL),
    "a default, and a comparison": (
        "{{ alert.labels.team | default('nobody') }} {{ 'page' if alert.labels.severity == 'critical' else 'mail' }}",
        OTHER_GOAL,
    ),
}


def run(quick: bool) -> str:
    """Return what a rendering costs, as ratios to Jinja's sandbox, and what a retry costs that is not used."""
    calls = QUICK_CALLS if quick else CALLS
    rows = [_row(name, text, goal, calls) for name, (text, goal) in TEMPLATES.items()]
    head = ("template", "us", "x cached Jinja", "goal", "x compiled at each use")
    return f"{table(head, rows)}\n\n{_compiled()}\n\n{_retry(calls)}"


def _row(name: str, text: str, goal: float, calls: int) -> tuple[object, ...]:
    ours = Templates()
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    cached = environment.from_string(text)
    if not ours.render(text, VARIABLES) == cached.render(VARIABLES):
        raise AssertionError(f"{text} is rendered otherwise")
    each = max(1, calls // 200)

    def compiled() -> None:
        ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(text).render(VARIABLES)

    spent = _in_turns(
        (lambda: ours.render(text, VARIABLES), calls), (lambda: cached.render(VARIABLES), calls), (compiled, each)
    )
    return name, spent[0] * 1e6, spent[0] / spent[1], f"<= {goal}", spent[0] / spent[2]


def _compiled() -> str:
    """Count what Jinja compiles while each template is rendered a thousand times."""
    templates = Templates()
    for text, _ in TEMPLATES.values():
        templates.render(text, VARIABLES)
    with mock.patch.object(jinja2.Environment, "compile", side_effect=AssertionError("compiled again")) as compile_:
        for text, _ in TEMPLATES.values():
            for _ in range(1000):
                templates.render(text, VARIABLES)
    return f"compiled again in {1000 * len(TEMPLATES):,} renderings: {compile_.call_count} (wanted: 0)"


class _Answering(web.Web):
    """A web where every answer is there already."""

    def _request(self, *asked: Any, **named: Any) -> web.Answer:
        return ANSWER


def _retry(calls: int) -> str:
    """Return what asking with patience costs over asking once, when the first answer is good."""
    client, address = _Answering(), "http://host.example/"
    patient, once, tenacious = _in_turns(
        (lambda: client.get(address), calls),
        (lambda: client.send("GET", address, b"", headers={}), calls),
        (lambda: tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)(dict), calls),
    )
    rows = [
        ("a read that is tried again, over a call that is not", (patient - once) * 1e6, f"<= {RETRY_GOAL:g}"),
        ("tenacity alone", tenacious * 1e6, "-"),
    ]
    return table(("happy path", "us", "goal"), rows)


def _in_turns(*works: tuple[Callable[[], object], int]) -> list[float]:
    """Return the seconds of one call of each."""
    kept: list[list[float]] = [[] for _ in works]
    for _ in range(TURNS):
        for (call, times), spent in zip(works, kept, strict=True):
            spent.append(_spent(call, times))
    return [min(spent) for spent in kept]


def _spent(call: Callable[[], object], times: int) -> float:
    started = thread_time()
    for _ in range(times):
        call()
    return (thread_time() - started) / times
