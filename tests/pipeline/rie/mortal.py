"""Put beside the unpacked zip: its handlers, whose time is the test's, and which die for real where they are told to.

`TEST_CLOCK` is a file with the time, `TEST_PLACES` one that gets a line for each place passed, `TEST_DEATH` one that
says which place is the last: the number of its line, or its name. None of this is in the product.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints import aws_lambda
from runbook_engine.entrypoints.aws_lambda.driving import drive_on
from runbook_engine.entrypoints.aws_lambda.host import Host, build_host
from runbook_engine.entrypoints.aws_lambda.ingesting import take
from runbook_engine.entrypoints.aws_lambda.names import STATE
from runbook_engine.entrypoints.aws_lambda.sweeping import sweep_up
from runbook_engine.entrypoints.settings import read_settings


class FileClock:
    """Reads the time from a file."""

    def now(self) -> datetime:
        """Return the time of the test."""
        return datetime.fromisoformat(Path(os.environ["TEST_CLOCK"]).read_text())


def pass_place(name: str) -> None:
    """Write down that a place was passed; end there, or hang, when that is the one."""
    places = Path(os.environ["TEST_PLACES"])
    earlier = places.read_text().splitlines()
    with places.open("a") as log:
        log.write(f"{name}\n")
    wanted, _, hangs = Path(os.environ["TEST_DEATH"]).read_text().partition(" ")
    if wanted == str(len(earlier) + 1) or (wanted == name and name not in earlier):
        time.sleep(3600 if hangs else 0)
        os._exit(9)


def drive(event: Any, context: Any) -> Any:
    """Drive; the last place is between the last commit and the answer."""
    pass_place("called")
    answer = drive_on(event, context, _host(acts=True))
    pass_place("before-answer")
    return answer


def ingest(event: Any, context: Any) -> Any:
    """Take in; its one place is between the last commit and the answer."""
    answer = take(event, context, _host(acts=False))
    pass_place("before-answer")
    return answer


def census(event: Any, context: Any) -> Any:
    """Take in as the zip does; answer what that answered, and which packages have been loaded."""
    reply = aws_lambda.ingest(event, context)
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    return {"statusCode": 200, "body": json.dumps({"status": reply["statusCode"], "modules": loaded})}


def sweep(event: Any, context: Any) -> Any:
    """Sweep."""
    return sweep_up(_host(acts=False))


@cache
def _host(*, acts: bool) -> Host:
    settings = replace(read_settings(environment=os.environ), state=STATE, looks_only=not acts)
    return build_host(settings, acts=acts, clock=FileClock(), checkpoint=pass_place)
