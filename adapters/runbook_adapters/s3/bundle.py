"""A bundle in a bucket. Whoever may write there still cannot choose what runs: the digest is somewhere else."""

from __future__ import annotations

import hashlib
from contextlib import closing

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import looking
from runbook_engine.errors import Unreadable

SERVICE = "s3"
LARGEST = 32 * 1024 * 1024  # bytes; a thousand runbooks need a few


class S3BundleReader:
    """Fetches one object."""

    def __init__(self, clients: Clients, bucket: str, key: str, digest: str) -> None:
        self._clients = clients
        self._bucket = bucket
        self._key = key
        self._digest = digest

    @property
    def address(self) -> str:
        """Where it is, as people write it."""
        return f"s3://{self._bucket}/{self._key}"

    def bundle(self) -> bytes:
        """Return the bytes whose digest was asked for. Raises Unreadable, also when they are others."""
        client = self._clients.looking(SERVICE)
        with looking(f"the bundle {self.address}"):
            answer = client.get_object(Bucket=self._bucket, Key=self._key)
            with closing(answer["Body"]) as body:
                content: bytes = body.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise Unreadable(f"the bundle {self.address} has more than {LARGEST} bytes (is it a bundle at all?)")
        found = hashlib.sha256(content).hexdigest()
        if found != self._digest:
            raise Unreadable(
                f"the bundle {self.address} is not the one that was asked for: its SHA-256 is {found}, "
                f"and {self._digest} is wanted (set the digest when a bundle is uploaded, in the same deployment)"
            )
        return content
