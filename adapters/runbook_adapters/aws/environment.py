"""The environment: what no client of AWS could use of it is told before it is used, by the name of its variable.

The libraries would quote a credential whole in their own complaint, and not say which file it is that is missing.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from runbook_adapters.aws.lean.choosing import ENDPOINT
from runbook_adapters.aws.lean.credentials import check_credentials
from runbook_engine.errors import NoAdapter

TRUST_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")  # the first that is set counts


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise NoAdapter when credentials, addresses or certificates are named that cannot be used."""
    check_credentials(environment)
    for name, value in environment.items():
        if name.startswith(ENDPOINT) and value and not _is_address(value):
            raise NoAdapter(f"{name} is no address", "write it as in http://127.0.0.1:4566, or leave it out")
    name = next((each for each in TRUST_VARIABLES if environment.get(each)), "")
    if name and not os.access(environment[name], os.R_OK):
        raise NoAdapter(f"{name} names {environment[name]}, which cannot be read", "correct it, or leave it out")


def check_trust(environment: Mapping[str, str]) -> None:
    """Raise NoAdapter when the file of certificates that is named holds none; reading a long one takes a while."""
    name = next((each for each in TRUST_VARIABLES if environment.get(each)), "")
    if not name or Path(environment[name]).is_dir():
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=environment[name])
    except OSError as error:  # of which what TLS itself says is one
        hint = "name a file of certificates in PEM, or leave it out"
        message = f"{name} names {environment[name]}, which holds no certificates that can be read"
        raise NoAdapter(message, hint) from error


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:
        return False
