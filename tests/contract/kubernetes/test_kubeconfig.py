"""Who a person is: kubeconfigs of all kinds, read by the official client, and what it would pass over."""

from __future__ import annotations

import base64
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from runbook_adapters.kubernetes.credentials import NoCredential
from runbook_adapters.kubernetes.kubeconfig import load_kubeconfig
from runbook_adapters.kubernetes.settings import KubernetesSettings, connect
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import AdapterContext
from tests.contract.http_service import Asked, Told, http_service

pytest.importorskip("kubernetes", reason="the official client is an extra")

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
SECRET = "canary-9d2e-token"


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def written(
    folder: Path,
    *,
    user: dict | None = None,
    cluster: dict | None = None,
    current: str | None = "shop",
    server: str = "https://c.example:6443",
) -> Path:
    """Write a kubeconfig with the contexts shop and test, and return its path."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server} if cluster is None else cluster}],
        "users": [{"name": "me", "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "me"}} for name in ("shop", "test")],
        **({"current-context": current} if current is not None else {}),
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(folder: Path, body: str) -> dict:
    """Return a user whose token comes from a program, which counts its runs."""
    program = folder / "plugin.py"
    program.write_text(
        f"import json, pathlib\nruns = pathlib.Path({str(folder / 'runs')!r})\n"
        f"number = len(runs.read_text()) if runs.exists() else 0\nruns.write_text('x' * (number + 1))\n{body}\n"
    )
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(program)]}}


def credential(expires: str) -> str:
    """Return a plugin's program that gives token-0, token-1 ..."""
    return (
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', "
        f"'status': {{'token': f'token-{{number}}', 'expirationTimestamp': '{expires}'}}}}))"
    )


def test_context_gives_server_and_token(tmp_path: Path) -> None:
    """The usual file works."""
    found = load_kubeconfig(written(tmp_path), "test")

    assert ("test", "https://c.example:6443") == (found.context, found.server)
    assert f"Bearer {SECRET}" == found.credentials.authorization(NOW)


def test_token_file_is_read_again_when_it_was_refused(tmp_path: Path) -> None:
    """A file that somebody replaced is taken up at a 401; so is a changed kubeconfig."""
    (tmp_path / "token").write_text("first")
    found = load_kubeconfig(written(tmp_path, user={"tokenFile": "token"}), "shop")
    (tmp_path / "token").write_text("second")

    assert "Bearer first" == found.credentials.authorization(NOW)
    found.credentials.refresh()

    assert "Bearer second" == found.credentials.authorization(NOW)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        pytest.param(f"{SECRET}\n", f"Bearer {SECRET}", id="a line break at its end"),
        pytest.param(f"{SECRET}\r\n\r\n", f"Bearer {SECRET}", id="line breaks of another system"),
    ],
)
def test_token_file_is_stripped_when_an_editor_ended_its_line(tmp_path: Path, content: str, header: str) -> None:
    """As kubectl does; no header could hold it otherwise."""
    (tmp_path / "token").write_text(content)

    found = load_kubeconfig(written(tmp_path, user={"tokenFile": "token"}), "shop")

    assert header == found.credentials.authorization(NOW)


@pytest.mark.parametrize("content", [f"{SECRET}\nmore", f"{SECRET} \x7f"], ids=["two lines", "a control character"])
def test_token_is_refused_when_no_header_can_hold_it(tmp_path: Path, content: str) -> None:
    """The HTTP library's own error would show the token."""
    (tmp_path / "token").write_text(content)
    found = load_kubeconfig(written(tmp_path, user={"tokenFile": "token"}), "shop")

    with pytest.raises(NoCredential) as refused:
        found.credentials.authorization(NOW)

    assert "the token holds a line break or another character that no header can hold" == str(refused.value)


