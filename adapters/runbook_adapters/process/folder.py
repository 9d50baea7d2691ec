"""The folders that deployments live in: `deployment.json` is the truth, everything beside it follows from it.

    deployment.json    what is wanted, and the history
    gunicorn.conf.py   generated from it; the master reads it at its start and at every HUP
    master.pid         the master's pid, locked by the master while it lives
    observed           the generation that the master has taken in
    workers/           one empty file a live worker: generation-pid
    gunicorn.log       what master, workers and the application print
    metrics/           the workers' shared counters (PROMETHEUS_MULTIPROC_DIR)

A target's name never becomes a path: folders are found by what their `deployment.json` says.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import msgspec

from runbook_adapters import disk
from runbook_adapters.process.deployment import Deployment
from runbook_engine.errors import InvalidTarget, Permanent, Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.target import Target

STATE = "deployment.json"
CONFIGURATION = "gunicorn.conf.py"
LOG = "gunicorn.log"
METRICS = "metrics"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = frozenset({"RELEASE", "PROMETHEUS_MULTIPROC_DIR"})


def load_deployment(folder: Path) -> Deployment:
    """Return a folder's deployment. Raises Unreadable."""
    path = folder / STATE
    try:
        deployment = from_json(path.read_bytes(), Deployment)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Unreadable(f"{path} is not a deployment: {error} (restore it, or create the deployment again)") from error
    if not deployment.revisions:
        raise Unreadable(f"{path} is not a deployment: it has no revision (restore it, or create it again)")
    return deployment


def find_folder(root: Path, target: Target) -> Path:
    """Return the folder of a target. Raises InvalidTarget when no deployment has that name, Unreadable."""
    if target.kind != "deployment":
        raise InvalidTarget(f"{target} is a {target.kind}; on this machine only deployments can be targets")
    try:
        folders = sorted(path.parent for path in root.glob(f"*/{STATE}"))
    except OSError as error:
        raise Unreadable(f"the deployments in {root} cannot be listed: {error.strerror}") from error
    if not root.is_dir():
        raise Unreadable(f"the folder of the deployments, {root}, does not exist (set folder of adapter process)")
    deployments = {folder: load_deployment(folder) for folder in folders}
    for folder, deployment in deployments.items():
        if (deployment.namespace, deployment.name) == (target.namespace, target.name):
            return folder
    known = ", ".join(str(deployment) for deployment in deployments.values()) or "none"
    raise InvalidTarget(f"there is no {target} on this machine (known: {known})")


def store_deployment(folder: Path, deployment: Deployment) -> None:
    """Make a deployment's state durable, then the configuration that follows from it."""
    configuration = render_configuration(folder, deployment)
    disk.replace(folder / STATE, msgspec.json.format(msgspec.json.encode(deployment)) + b"\n")
    disk.replace(folder / CONFIGURATION, configuration.encode())


def render_configuration(folder: Path, deployment: Deployment) -> str:
    """Return the gunicorn.conf.py of a deployment: the hooks, then the values."""
    server = deployment.server
    values = {
        "FOLDER": str(folder.resolve()),
        "GENERATION": deployment.generation,
        "wsgi_app": server.application,
        "bind": [server.bind],
        "chdir": server.source,
        "workers": deployment.replicas,
        "worker_class": "gthread",
        "threads": server.threads,
        "graceful_timeout": server.graceful_timeout,
        "raw_env": [f"{name}={value}" for name, value in _environment(folder, deployment).items()],
        "capture_output": True,
        "control_socket_disable": True,
    }
    hooks = resources.files(__package__).joinpath("hooks.py").read_text(encoding="utf-8")
    return "\n".join([hooks, "", *(f"{name} = {value!r}" for name, value in values.items()), ""])


def _environment(folder: Path, deployment: Deployment) -> dict[str, str]:
    current = deployment.current
    for name, value in current.settings.items():
        if not _VARIABLE.fullmatch(name) or name in _OURS or "\0" in value:
            raise Permanent(
                f"{deployment} cannot take setting {name!r}: a setting is an environment variable "
                "(letters, digits and _; RELEASE and PROMETHEUS_MULTIPROC_DIR are set by the adapter)"
            )
    return {
        **current.settings,
        "RELEASE": current.release,
        "PROMETHEUS_MULTIPROC_DIR": str(folder.resolve() / METRICS),
    }
