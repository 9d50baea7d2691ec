"""Who a pod is: its projected token, and the address that Kubernetes put into its environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_adapters.kubernetes.credentials import NoCredential
from runbook_adapters.kubernetes.in_cluster import AccountToken, server_of_pod
from runbook_engine.errors import NoAdapter

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A token file as the kubelet writes it."""
    path = tmp_path / "token"
    path.write_text("first")
    return path


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(seconds=59), "Bearer first", id="within the minute"),
        pytest.param(timedelta(minutes=1), "Bearer second", id="a minute later"),
        pytest.param(timedelta(hours=-1), "Bearer second", id="after the clock was put back"),
    ],
)
def test_token_file_is_read_again_every_minute(token: Path, age: timedelta, expected: str) -> None:
    """The kubelet replaces the file, and nobody tells us."""
    account = AccountToken(token)
    account.authorization(NOW)
    token.write_text("second\n")

    assert expected == account.authorization(NOW + age)


def test_token_that_was_refused_is_read_again_at_once(token: Path) -> None:
    """A 401 does not wait for the minute."""
    account = AccountToken(token)
    account.authorization(NOW)
    token.write_text("second")

    account.refresh()

    assert "Bearer second" == account.authorization(NOW)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "the token file {path} cannot be read: No such file or directory", id="missing"),
        pytest.param(b"\xff\xfe", "the token file {path} cannot be read: it is not text", id="not text"),
        pytest.param(b"\n", "the token is empty", id="empty"),
        pytest.param(
            b"two\nlines",
            "the token holds a line break or another character that no header can hold",
            id="more than a token",
        ),
    ],
)
def test_token_file_that_cannot_be_used_says_so(token: Path, content: bytes | None, said: str) -> None:
    """Nothing is sent without a token."""
    token.unlink() if content is None else token.write_bytes(content)

    with pytest.raises(NoCredential) as caught:
        AccountToken(token).authorization(NOW)

    assert said.format(path=token) == str(caught.value)


@pytest.mark.parametrize(
    ("host", "server"),
    [
        pytest.param("10.96.0.1", "https://10.96.0.1:443", id="IPv4"),
        pytest.param("fd00::1", "https://[fd00::1]:443", id="IPv6"),
    ],
)
def test_server_is_what_kubernetes_told_the_pod(monkeypatch: pytest.MonkeyPatch, host: str, server: str) -> None:
    """The address comes from the environment of the pod."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    assert server == server_of_pod()


def test_outside_of_a_pod_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop with auth inCluster is a mistake that has a way out."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(NoAdapter) as caught:
        server_of_pod()

    assert (
        "adapter kubernetes: auth is inCluster, and this process does not run in a pod "
        "(set auth: kubeconfig and context on a laptop, auth: eks in a Lambda, or set server)"
    ) == str(caught.value)
