"""Adapter `s3`: the compiled runbooks of an installation, from a bucket, and only if they are the very bytes."""

from __future__ import annotations

import re

from runbook_adapters.aws.clients import AwsSettings, clients_of
from runbook_adapters.aws.identity import identify
from runbook_adapters.s3.bundle import S3BundleReader
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

DIGEST = re.compile(r"[0-9a-f]{64}")


class S3Settings(AwsSettings, frozen=True, kw_only=True):
    """Which object, and the SHA-256 of its bytes."""

    bucket: str
    key: str
    digest: str


def build(port: Port, settings: S3Settings, context: AdapterContext) -> Served:
    """Serve the bundle; nothing is asked yet."""
    if port != "bundles":
        raise NoAdapter(f"s3 does not serve {port}", "it serves bundles")
    if DIGEST.fullmatch(settings.digest) is None:
        hint = "set digest to the 64 hexadecimal digits that sha256sum prints of the bundle"
        raise NoAdapter(f"s3 cannot tell whether a bundle is the right one: {settings.digest!r} is no SHA-256", hint)
    clients = clients_of(context, settings)
    reader = S3BundleReader(clients, settings.bucket, settings.key, settings.digest)

    def probe() -> str:
        return f"answers for {identify(clients)}; {reader.address} has {len(reader.bundle())} bytes, as asked for"

    return Served(reader=reader, probe=probe)


ADAPTER = AdapterSpec(name="s3", provides=("bundles",), settings=S3Settings, build=build)
