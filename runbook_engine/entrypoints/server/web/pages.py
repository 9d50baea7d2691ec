"""The pages of the runner: what an on-call reads at three in the morning, written anew for every request."""

from __future__ import annotations

from typing import Any, NamedTuple

from runbook_engine.entrypoints.overview import look_around, look_closer, read_pause, say_ceiling
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.links import list_links
from runbook_engine.entrypoints.server.web.listing import alerts_of, list_incidents, list_runbooks, say_means
from runbook_engine.entrypoints.server.web.paper import MEDIA_TYPES, make_paper, read_assets
from runbook_engine.entrypoints.server.web.questions import Question, make_question
from runbook_engine.entrypoints.server.web.screen import sort_screen
from runbook_engine.entrypoints.server.web.signals import draw_signals
from runbook_engine.entrypoints.server.web.timeline import MOST_ENTRIES, tell_incident, tell_records
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.entrypoints.tests_state import say_tests
from runbook_engine.model.observation import Pause
from runbook_engine.model.storm import Latch, held_until
from runbook_engine.render.card import Card
from runbook_engine.render.inbox import is_late

MOST_INCIDENTS = 50
MOST_RUNS = 20
LAST_RUNS = 10
MOST_ASIDE = 200


class Stops(NamedTuple):
    """What may stop the engine as a whole: the kill switch, that it cannot be read, and the storm latch."""

    paused: Pause | None
    pause_problem: str
    latch: Latch


class Pages:
    """Writes every page. Holds nothing but the templates: what is shown is read when it is asked for."""

    def __init__(self, desk: WebDesk) -> None:
        self._desk = desk
        self._assets = read_assets()
        self._paper = make_paper(self._assets)

    def home(self, visitor: Visitor, notice: str = "") -> str:
        """Return the first screen: what needs whom by when, and what to do about it."""
        desk, now = self._desk, self._desk.clock.now()
        problems, driven = tuple(desk.problems()), desk.goes_round()
        screen = look_around(desk.engine, desk.registry, now, problems=problems, driven=driven)
        sorted_ = sort_screen(screen, desk.engine, visitor)
        stops = Stops(screen.paused, screen.pause_problem, screen.latch)
        return self._write("home.html", visitor, notice, path="/", stops=stops, screen=screen, sorted=sorted_)

    def incidents(self, visitor: Visitor, notice: str = "") -> str:
        """Return the list of incidents, open ones first, then the newest."""
        rows = list_incidents(self._desk.engine, self._desk.clock.now(), MOST_INCIDENTS + 1)
        shown = rows[:MOST_INCIDENTS]
        more = len(rows) > MOST_INCIDENTS
        means = say_means(shown)
        return self._write("incidents.html", visitor, notice, path="/incidents", rows=shown, more=more, means=means)

    def incident(self, visitor: Visitor, incident_id: str, notice: str = "") -> str:
        """Return one incident with all that happened. Raises UnknownIncident."""
        engine, now = self._desk.engine, self._desk.clock.now()
        report = engine.incident_report(incident_id)
        entries = tell_incident(report)
        return self._write(
            "incident.html",
            visitor,
            notice,
            path=f"/incidents/{incident_id}",
            report=report,
            runs=report.executions[-MOST_RUNS:],
            alerts=alerts_of(report),
            links=list_links(report.executions[:MOST_RUNS], [each.alert for each in report.arrivals]),
            figures=draw_signals(engine, report, now),
            entries=entries[:MOST_ENTRIES],
            further=len(entries) - MOST_ENTRIES,
        )

    def execution(self, visitor: Visitor, execution_id: str, notice: str = "") -> str:
        """Return one run: its plan, its trail, and what is asked. Raises UnknownExecution."""
        question = self._question(visitor, execution_id)
        entries = tuple(tell_records(question.card.execution.audit))
        path = f"/executions/{execution_id}"
        return self._write("execution.html", visitor, notice, path=path, question=question, entries=entries)

    def runbooks(self, visitor: Visitor, notice: str = "") -> str:
        """Return every runbook that is loaded, with its standing and its last run."""
        rows = list_runbooks(self._desk.engine, self._desk.tests())
        return self._write("runbooks.html", visitor, notice, path="/runbooks", rows=rows)

    def runbook(self, visitor: Visitor, name: str, notice: str = "") -> str:
        """Return one runbook in words. Raises UnknownRunbook."""
        engine = self._desk.engine
        runbook = engine.runbook(name)
        runs = engine.journal.executions(limit=LAST_RUNS, runbook=name)
        (stands,) = (each for each in engine.standings() if each.runbook.name == name)
        path, tests = f"/runbooks/{name}", say_tests(self._desk.tests(), runbook.digest)
        return self._write(
            "runbook.html", visitor, notice, path=path, runbook=runbook, stands=stands, runs=runs, tests=tests
        )

    def pause(self, visitor: Visitor, notice: str = "") -> str:
        """Return the kill switch: whether it is thrown, until when, by whom and why."""
        return self._write("pause.html", visitor, notice, path="/pause")

    def inbox(self, visitor: Visitor, notice: str = "") -> str:
        """Return what waits to be decided, and what could not be."""
        inbox, now = self._desk.engine.journal.inbox, self._desk.clock.now()
        waits = inbox.fill() if inbox is not None else None
        aside = inbox.aside(MOST_ASIDE) if inbox is not None else ()
        late = waits is not None and is_late(waits, now)
        return self._write("inbox.html", visitor, notice, path="/inbox", fill=waits, aside=aside, late=late)

    def sign_in(self, *, back: str, problem: str = "", names_proxy: bool = False) -> str:
        """Return the form that a person shows a token in; `names_proxy`: a proxy may say instead who they are."""
        return self._bare("sign_in.html", back=back, problem=problem, names_proxy=names_proxy)

    def refused(self, status: int, title: str, message: str) -> str:
        """Return why somebody does not get what they asked for."""
        return self._bare("refused.html", status=status, title=title, message=message)

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """Return the content and the media type of a file that pages load; None when there is no such file."""
        return (self._assets[name], MEDIA_TYPES[name]) if name in self._assets else None

    def _question(self, visitor: Visitor, execution_id: str) -> Question:
        engine, now = self._desk.engine, self._desk.clock.now()
        report = engine.execution_report(execution_id)
        card = Card(incident=engine.incident_report(report.execution.incident_id), execution=report)
        if not report.execution.ended:
            card = look_closer(card, engine, self._desk.registry, now)
        return make_question(card, engine, visitor, now)

    def _write(
        self, template: str, visitor: Visitor, notice: str, *, path: str, stops: Stops | None = None, **shown: Any
    ) -> str:
        """Return a page for somebody who is signed in. What stops the engine is said on every one of them."""
        engine, now = self._desk.engine, self._desk.clock.now()
        paused, pause_problem, latch = stops or Stops(*read_pause(engine, now), engine.journal.latch())
        configuration = engine.bundle.configuration
        return self._paper.get_template(template).render(
            visitor=visitor,
            notice=notice,
            path=path,
            now=now,
            paused=paused,
            pause_problem=pause_problem,
            latch=latch,
            storm=configuration.storm,
            storm_until=held_until(latch, configuration.storm, now),
            ceiling=say_ceiling(configuration),
            **shown,
        )

    def _bare(self, template: str, **shown: Any) -> str:
        """Return a page for somebody of whom nothing is known."""
        return self._paper.get_template(template).render(**shown)
