"""The bundle of a function: out of its zip, or out of a bucket by digest. Nothing else says what may be done."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.aws_lambda.names import Names
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.loading.bundle import load_bundle
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import AdapterChoice, Configuration
from runbook_engine.ports import BundleReader
from runbook_engine.registry import Registry

BUCKET = "s3://"


def read_bundle(names: Names, settings: Settings, registry: Registry) -> Bundle:
    """Return the bundle. Raises InvalidSettings, InvalidBundle, or Unreadable when the bucket does not answer."""
    content = _from_bucket(names, settings, registry) if names.bundle.startswith(BUCKET) else _from_zip(names)
    digest = hashlib.sha256(content).hexdigest()
    if names.bundle_digest and digest != names.bundle_digest:
        raise InvalidSettings(
            f"the bundle {names.bundle} has the digest {digest[:12]}, and {names.bundle_digest[:12]} was reviewed "
            "(deploy it together with RUNBOOK_BUNDLE_DIGEST)"
        )
    return load_bundle(content)


def _from_zip(names: Names) -> bytes:
    path = Path(names.root) / names.bundle
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(
            f"the bundle {names.bundle} is not in the zip: {error.strerror} (build it with: make lambda)"
        ) from error


def _from_bucket(names: Names, settings: Settings, registry: Registry) -> bytes:
    bucket, _, key = names.bundle.removeprefix(BUCKET).partition("/")
    if not bucket or not key or not names.bundle_digest:
        raise InvalidSettings(
            f"the bundle {names.bundle} cannot be fetched (write s3://BUCKET/KEY, and RUNBOOK_BUNDLE_DIGEST beside it)"
        )
    choice = AdapterChoice(adapter="s3", settings={"bucket": bucket, "key": key, "digest": names.bundle_digest})
    adapters = Adapters(configuration=Configuration(), settings=settings, registry=registry, clock=SystemClock())
    reader: BundleReader = adapters.build("bundles", choice, "RUNBOOK_BUNDLE").reader
    return reader.bundle()
