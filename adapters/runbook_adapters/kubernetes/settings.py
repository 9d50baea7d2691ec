"""The settings of one cluster in engine.yaml, and the connection that they describe.

Flat on purpose: which of them belong together is said by sentences, not by nesting. `connect` is part of building
the adapter, so what it needs is imported there.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from runbook_adapters.kubernetes.calls import is_name
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_adapters.kubernetes.credentials import Credentials
    from runbook_adapters.kubernetes.transport import Transport

Auth = Literal["inCluster", "kubeconfig", "eks", "token"]
LARGEST_ANSWER = 32 * 1024 * 1024


class KubernetesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where the API server is, whom to trust, and who we are to it; empty = not given."""

    auth: Auth
    server: str = ""  # eks, token; inCluster: instead of what Kubernetes tells the pod
    ca_file: str = ""  # PEM; relative paths start beside engine.yaml
    ca_data: str = ""  # PEM or its base64, as EKS's certificateAuthority.data
    context: str = ""  # kubeconfig: never guessed for anything that changes something
    kubeconfig: str = ""  # a path; KUBECONFIG's or the one in the home folder unless given
    eks_cluster: str = ""  # the name, not the ARN
    region: str = ""
    token: SecretReference | None = None
    proxy: str = ""  # of HTTPS; the environment's is not used
    watch: bool = True  # whether workloads are watched for changes, which needs list and watch on them
    namespaces: tuple[str, ...] = ()  # where changes are watched; empty = all
    max_response: int = LARGEST_ANSWER  # bytes of one answer


class _Fit(msgspec.Struct, frozen=True):
    """What one way of authentication needs, and what else goes with it."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


FITS: dict[Auth, _Fit] = {
    "inCluster": _Fit(takes=("server", "caFile", "caData")),
    "kubeconfig": _Fit(takes=("context", "kubeconfig")),
    "eks": _Fit(needs=("server", "eksCluster", "region"), takes=("caFile", "caData")),
    "token": _Fit(needs=("server", "token"), takes=("caFile", "caData")),
}
REMEDIES = {
    "server": "set server to the endpoint of the API server, https://...",
    "eksCluster": "set eksCluster to the cluster's name; without it EKS cannot tell for which cluster a token is",
    "region": "set region to the one the cluster is in",
    "token": "set token: {env: NAME} or {file: path}",
}


class _Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is spoken to, and as whom."""

    server: str
    credentials: Credentials
    ca: str = ""
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""


def connect(settings: KubernetesSettings, context: AdapterContext, *, may_guess: bool = False) -> Transport:
    """Return the transport to the cluster; nothing is sent yet. Raises NoAdapter with what is wrong.

    `may_guess`: nothing will be changed, so that a kubeconfig's current context will do.
    """
    try:
        return _connect(settings, context, may_guess=may_guess)
    except NoAdapter as error:
        if not context.place:
            raise
        said = str(error).removesuffix(f" ({error.hint})")
        raise NoAdapter(f"cluster {context.place}: {said}", error.hint) from error


def _connect(settings: KubernetesSettings, context: AdapterContext, *, may_guess: bool) -> Transport:
    from runbook_adapters.kubernetes.tls import trust
    from runbook_adapters.kubernetes.transport import Transport
    from runbook_adapters.kubernetes.wire import Wire

    _check(settings)
    peer = _peer(settings, context, may_guess=may_guess)
    server = checked_server(peer.server)
    secure = server.startswith("https")
    wire = Wire(
        server,
        tls=trust(peer.ca, certificate=peer.certificate, key=peer.key) if secure else None,
        server_name=peer.server_name,
        proxy=_checked_proxy(settings.proxy),
        agent=_agent(),
        most_bytes=settings.max_response,
    )
    return Transport(wire, peer.credentials, context.clock)


def _check(settings: KubernetesSettings) -> None:
    """Refuse settings that do not belong together. Raises NoAdapter."""
    fit = FITS[settings.auth]
    given = [name for name, value in _named(settings).items() if value]
    for name in fit.needs:
        if name not in given:
            raise NoAdapter(f"adapter kubernetes: auth {settings.auth} needs {name}", REMEDIES[name])
    for name in given:
        if name not in fit.needs + fit.takes:
            raise NoAdapter(
                f"adapter kubernetes: {name} does not go with auth {settings.auth}",
                f"remove {name}, or choose the auth that it belongs to",
            )
    if settings.ca_file and settings.ca_data:
        raise NoAdapter("adapter kubernetes: both caFile and caData are given", "keep one of them")
    if settings.auth == "eks" and not (settings.ca_file or settings.ca_data):
        raise NoAdapter(
            "adapter kubernetes: auth eks needs caData or caFile",
            "set caData to certificateAuthority.data of the cluster",
        )
    for namespace in settings.namespaces:
        if not is_name(namespace):
            raise NoAdapter(
                f"adapter kubernetes: namespaces names {namespace!r}, which no namespace can be called",
                "name namespaces one by one, or leave it out to watch all",
            )
    if settings.max_response < 1:
        raise NoAdapter("adapter kubernetes: maxResponse is a number of bytes above 0", "leave it out for 32 MiB")