@pytest.mark.parametrize(
    ("expires", "headers"),
    [
        pytest.param("2999-01-01T00:00:00Z", ["Bearer token-0", "Bearer token-0"], id="as long as it lives"),
        pytest.param("2001-01-01T00:00:00Z", ["Bearer token-1", "Bearer token-2"], id="when it expired"),
    ],
)
def test_plugin_is_run_again(tmp_path: Path, expires: str, headers: list[str]) -> None:
    """A credential of an exec plugin is kept until it expires."""
    found = load_kubeconfig(written(tmp_path, user=plugin(tmp_path, credential(expires))), "shop")

    assert headers == [found.credentials.authorization(NOW) for _ in headers]


def test_plugin_is_run_again_when_its_token_was_refused(tmp_path: Path) -> None:
    """A 401 ends a credential that claims to live."""
    user = plugin(tmp_path, credential("2999-01-01T00:00:00Z"))
    found = load_kubeconfig(written(tmp_path, user=user), "shop")

    found.credentials.refresh()

    assert "Bearer token-1" == found.credentials.authorization(NOW)


def test_plugin_that_fails_is_not_nobody(tmp_path: Path) -> None:
    """The official client goes on without a credential; we do not."""
    path = written(tmp_path, user=plugin(tmp_path, "raise SystemExit(3)"))

    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(path, "shop")

    assert (
        "adapter kubernetes: the exec plugin of context shop gave no credential (kubectl shows what it says)"
    ) == str(caught.value)


def test_plugin_that_fails_later_is_no_credential(tmp_path: Path) -> None:
    """A login that ran out while the engine runs stops the next request, not the engine."""
    user = plugin(tmp_path, "number and exit(3)\n" + credential("2999-01-01T00:00:00Z"))
    found = load_kubeconfig(written(tmp_path, user=user), "shop")
    found.credentials.refresh()

    with pytest.raises(NoCredential) as caught:
        found.credentials.authorization(NOW)

    assert (
        "adapter kubernetes: the exec plugin of context shop gave no credential (kubectl shows what it says)"
    ) == str(caught.value)


def test_certificates_and_names_are_handed_on(tmp_path: Path) -> None:
    """Authority, client certificate, key and the server's name reach whoever connects."""
    for name in ("ca.crt", "me.crt", "me.key"):
        (tmp_path / name).write_text(name)
    cluster = {"server": "https://10.0.0.1", "tls-server-name": "api.shop", "certificate-authority": "ca.crt"}
    user = {
        "client-certificate": "me.crt",
        "client-key-data": base64.b64encode(b"key in the file").decode(),
    }

    found = load_kubeconfig(written(tmp_path, cluster=cluster, user=user), "shop")

    assert found.ca is not None
    assert found.certificate is not None
    assert found.key is not None
    assert ("ca.crt", "me.crt", "key in the file") == tuple(
        path.read_text() for path in (found.ca, found.certificate, found.key)
    )
    assert ("api.shop", "") == (found.server_name, found.credentials.authorization(NOW))


def test_current_context_is_only_for_those_who_may_guess(tmp_path: Path) -> None:
    """A dry run may look at the current context; nothing else may."""
    path = written(tmp_path, current="test")

    assert "test" == load_kubeconfig(path, "", may_guess=True).context
    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(path, "")

    assert f"adapter kubernetes: no context of {path} is named (set context to one of: shop, test)" == str(caught.value)


