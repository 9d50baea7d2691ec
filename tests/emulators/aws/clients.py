"""The test bed's own clients: made once in a process, because making one costs more than most tests.

They hold no state of an account; where their calls end is decided while a bed is open.
"""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from tests.emulators.aws.place import REGION

ONCE = Config(
    retries={"total_max_attempts": 1, "mode": "standard"},
    connect_timeout=60,
    read_timeout=60,
    ignore_configured_endpoint_urls=True,
)


@cache
def session() -> boto3.session.Session:
    """Return the session whose clients the beds share."""
    return boto3.session.Session("testing", "testing", region_name=REGION)


@cache
def client(service: str) -> Any:
    """Return the client of a service, by boto3's name; it never tries twice."""
    return session().client(service, config=ONCE)
