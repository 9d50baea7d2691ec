"""The pages in a real browser: how they look in any light and width, that they stay live, and work by keyboard.

Pictures are kept in build/screenshots, for people to look at.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.server.web.routes import WebHost
from runbook_engine.model.observation import Pause
from tests.scenario.rig import MINUTE, Rig
from tests.web.browser import Tab, browsing, find_browser
from tests.web.stages import asking, calm, pages_of, present, storming

pytestmark = pytest.mark.xdist_group("chromium")  # one browser for the file

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PLAYED = timedelta(minutes=31)  # how long the stage of a question plays
QUICK = "document.getElementById('live').textContent.startsWith('Live')"
NARROW = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"

OpenTab = Callable[[str], Tab]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenTab]:
    """The browser of this file."""
    with browsing(find_browser(), tmp_path_factory.mktemp("profile"), SHOTS) as open_tab:
        yield open_tab


@contextmanager
def served(rig: Rig, folder: Path) -> Iterator[str]:
    """Serve a rig as the runner does, to this machine alone and without tokens; yield the address."""
    write_heartbeat(folder / "beat.json", Heartbeat(at=rig.now, pid=1, owner="worker"))
    stopping = threading.Event()
    app = create_app(
        rig.engine,
        keyring=load_keyring(rig.engine.bundle.configuration, lambda reference: ""),
        pause=(rig.simulated.pauses, rig.simulated.pauses),
        clock=rig.simulated.clock,
        metrics=Metrics(),
        log=EventLog(io.StringIO()),
        beat_file=folder / "beat.json",
        web=WebHost(key=bytes(range(32)), listeners=40, stopping=stopping),
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stopping.set()
        server.shutdown()
        serving.join()
        server.server_close()


def shoot(tab: Tab, path: str, name: str, *, dark: bool = False, narrow: bool = False) -> None:
    """Keep a page's picture, once in the light, and once more as it is wanted besides."""
    tab.looks()
    tab.open(path)
    tab.shoot(name)
    if dark:
        tab.looks(dark=True)
        tab.shoot(f"{name}-dark")
    tab.looks(width=360, height=740)
    assert tab.run(NARROW), f"{path} is wider than a telephone"
    if narrow:
        tab.shoot(f"{name}-360")


def test_pages_of_an_incident_are_kept_as_pictures(chromium: OpenTab, tmp_path: Path) -> None:
    """In the light, in the dark, and on a telephone, where nothing is wider than the screen; the browser objects to
    nothing, least of all that the policy forbade something."""
    rig = asking(present(PLAYED))
    execution = rig.execution()

    with served(rig, tmp_path) as address:
        tab = chromium(address)
        shoot(tab, "/", "home-asks", dark=True, narrow=True)
        shoot(tab, f"/incidents/{execution.incident_id}", "incident", dark=True, narrow=True)
        shoot(tab, f"/executions/{execution.id}", "execution", narrow=True)
        shoot(tab, "/incidents", "incidents", narrow=True)
        shoot(tab, "/runbooks", "runbooks")
        shoot(tab, f"/runbooks/{execution.runbook}", "runbook")
        shoot(tab, "/no-such-page", "refused")
        complaints = tab.complaints()

    assert [each for each in complaints if "404" not in each] == []


def test_calm_storm_and_pause_are_kept_as_pictures(chromium: OpenTab, tmp_path: Path) -> None:
    """The states in which somebody opens the page to learn that nothing, or everything, needs them."""
    quiet, wild = calm(present(18 * MINUTE)), storming(present(MINUTE))

    with served(quiet, tmp_path) as address:
        tab = chromium(address)
        shoot(tab, "/", "home-calm")
        quiet.simulated.pauses.throw(Pause(until=quiet.now + 30 * MINUTE, by="ann", reason="deploy of the shop"))
        shoot(tab, "/pause", "pause", dark=True)
        complaints = tab.complaints()
    with served(wild, tmp_path) as address:
        tab = chromium(address)
        shoot(tab, "/", "home-storm", narrow=True)
        complaints += tab.complaints()

    assert complaints == []