def _named(settings: KubernetesSettings) -> dict[str, object]:
    return {
        "server": settings.server,
        "caFile": settings.ca_file,
        "caData": settings.ca_data,
        "context": settings.context,
        "kubeconfig": settings.kubeconfig,
        "eksCluster": settings.eks_cluster,
        "region": settings.region,
        "token": settings.token,
    }


def _peer(settings: KubernetesSettings, context: AdapterContext, *, may_guess: bool) -> _Peer:
    match settings.auth:
        case "kubeconfig":
            return _of_kubeconfig(settings, context, may_guess=may_guess)
        case "inCluster":
            return _of_pod(settings, context)
        case "eks":
            return _of_eks(settings, context)
        case "token":
            return _of_token(settings, context)


def _of_kubeconfig(settings: KubernetesSettings, context: AdapterContext, *, may_guess: bool) -> _Peer:
    from runbook_adapters.kubernetes.kubeconfig import load_kubeconfig
    from runbook_adapters.kubernetes.tls import ca_of_file

    path = context.base / settings.kubeconfig if settings.kubeconfig else None
    found = load_kubeconfig(path, settings.context, may_guess=may_guess)
    return _Peer(
        server=found.server,
        credentials=found.credentials,
        ca=ca_of_file(found.ca) if found.ca else "",
        certificate=found.certificate,
        key=found.key,
        server_name=found.server_name,
    )


def _of_pod(settings: KubernetesSettings, context: AdapterContext) -> _Peer:
    from runbook_adapters.kubernetes.in_cluster import ACCOUNT, AccountToken, server_of_pod
    from runbook_adapters.kubernetes.tls import ca_of_file

    server = settings.server or server_of_pod()
    ca = _ca(settings, context) or ca_of_file(ACCOUNT / "ca.crt")
    return _Peer(server=server, credentials=AccountToken(ACCOUNT / "token"), ca=ca)


def _of_eks(settings: KubernetesSettings, context: AdapterContext) -> _Peer:
    from runbook_adapters.kubernetes.eks_auth import EksToken, checked_cluster, keys_of_session

    checked_cluster(settings.eks_cluster, settings.region)
    who = EksToken(settings.eks_cluster, settings.region, keys_of_session())
    return _Peer(server=settings.server, credentials=who, ca=_ca(settings, context))


def _of_token(settings: KubernetesSettings, context: AdapterContext) -> _Peer:
    from runbook_adapters.kubernetes.credentials import GivenToken

    reference = settings.token
    assert reference is not None, "needed, and checked above"
    who = GivenToken(lambda: context.secret(reference))
    return _Peer(server=settings.server, credentials=who, ca=_ca(settings, context))


def _ca(settings: KubernetesSettings, context: AdapterContext) -> str:
    from runbook_adapters.kubernetes.tls import ca_of_data, ca_of_file

    if settings.ca_file:
        return ca_of_file(context.base / settings.ca_file)
    return ca_of_data(settings.ca_data) if settings.ca_data else ""


def checked_server(server: str) -> str:
    """Return the address without a trailing slash. Raises NoAdapter for one that would show the credential."""
    hint = REMEDIES["server"]
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise NoAdapter("adapter kubernetes: the address of the server cannot be read", hint) from error
    if parts.scheme not in ("http", "https") or not host:
        raise NoAdapter("adapter kubernetes: the address of the server is neither http nor https", hint)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise NoAdapter("adapter kubernetes: the address of the server holds more than a host and a path", hint)
    if parts.scheme == "http" and not _is_loopback(host):
        raise NoAdapter(
            f"adapter kubernetes: {server} would send the credential in the clear",
            "use https; plain http is for a server on this very machine",
        )
    return server.rstrip("/")


def _checked_proxy(proxy: str) -> str:
    if not proxy:
        return ""
    try:
        parts = urlsplit(proxy)
        plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.password)
    except ValueError:
        plain = False
    if not plain:
        raise NoAdapter(
            "adapter kubernetes: proxy is no address of a proxy, or it holds a credential",
            "set proxy to http://host:port",
        )
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _agent() -> str:
    try:
        return f"runbook-engine/{version('runbook-engine')}"
    except PackageNotFoundError:
        return "runbook-engine/unknown"
