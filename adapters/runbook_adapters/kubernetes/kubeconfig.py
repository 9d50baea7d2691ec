"""Who a person is, from a kubeconfig: read by the official client, which knows its exec plugins. For laptops.

The official client is the extra `kubernetes`; it is imported here alone, and sends nothing. The context is named in
engine.yaml: whatever `kubectl config use-context` was last set to must not choose the cluster that is changed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from runbook_adapters.kubernetes.credentials import Credentials, NoCredential, checked_header
from runbook_adapters.kubernetes.tls import ca_of_data
from runbook_engine.errors import NoAdapter

_NOT_OURS = {
    "as": "acting as somebody else is not supported; use a context of that identity",
    "as-groups": "acting as other groups is not supported; use a context of that identity",
    "auth-provider": "kubectl has none since 1.26; use an exec plugin",
}


class Kubeconfig(msgspec.Struct, frozen=True, kw_only=True):
    """One context: where its cluster is, whom to trust, and who we are."""

    context: str
    server: str
    credentials: Credentials
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""  # in the server's certificate, when it is not the host


class PersonToken:
    """The token of a kubeconfig's user; an exec plugin is run again when it expires or is not accepted."""

    def __init__(self, load: Callable[[], SimpleNamespace], loaded: SimpleNamespace) -> None:
        self._load = load
        self._loaded: SimpleNamespace | None = loaded
        self._lock = threading.Lock()

    def authorization(self, now: datetime) -> str:
        """Return the header's value, empty with a client certificate. Raises NoCredential."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._again()
            elif self._loaded.refresh_api_key_hook is not None:
                self._loaded.refresh_api_key_hook(self._loaded)
            return checked_header(str(self._loaded.api_key.get("authorization", "")))

    def refresh(self) -> None:
        """Read the file, or run the plugin, before the next request."""
        with self._lock:
            self._loaded = None

    def _again(self) -> SimpleNamespace:
        try:
            return self._load()
        except NoAdapter as error:
            raise NoCredential(str(error)) from error


def load_kubeconfig(path: Path | None, context: str, *, may_guess: bool = False) -> Kubeconfig:
    """Return a context of a kubeconfig; without a path KUBECONFIG's, else the one in the home folder.

    Raises NoAdapter. Only who may guess, since nothing is changed, gets the current context when none is named.
    """
    where = str(path) if path else "the kubeconfig"

    def load() -> SimpleNamespace:
        return _loaded(path, where, context, may_guess=may_guess)

    loaded = load()
    return Kubeconfig(
        context=loaded.context,
        server=loaded.host,
        credentials=PersonToken(load, loaded),
        ca=_path(loaded.ssl_ca_cert),
        certificate=_path(loaded.cert_file),
        key=_path(loaded.key_file),
        server_name=loaded.tls_server_name or "",
    )


def _loaded(path: Path | None, where: str, context: str, *, may_guess: bool) -> SimpleNamespace:
    """Return what the official client makes of one context."""
    try:
        import yaml
        from kubernetes.config import kube_config
        from kubernetes.config.config_exception import ConfigException
    except ImportError as error:
        raise NoAdapter(
            "adapter kubernetes: auth is kubeconfig, and the official client is not installed",
            "pip install 'runbook-engine[kubernetes]'",
        ) from error
    try:
        merged = kube_config.KubeConfigMerger(str(path or kube_config.KUBE_CONFIG_DEFAULT_LOCATION)).config
        if merged is None:
            raise NoAdapter(f"adapter kubernetes: there is no file {where}", "set kubeconfig to its path")
        chosen = _chosen(merged.value, where, context, may_guess=may_guess)
        _check(merged, chosen, where)
        found = _nothing_yet(chosen)
        kube_config.KubeConfigLoader(merged, active_context=chosen, config_base_path=None).load_and_set(found)
    except (ConfigException, yaml.YAMLError, OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise NoAdapter(f"adapter kubernetes: {where} cannot be used: {_why(error)}", _LOOK) from None
    if _user(merged, chosen).get("exec") and not found.api_key and not found.cert_file:
        raise NoAdapter(
            f"adapter kubernetes: the exec plugin of context {chosen} gave no credential", "kubectl shows what it says"
        )
    return found


def _nothing_yet(context: str) -> SimpleNamespace:
    """Return what the official client fills in; its own Configuration would read the environment as well."""
    return SimpleNamespace(
        context=context,
        api_key={},
        refresh_api_key_hook=None,
        host="",
        ssl_ca_cert=None,
        cert_file=None,
        key_file=None,
        tls_server_name=None,
    )


def _chosen(document: Any, where: str, context: str, *, may_guess: bool) -> str:
    names = sorted(str(each["name"]) for each in document["contexts"])
    there = ", ".join(names) or "none"
    if context in names:
        return context
    if context:
        raise NoAdapter(f"adapter kubernetes: {where} has no context {context}", f"it has: {there}")
    if not may_guess:
        raise NoAdapter(f"adapter kubernetes: no context of {where} is named", f"set context to one of: {there}")
    current = str(document.get("current-context") or "")
    if current not in names:
        raise NoAdapter(f"adapter kubernetes: {where} has no current context", f"set context to one of: {there}")
    return current


def _check(merged: Any, context: str, where: str) -> None:
    """Refuse what the official client would pass over. Raises NoAdapter."""
    cluster = merged["clusters"].get_with_name(_context(merged, context)["cluster"])["cluster"].value
    of = f"adapter kubernetes: context {context} of {where}"
    if not cluster.get("server"):
        raise NoAdapter(f"{of} names no server", _LOOK)
    if cluster.get("insecure-skip-tls-verify"):
        raise NoAdapter(f"{of} does not verify the server", "give its cluster certificate-authority-data instead")
    if cluster.get("proxy-url"):
        raise NoAdapter(f"{of} has a proxy-url", "take it out, and set proxy in engine.yaml")
    if written := cluster.get("certificate-authority-data"):  # which the official client writes to a file of its own
        ca_of_data(str(written), f"certificate-authority-data of context {context} of {where}")
    for word, what in _NOT_OURS.items():
        if word in _user(merged, context):
            raise NoAdapter(f"{of} has a user with {word}", what)


def _context(merged: Any, context: str) -> Any:
    return merged["contexts"].get_with_name(context)["context"].value


def _user(merged: Any, context: str) -> Any:
    name = _context(merged, context).get("user")
    found = merged["users"].get_with_name(name, safe=True) if name and merged.safe_get("users") else None
    return found["user"].value if found is not None and found.safe_get("user") else {}


def _why(error: Exception) -> str:
    """Say what is wrong without the error's own words: the official client's repeat the user, token and all."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]}"
    absent = re.fullmatch(r"File does not exist: (.+)", str(error))
    if absent:
        return f"it names {absent[1]}, and there is no such file"
    missing = re.search(r"Expected key (\S+)|Expected object with name (\S+)", str(error))
    if missing:
        return f"it lacks {missing[1] or missing[2]}"
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1} is not YAML" if mark is not None else "it is not a kubeconfig"


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


_LOOK = "kubectl config view shows it"
