"""Who a pod is: the token of its ServiceAccount, its cluster's CA and address.

The one place that reads KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: Kubernetes tells every pod its API server
through the environment, and through nothing else. Settings override it.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

from runbook_adapters.kubernetes.credentials import NoCredential, bearer
from runbook_engine.errors import NoAdapter

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_EVERY = timedelta(minutes=1)  # the kubelet replaces the file about once an hour


class AccountToken:
    """The token in a file that the kubelet replaces; it is read again every minute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: tuple[str, datetime] | None = None

    def authorization(self, now: datetime) -> str:
        """Return the header's value. Raises NoCredential."""
        with self._lock:
            if self._kept is None or not timedelta() <= now - self._kept[1] < READ_EVERY:
                self._kept = (bearer(self._read()), now)
            return self._kept[0]

    def refresh(self) -> None:
        """Read the file again before the next request."""
        with self._lock:
            self._kept = None

    def _read(self) -> str:
        try:
            return self._path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not text"
            raise NoCredential(f"the token file {self._path} cannot be read: {what}") from error


def server_of_pod() -> str:
    """Return the address that Kubernetes told this pod. Raises NoAdapter outside of a pod."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise NoAdapter(
            "adapter kubernetes: auth is inCluster, and this process does not run in a pod",
            "set auth: kubeconfig and context on a laptop, auth: eks in a Lambda, or set server",
        )
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
