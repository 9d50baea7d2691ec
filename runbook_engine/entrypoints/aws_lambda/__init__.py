"""The functions of the AWS host: four handlers in one zip, around the very engine that the local runner has.

What a process needs is built at its first call and kept; a start that fails is tried again at the next one. Nothing
that must last is in the process: the journal holds it before a handler answers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from runbook_engine.entrypoints.aws_lambda.host import Host, open_host


def ingest(event: object, context: Any) -> Any:
    """Take in what a sender delivers, over whichever road it comes."""
    from runbook_engine.entrypoints.aws_lambda.ingesting import take

    return take(event, context, _front())


def drive(event: Any, context: Any) -> Any:
    """Drive one execution as far as it goes without waiting, for the state machine."""
    from runbook_engine.entrypoints.aws_lambda.driving import drive_on

    return drive_on(event, context, _driver())


def approve(event: object, context: Any) -> Any:
    """Show the question of a signed link, and take its answer."""
    from runbook_engine.entrypoints.aws_lambda.approving import answer_link

    return answer_link(event, _front())


def sweep(event: object, context: Any) -> Any:
    """See to what nobody sees to: executions without a driver, alerts without news, a pause that has ended."""
    from runbook_engine.entrypoints.aws_lambda.sweeping import sweep_up

    return sweep_up(_front())


@cache
def _front() -> Host:
    return open_host(acts=False)


@cache
def _driver() -> Host:
    return open_host(acts=True)
