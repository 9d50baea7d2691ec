"""A question over a signed link, from the alert to the change: a real runner, a message, a browser's requests."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from runbook_engine.entrypoints.serve import check
from runbook_engine.errors import NoAdapter
from tests.e2e.runner import Runner
from tests.lab import CONFIG, TOKENS, install, wait_until, webhook

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APPROVALS = "approvals: {url: http://127.0.0.1:8930/approvals, key: {env: LINK_KEY}}\n"
TOLD = CONFIG.replace("chat: {adapter: console}", "chat: {adapter: console, path: ../told.log}")
LINK = re.compile(r"approve: http://127\.0\.0\.1:8930(/approvals/\S+)")
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1:8930"}


def test_a_question_is_answered_over_the_link_in_its_message(tmp_path: Path) -> None:
    """The worker signs, the web process reads, gunicorn parses; with a form, and no script.

    Without tokens no other page of a browser is answered, and this one is.
    """
    settings = install(tmp_path, config=TOLD + APPROVALS, mode="approve")
    runner = Runner(settings, environment={"LINK_KEY": "k" * 32})
    told, flags = tmp_path / "told.log", tmp_path / "flags.json"
    try:
        runner.wait_for_start()
        runner.ask("POST", "/hooks/lab", webhook("path"))
        wait_until(lambda: told.exists() and LINK.search(told.read_text()) is not None, "somebody is asked")
        found = LINK.search(told.read_text())
        assert found is not None

        shown, page, headers = runner.ask("GET", found[1])
        forged = runner.ask("POST", found[1].replace("sig=", "sig=0"), b"answer=approve", headers=FORM)[0]
        large = runner.ask("POST", found[1], iter([b"reason=" + b"x" * 100_000]), headers=FORM)[0]
        looked = runner.ask("HEAD", found[1])[0]
        before = flags.exists()
        answered, said, _ = runner.ask("POST", found[1], b"answer=approve", headers=FORM)
        again = runner.ask("POST", found[1], b"answer=deny", headers=FORM)[0]

        assert (200, True, False) == (shown, "/lab/path" in page, before)
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (401, 413, 405) == (forged, large, looked)
        assert (200, True, 409) == (answered, "Answered by the link sent to chat." in said, again)
        wait_until(lambda: flags.exists() and '"true"' in flags.read_text(), "the change is made")
        assert "sig=" not in runner.log_file.read_text()
    finally:
        runner.stop(signal.SIGTERM)
    assert [] == runner.left()


def test_a_runner_without_the_key_of_its_links_does_not_start(tmp_path: Path) -> None:
    """Every question would go out without one, and nobody would know why."""
    settings = install(tmp_path, config=CONFIG + TOKENS + APPROVALS)

    with pytest.raises(NoAdapter) as refusal:
        check(settings, "127.0.0.1")

    assert "the secret {env: LINK_KEY} is not set (export LINK_KEY before starting)" == str(refusal.value)