@pytest.mark.parametrize(
    ("made", "context", "sentence"),
    [
        pytest.param({}, "prod", "{path} has no context prod (it has: shop, test)", id="another context"),
        pytest.param(
            {"cluster": {"server": "https://c.example", "insecure-skip-tls-verify": True}},
            "shop",
            "context shop of {path} does not verify the server (give its cluster certificate-authority-data instead)",
            id="verification switched off",
        ),
        pytest.param(
            {"cluster": {"server": "https://c.example", "proxy-url": "http://p:1"}},
            "shop",
            "context shop of {path} has a proxy-url (take it out, and set proxy in engine.yaml)",
            id="a proxy of its own",
        ),
        pytest.param(
            {"cluster": {"certificate-authority": "x"}},
            "shop",
            "context shop of {path} names no server (kubectl config view shows it)",
            id="no server",
        ),
        pytest.param(
            {"user": {"token": SECRET, "as": "admin"}},
            "shop",
            "context shop of {path} has a user with as "
            "(acting as somebody else is not supported; use a context of that identity)",
            id="somebody else's rights",
        ),
        pytest.param(
            {"user": {"auth-provider": {"name": "gcp"}}},
            "shop",
            "context shop of {path} has a user with auth-provider (kubectl has none since 1.26; use an exec plugin)",
            id="a provider of the past",
        ),
        pytest.param(
            {"user": {"token": SECRET, "exec": {"command": "x"}, "client-certificate": "/not/there"}},
            "shop",
            "{path} cannot be used: it names /not/there, and there is no such file (kubectl config view shows it)",
            id="a certificate that is missing",
        ),
    ],
)
def test_kubeconfig_that_cannot_be_used_says_why(tmp_path: Path, made: dict, context: str, sentence: str) -> None:
    """What the official client passes over, or says with the token in it, is said here without."""
    path = written(tmp_path, **made)

    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(path, context)

    assert "adapter kubernetes: " + sentence.format(path=path) == str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("a: 1\nb: [", "{path} cannot be used: line 2 is not YAML", id="no YAML"),
        pytest.param("", "{path} cannot be used: it is not a kubeconfig", id="empty"),
        pytest.param("- a", "{path} cannot be used: it is not a kubeconfig", id="a list"),
        pytest.param(
            "contexts: [{context: {}}]", "{path} cannot be used: it lacks name", id="a context without a name"
        ),
        pytest.param(
            f"contexts: [{{name: shop, context: {{user: me}}}}]\nusers: [{{name: me, user: {{token: {SECRET}}}}}]",
            "{path} cannot be used: it lacks cluster",
            id="a context without a cluster",
        ),
    ],
)
def test_file_that_is_no_kubeconfig_says_so(tmp_path: Path, text: str, sentence: str) -> None:
    """Its words are not repeated: they may hold the token."""
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(path, "shop")

    assert f"adapter kubernetes: {sentence} (kubectl config view shows it)".format(path=path) == str(caught.value)


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """The path that was looked at is in the sentence."""
    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(tmp_path / "config", "shop")

    assert f"adapter kubernetes: there is no file {tmp_path / 'config'} (set kubeconfig to its path)" == str(
        caught.value
    )


def test_no_current_context_is_not_guessed(tmp_path: Path) -> None:
    """Guessing has a limit, too."""
    path = written(tmp_path, current=None)

    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(path, "", may_guess=True)

    assert f"adapter kubernetes: {path} has no current context (set context to one of: shop, test)" == str(caught.value)


def test_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "kubernetes.config", None)

    with pytest.raises(NoAdapter) as caught:
        load_kubeconfig(written(tmp_path), "shop")

    assert (
        "adapter kubernetes: auth is kubeconfig, and the official client is not installed "
        "(pip install 'runbook-engine[kubernetes]')"
    ) == str(caught.value)


def test_connection_by_kubeconfig_reaches_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Settings, file and transport work together, a refused token is renewed, and no log shows one."""
    caplog.set_level(logging.DEBUG)

    def answer(asked: Asked) -> Told:
        return (
            Told(200, b'{"kind":"APIResourceList"}')
            if asked.headers["Authorization"] == "Bearer token-1"
            else Told(401)
        )

    with http_service(answer) as service:
        user = plugin(tmp_path, credential("2999-01-01T00:00:00Z"))
        written(tmp_path, server=service.url, user=user)
        settings = KubernetesSettings(auth="kubeconfig", kubeconfig="config", context="shop")
        context = AdapterContext(
            clock=FixedClock(), configuration=Configuration(), base=tmp_path, state=tmp_path, secret=pytest.fail
        )

        assert {"kind": "APIResourceList"} == connect(settings, context).get("/api/v1")

    assert "token-" not in caplog.text
