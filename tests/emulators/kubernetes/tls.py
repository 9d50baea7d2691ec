"""TLS: a certificate authority of its own and a certificate for the loopback address, made by the openssl command."""

import shutil
import ssl
import subprocess
from pathlib import Path

_EXTENSIONS = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n"


def server_context(folder: Path) -> ssl.SSLContext:
    """Make the certificates in a folder (ca.crt, server.crt, server.key) and return the server's context."""
    if shutil.which("openssl") is None:
        raise RuntimeError("a cluster with TLS needs the openssl command: install it, or use tls=False")
    subject = ["-subj", "/CN=emulated-kubernetes-ca"]
    run = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt"]
    _openssl(folder, *run, *subject)
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr"]
    _openssl(folder, *request, "-subj", "/CN=kubernetes")
    (folder / "server.ext").write_text(_EXTENSIONS)
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"]
    _openssl(folder, *sign, "-out", "server.crt", "-extfile", "server.ext")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=180)
