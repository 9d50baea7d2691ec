"""What an installation writes about its web page, compiled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.entrypoints.serve import check
from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.loading.files import load_files
from runbook_engine.model.web import Web, WebProxy
from runbook_engine.registry import Registry
from tests.lab import CONFIG, install

HEAD = "apiVersion: runbook-engine/v1\nkind: EngineConfig\ntokens: {ann: {roles: [read], secrets: [{env: ANN}]}}\n"
PROXY = "proxy: {from: [10.0.0.7, fd00::/8], header: X-Forwarded-User}"


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[str], Web]:
    """Return what the section `web` comes to."""

    def compile_(section: str) -> Web:
        file = tmp_path / "engine.yaml"
        file.write_text(HEAD + section)
        loaded = load_files([], Registry(), file)
        assert [] == [str(finding) for finding in loaded.diagnostics]
        return loaded.bundle.configuration.web

    return compile_


@pytest.mark.parametrize(
    ("section", "web"),
    [
        pytest.param("", Web(session_for=timedelta(hours=12)), id="nothing"),
        pytest.param("web: {enabled: false}", Web(enabled=False), id="no page"),
        pytest.param(
            "web: {url: https://runbooks.example, sessionFor: 1h}",
            Web(url="https://runbooks.example", session_for=timedelta(hours=1)),
            id="an address and a time",
        ),
        pytest.param(
            "web: {proxy: {from: [10.0.0.0/8]}}",
            Web(proxy=WebProxy(networks=("10.0.0.0/8",))),
            id="a proxy that is mute",
        ),
        pytest.param(
            f"web: {{{PROXY}, people: {{ann: [read, operate]}}, others: [read]}}",
            Web(
                proxy=WebProxy(networks=("10.0.0.7", "fd00::/8"), header="X-Forwarded-User"),
                people={"ann": ("read", "operate")},
                others=("read",),
            ),
            id="a proxy that names people",
        ),
        pytest.param(
            f"web: {{{PROXY}, others: none}}",
            Web(proxy=WebProxy(networks=("10.0.0.7", "fd00::/8"), header="X-Forwarded-User")),
            id="nobody else",
        ),
    ],
)
def test_web_is_compiled_as_it_is_written(section: str, web: Web, compiled: Callable[[str], Web]) -> None:
    """What is absent has the safe answer."""
    assert web == compiled(section)


def test_a_page_that_strangers_are_led_to_is_not_served_without_tokens(tmp_path: Path) -> None:
    """Whoever reaches it could act."""
    settings = install(tmp_path, config=CONFIG + "web: {url: https://runbooks.example}\n")

    with pytest.raises(InvalidSettings) as caught:
        check(settings, "127.0.0.1")

    assert str(caught.value) == (
        "refusing to serve https://runbooks.example without tokens: whoever reaches the pages through a proxy may "
        "reach the rest of the server too, and without tokens everybody may act (name tokens in engine.yaml)"
    )