def test_sign_in_is_kept_as_a_picture(chromium: OpenTab, tmp_path: Path) -> None:
    """It is the one page that everybody sees before anything else."""
    rig = calm()
    page = pages_of(rig).sign_in(back="/", problem="this is no token of this installation")
    with served(rig, tmp_path) as address:
        tab = chromium(address)
        tab.open("/assets/icon.svg")  # for the origin alone
        tab.open("/")
        tab.run(f"document.documentElement.innerHTML = {page!r}")
        tab.looks(width=360, height=740, dark=True)
        assert tab.run(NARROW)
        tab.shoot("sign-in-360-dark")
        tab.looks()
        tab.shoot("sign-in")


def test_page_changes_by_itself_and_takes_nothing_from_under_a_hand(chromium: OpenTab, tmp_path: Path) -> None:
    """What happened is shown without loading the page anew; not while somebody writes, and what they wrote stays."""
    rig = asking(present(PLAYED))
    with served(rig, tmp_path) as address:
        tab = chromium(address)
        tab.open("/")
        tab.run("window.sameDocument = true")
        tab.until(QUICK)
        tab.run("document.querySelector('[id^=take-]').open = true")
        rig.fire("Unheard", service="cart")
        tab.until("document.querySelector('main').textContent.includes('Unheard')")
        assert tab.run("window.sameDocument && document.querySelector('[id^=take-]').open")

        tab.run("document.querySelector('.asks textarea').focus()")
        tab.type("the release is bad")
        rig.fire("AlsoUnheard", service="cart")
        tab.until("document.getElementById('live').textContent.startsWith('There is news')")
        assert tab.run("document.querySelector('.asks textarea').value") == "the release is bad"
        assert tab.run("document.activeElement.name") == "reason"
        assert not tab.run("document.querySelector('main').textContent.includes('AlsoUnheard')")

        tab.run("document.querySelector('.asks textarea').value = ''; document.activeElement.blur()")
        tab.until("document.querySelector('main').textContent.includes('AlsoUnheard')")
        assert tab.complaints() == []


def test_page_says_when_it_is_out_of_touch(chromium: OpenTab, tmp_path: Path) -> None:
    """Old figures that look new are worse than none."""
    rig = asking(present(PLAYED))
    with served(rig, tmp_path) as address:
        tab = chromium(address)
        tab.open("/")
        tab.until(QUICK)
    tab.run("document.dispatchEvent(new Event('visibilitychange'))")

    tab.until("document.getElementById('live').textContent.startsWith('Not updated since ')")
    assert tab.run("document.getElementById('live').classList.contains('away')")


def test_notice_goes_when_the_page_has_something_else_to_say(chromium: OpenTab, tmp_path: Path) -> None:
    """Good news of a minute ago must not stand above what came of it."""
    rig = asking(present(PLAYED))
    with served(rig, tmp_path) as address:
        tab = chromium(address)
        tab.open("/")
        tab.run("document.querySelector('button.main').click()")
        tab.until("document.getElementById('notice')?.textContent.includes('Approved')")
        tab.until("document.getElementById('live').textContent.startsWith('Live, as of')")
        assert tab.run("document.getElementById('notice').textContent.includes('Approved')")

        rig.drive()

        tab.until("document.getElementById('notice').textContent === ''")
        assert tab.complaints() == []


def test_question_is_answered_by_keyboard_alone(chromium: OpenTab, tmp_path: Path) -> None:
    """Tab leads to the reason and to the button in this order; Enter in the reason answers nothing."""
    rig = asking(present(PLAYED))
    with served(rig, tmp_path) as address:
        tab = chromium(address)
        tab.open("/")
        tab.press("Tab")
        assert tab.run("document.activeElement.className") == "skip"
        tab.press("Enter")
        tab.tab_to("document.activeElement.name === 'reason'")
        tab.type("r42 is bad")
        tab.press("Enter")
        assert rig.execution().approval is not None
        assert "approved" not in [each.kind for each in rig.journal.signals(rig.execution().id, 0)]
        tab.press("Tab")
        assert tab.run("document.activeElement.textContent") == "Approve this change"
        assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.press("Enter")
        tab.until("document.getElementById('notice')?.textContent.includes('Approved')")
        assert tab.complaints() == []

    rig.drive()
    said = [record for record in rig.journal.audit(rig.execution().id) if record.detail.get("signal") == "approved"]
    assert [("local", True)] == [(record.actor, "r42 is bad" in record.says) for record in said]
