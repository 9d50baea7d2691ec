"""Trust: the SSL context of one cluster, from its own CA. Verification is never switched off."""

from __future__ import annotations

import base64
import binascii
import ssl
from pathlib import Path

from runbook_engine.errors import NoAdapter

_PEM = "-----BEGIN"
REMEDY = "it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig and EKS write it"


def trust(ca: str = "", *, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts this CA alone (the system's when there is none). Raises NoAdapter.

    Python 3.13 also asks for extensions (VERIFY_X509_STRICT) that the CA of many a cluster lacks, EKS among them
    ("Missing Authority Key Identifier"). That one flag is cleared, and no other: chain, dates and host name count.
    """
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise NoAdapter("adapter kubernetes: the CA cannot be read", REMEDY) from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (ssl.SSLError, OSError) as error:
            hint = "certificate and key must be PEM files that belong together"
            raise NoAdapter(f"adapter kubernetes: the client certificate {certificate} cannot be used", hint) from error
    return context


def ca_of_data(text: str, where: str = "caData") -> str:
    """Return the PEM of a setting that holds PEM or its base64; `where` names the setting. Raises NoAdapter."""
    if text.lstrip().startswith(_PEM):
        return _readable(text, where)
    try:
        found = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise NoAdapter(f"adapter kubernetes: {where} cannot be read", REMEDY) from error
    if not found.lstrip().startswith(_PEM):
        raise NoAdapter(f"adapter kubernetes: {where} holds no certificate", REMEDY)
    return _readable(found, where)


def ca_of_file(path: Path) -> str:
    """Return the PEM in a file. Raises NoAdapter."""
    try:
        found = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not PEM"
        raise NoAdapter(f"adapter kubernetes: the CA file {path} cannot be read: {what}", REMEDY) from error
    if not found.lstrip().startswith(_PEM):
        raise NoAdapter(f"adapter kubernetes: the CA file {path} holds no certificate", REMEDY)
    return _readable(found, f"the CA file {path}")


def _readable(pem: str, named: str) -> str:
    """Return PEM that holds certificates. Raises NoAdapter."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise NoAdapter(f"adapter kubernetes: {named} holds no certificate that can be read", REMEDY) from error
    return pem
