"""The doors in a real browser: what it sends by itself, and what a page of somebody else can make it send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.contract.web_room import Room, make_room
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in
from tests.web.browser import Tab, browsing, find_browser

pytestmark = pytest.mark.xdist_group("chromium")

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
HEADING = "document.querySelector('h1').textContent"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Tab]]:
    """The browser of this file."""
    with browsing(find_browser(), tmp_path_factory.mktemp("profile"), SHOTS) as open_tab:
        yield open_tab


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """Serve an application to this machine, and yield its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stranger(port: int, csrf: Callable[[], str]) -> Flask:
    """A site of somebody else with a link to ours, a form for it, and a script that asks for it."""
    app = Flask("stranger")
    ours = f"http://localhost:{port}"

    @app.get("/")
    def page() -> str:
        fields = f'<input name="csrf" value="{csrf()}"><input name="for" value="30m">'
        form = f'<form method="post" action="{ours}/do/pause">{fields}<button>win</button></form>'
        return f'<h1>stranger</h1><a href="{ours}/incidents">look</a>{form}'

    return app


def pressed(tab: Tab, script: str, then: str) -> None:
    """Do something that leads to another page, and wait for it."""
    tab.run(script)
    tab.until(f"document.readyState === 'complete' && document.querySelector('h1') && ({then})")


def is_paused(room: Room) -> bool:
    """Whether the kill switch is thrown."""
    return room.simulated.pauses.pause(room.simulated.clock.now()) is not None


@pytest.mark.parametrize("config", [pytest.param(CONFIG + TOKENS, id="signed in"), pytest.param(CONFIG, id="open")])
def test_a_browser_does_for_us_what_it_does_for_nobody_else(
    config: str, chromium: Callable[[str], Tab], tmp_path: Path
) -> None:
    """Our form counts and a link of others leads in; their form does nothing, not even with the right token."""
    room = make_room(bundle_in(tmp_path, config=config, mode="approve"), tmp_path, None)
    known: list[str] = []
    with serving(room.app) as port, serving(stranger(port, lambda: known[0])) as elsewhere:
        tab = chromium(f"http://localhost:{port}")
        tab.open("/pause")
        if "tokens" in config:
            sign_in = f"document.querySelector('[name=token]').value = '{SECRETS['ANN']}'"
            pressed(tab, f"{sign_in}; document.forms[0].requestSubmit()", "location.pathname === '/pause'")
        known.append(tab.run("document.querySelector('main [name=csrf]').value"))
        readable = tab.run("document.cookie")

        tab.base = f"http://127.0.0.1:{elsewhere}"  # to a browser this is another site than localhost
        tab.open("/")
        pressed(tab, "document.forms[0].submit()", f"location.port === '{port}'")
        refused, paused_by_stranger = tab.run("document.body.innerText"), is_paused(room)
        asked = f"fetch('http://localhost:{port}/', {{credentials: 'include'}}).then(() => 'read', () => 'refused')"
        tab.open("/")
        read = tab.run(asked)
        pressed(tab, "document.querySelector('a').click()", "location.pathname === '/incidents'")
        led_in = tab.run(HEADING)

        tab.base = f"http://localhost:{port}"
        tab.open("/pause")
        form = "document.querySelector('form[action=\"/do/pause\"]')"
        pressed(tab, f"{form}.querySelector('button').click()", f"{HEADING} === 'Paused'")
        room.stopping.set()

    assert "nothing was done" in refused
    assert (False, "refused", "Incidents", "") == (paused_by_stranger, read, led_in, readable)
    assert is_paused(room)
