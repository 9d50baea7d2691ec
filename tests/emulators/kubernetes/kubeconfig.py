"""A kubeconfig for clients of the emulated cluster."""

import base64
import json
from pathlib import Path

CONTEXT = "emulator"


def write_kubeconfig(path: Path, url: str, token: str, ca_file: Path | None, namespace: str) -> Path:
    """Write the file (JSON is YAML too) and return its path."""
    cluster = {"server": url}
    if ca_file:
        cluster["certificate-authority-data"] = base64.b64encode(ca_file.read_bytes()).decode()
    context = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": context}],
        "current-context": CONTEXT,
    }
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path
