"""A server with its web page under test, and browsers that behave as browsers do."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runbook_engine.engine import Engine
from runbook_engine.entrypoints import server
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.routes import WebHost
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.directive import Approve
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import SECRETS, simulated_engine, webhook

KEY = bytes(range(32))
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class PlainPages:
    """Pages that say who looks, and hold one form: what the real ones show is tested elsewhere."""

    def __init__(self, desk: WebDesk) -> None:
        self.engine = desk.engine

    def home(self, visitor: Visitor, notice: str = "") -> str:
        """Show who looks."""
        roles = ",".join(visitor.roles)
        form = f'<input type="hidden" name="csrf" value="{visitor.csrf}">'
        return f"<main>who={visitor.name} roles={roles} notice=[{escape(notice)}]{form}</main>"

    incidents = runbooks = pause = inbox = home

    def incident(self, visitor: Visitor, incident_id: str, notice: str = "") -> str:
        """Show who looks, if there is such an incident."""
        self.engine.incident_report(incident_id)
        return self.home(visitor, notice)

    def execution(self, visitor: Visitor, execution_id: str, notice: str = "") -> str:
        """Show who looks, if there is such an execution."""
        self.engine.execution_report(execution_id)
        return self.home(visitor, notice)

    def runbook(self, visitor: Visitor, name: str, notice: str = "") -> str:
        """Show who looks, if there is such a runbook."""
        self.engine.runbook(name)
        return self.home(visitor, notice)

    def sign_in(self, *, back: str, problem: str = "", names_proxy: bool = False) -> str:
        """Show the form."""
        return f'<main>sign-in back="{escape(back)}" problem=[{escape(problem)}] proxy={names_proxy}</main>'

    def refused(self, status: int, title: str, message: str) -> str:
        """Show what is refused."""
        return f"<main>refused {status} {escape(title)}: {escape(message)}</main>"

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """Return the one file that there is."""
        return (b"body {}", "text/css; charset=utf-8") if name == "app.css" else None


@dataclass
class Browser:
    """Somebody's browser: cookies, an address, and what browsers say of themselves."""

    client: FlaskClient
    base: str = "http://localhost"
    peer: str = "127.0.0.1"
    named: Mapping[str, str] = field(default_factory=dict)  # what a proxy adds

    def get(self, path: str, **headers: str) -> TestResponse:
        """Open a page; a header is written with underscores."""
        given = {"Sec-Fetch-Site": "none", "Accept": "text/html,*/*;q=0.8"} | _named(headers) | dict(self.named)
        return self.client.get(path, base_url=self.base, headers=given, environ_base={"REMOTE_ADDR": self.peer})

    def post(self, path: str, headers: Mapping[str, str | None] | None = None, **fields: str) -> TestResponse:
        """Send a form from a page of ours, unless the headers say otherwise."""
        said: dict[str, str | None] = {"Origin": self.base, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        given = {name: value for name, value in {**said, **(headers or {}), **self.named}.items() if value is not None}
        return self.client.post(
            path, base_url=self.base, data=fields, headers=given, environ_base={"REMOTE_ADDR": self.peer}
        )

    def sign_in(self, token: str) -> Browser:
        """Sign in, and be it."""
        answer = self.post("/sign-in", token=token)
        assert answer.status_code == 303, answer.text
        return self

    def csrf(self) -> str:
        """Return what stands in the forms of this session."""
        found = CSRF.search(self.get("/pause").text)
        assert found is not None
        return found.group(1)

    def do(self, path: str, **fields: str) -> TestResponse:
        """Send a form of this session."""
        return self.post(path, csrf=self.csrf(), **fields)


@dataclass
class Room:
    """A server with its page, and everything behind it."""

    app: Flask
    engine: Engine
    simulated: SimulatedWorld
    journal: MemoryJournal
    log: io.StringIO
    stopping: threading.Event

    def browser(self, **settings: Any) -> Browser:
        """Return a browser that has never been here."""
        return Browser(self.app.test_client(), **settings)

    def signed_in(self, secret: str, **settings: Any) -> Browser:
        """Return a browser of somebody who has signed in."""
        return self.browser(**settings).sign_in(SECRETS[secret])

    def pass_time(self, period: timedelta) -> None:
        """Let the clock go on."""
        self.simulated.clock.push(period)

    def ask_something(self) -> str:
        """Let a run wait for an answer, and return its id."""
        token = {"Authorization": f"Bearer {SECRETS['SENDER_OLD']}", "Prefer": "wait"}
        taken = self.app.test_client().post(
            "/hooks/lab", data=webhook(), headers=token, content_type="application/json"
        )
        execution_id: str = taken.get_json()["executions"][0]
        run_until_idle(
            self.engine,
            self.engine.due(self.simulated.clock.now()),
            clock=self.simulated.clock,
            owner="w1",
            sleep=lambda seconds: None,
            until=lambda directives: any(isinstance(one, Approve) for one in directives.values()),
        )
        return execution_id

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the logged events of a name, without what every line has."""
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [
            {key: value for key, value in event.items() if key not in ("ts", "level", "event")}
            for event in found
            if event["event"] == name
        ]


def make_room(
    bundle: Bundle,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch | None,
    *,
    secrets: Mapping[str, str] = SECRETS,
    key: bytes = KEY,
    listeners: int = 32,
    journal: MemoryJournal | None = None,
) -> Room:
    """Return a server with plain pages, or with the real ones when there is no monkeypatch."""
    if monkeypatch is not None:
        monkeypatch.setattr(server, "Pages", PlainPages)
    simulated, journal, log, stopping = SimulatedWorld(), journal or MemoryJournal(), io.StringIO(), threading.Event()
    engine = simulated_engine(bundle, simulated, journal=journal)
    app = server.create_app(
        engine,
        keyring=load_keyring(bundle.configuration, Settings(environment=secrets).secret),
        pause=(simulated.pauses, simulated.pauses),
        clock=simulated.clock,
        metrics=Metrics(),
        log=EventLog(log),
        beat_file=folder / "beat.json",
        web=WebHost(key=key, listeners=listeners, stopping=stopping),
    )
    return Room(app, engine, simulated, journal, log, stopping)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
