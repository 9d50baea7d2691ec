"""Choosing: whether the lean client does for a service here. Whatever is out of the ordinary is boto3's.

It does where the environment holds the credentials and nothing else says how AWS is to be asked, as in a function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from runbook_adapters.aws.lean.credentials import KEY, SECRET
from runbook_adapters.aws.lean.services import SERVICES, Service
from runbook_engine.errors import NoAdapter

SWITCH = "RUNBOOK_AWS_CLIENT"
ENDPOINT = "AWS_ENDPOINT_URL"
REGION = "AWS_DEFAULT_REGION"
CONFIG = "AWS_CONFIG_FILE"
ORDINARY_REGION = re.compile(r"(?!us-iso)(?:us|us-gov|eu|ap|sa|ca|me|af|il|mx|cn)-[a-z]+-\d", re.ASCII)
UNUSUAL = (  # whoever sets one of these wants what only boto3 does
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


class Place(NamedTuple):
    """Where a service is asked."""

    url: str  # with a path, as messages show it
    host: str
    path: str
    region: str


def check_switch(environment: Mapping[str, str]) -> None:
    """Raise NoAdapter when a client is wished for that there is not."""
    wish = environment.get(SWITCH, "")
    if wish not in ("", "boto3"):
        raise NoAdapter(f"{SWITCH} is {wish!r}, which is no client", "set it to boto3, or leave it out")


def place_of(service: str, region: str, environment: Mapping[str, str]) -> Place | None:
    """Return where the lean client asks a service; None where it does not do. Raises NoAdapter for a wrong switch."""
    check_switch(environment)
    wish = environment.get(SWITCH, "")
    found, within = SERVICES.get(service), region or environment.get(REGION, "")
    if wish or found is None or not (environment.get(KEY) and environment.get(SECRET)):
        return None
    if not ORDINARY_REGION.fullmatch(within) or _is_unusual(environment):
        return None
    return _place(_address(found, within, environment), within)


def _is_unusual(environment: Mapping[str, str]) -> bool:
    if any(environment.get(name) or environment.get(name.lower()) for name in UNUSUAL):
        return True
    written = environment.get(CONFIG)
    return (Path(written) if written else Path(environment.get("HOME") or "~").expanduser() / ".aws/config").is_file()


def _address(service: Service, region: str, environment: Mapping[str, str]) -> str:
    named = environment.get(f"{ENDPOINT}_{service.endpoint_variable}") or environment.get(ENDPOINT)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return named or f"https://{service.host}.{region}.{suffix}"


def _place(address: str, region: str) -> Place | None:
    parts = urlsplit(address)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}" == address
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not plain:
        return None
    path = f"{parts.path.rstrip('/')}/"
    return Place(f"{parts.scheme}://{parts.netloc}{path}", parts.netloc, path, region)
