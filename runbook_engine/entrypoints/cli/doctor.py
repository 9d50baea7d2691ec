"""`runbook doctor`: looks at everything that must work before an alert comes, each with its remedy.

It only looks: no message is sent, nothing is changed, and the one webhook that it posts is one that every runner
refuses to take in.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.cli.approval_check import examine_approvals
from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK
from runbook_engine.entrypoints.cli.inbox_check import examine_inbox
from runbook_engine.entrypoints.cli.installation import find_full_disk_of
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.entrypoints.cli.runner_probe import examine_runner
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.overview import say_ceiling
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.storage import NO_LONGER, Refusal, find_full_disk
from runbook_engine.errors import RunbookError
from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.loading.set_analysis.analysis import analyse
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import Check, QueryCheck
from runbook_engine.model.configuration import AdapterChoice, Configuration
from runbook_engine.model.duration import say_duration
from runbook_engine.model.metric import say_query
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.storm import held_until
from runbook_engine.ports import Clock, Port
from runbook_engine.registry import Registry
from runbook_engine.render.checkup import Finding, record_checkup, render_checkup
from runbook_engine.render.storm import RELEASE
from runbook_engine.render.wording import age, count
from runbook_engine.render.wording import clock as clock_time

PORTS: tuple[Port, ...] = (
    *("cluster", "settings", "nodes", "jobs", "events", "changes", "logs"),
    *("flags", "functions", "queues", "automations", "requests", "metrics", "pause", "journal"),
    *("secrets", "seats", "callbacks", "bus"),
)

CONFIGURED = ("scopes", "tokens", "journal", "kill switch", "storm")  # as engine.yaml says
UNKNOWN = "not known: mend engine.yaml first"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    settings: Settings
    registry: Registry
    bundle: Bundle
    clock: Clock

    @property
    def configuration(self) -> Configuration:
        """What engine.yaml says."""
        return self.bundle.configuration


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--server", metavar="URL", help="the runner (default: the one of this machine)")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Examine everything; exit 1 when something is broken."""
    findings = tuple(examine(desk.settings(arguments, server=arguments.server), desk.clock))
    if arguments.format == "json":
        answer(desk, record_checkup(findings))
    else:
        say(desk, render_checkup(findings))
    return NO if any(finding.health == "broken" for finding in findings) else OK


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield a finding for each thing that must work; one that is broken hides no other."""
    registry = Registry()
    loaded = load_files([settings.runbooks], registry, settings.config, judge_set=analyse)
    if loaded.errors:
        first = f"{count(len(loaded.errors), 'error')}, the first: {loaded.errors[0].message}"
        yield Finding(name="runbooks", health="broken", says=first, remedy=f"runbook lint {settings.runbooks}")
    else:
        yield _runbooks(loaded.bundle, len(loaded.warnings), settings)
    patient = Patient(settings, registry, loaded.bundle, clock)
    misread = _misread(loaded, settings)
    yield misread or _configuration(patient)
    full = (
        find_full_disk_of(settings, patient.configuration, registry)
        if misread is None
        else find_full_disk([settings.state])
    )
    yield _full(full) if full is not None else _state(settings)
    if misread is not None:
        yield from (Finding(name=name, health="warning", says=UNKNOWN) for name in CONFIGURED)
    else:
        yield from _adapters(patient)
        yield from _tokens(patient)
        yield from examine_approvals(patient.bundle, patient.settings)
        yield from _engine(patient, full)
    yield from examine_runner(settings, patient.configuration, clock, on_full_disk=full is not None)


def _misread(loaded: Loaded, settings: Settings) -> Finding | None:
    """Return what is wrong with engine.yaml; None = it can be read, or there is none."""
    if settings.config is None:
        return None
    config = os.path.realpath(settings.config)  # which a ring of links is no error for
    wrong = [error for error in loaded.errors if os.path.realpath(error.file) == config]
    if not wrong:
        return None
    says = f"{count(len(wrong), 'error')}, the first: {wrong[0].message}"
    return Finding(name="engine.yaml", health="broken", says=says, remedy=f"runbook lint {settings.config}")


def _runbooks(bundle: Bundle, warnings: int, settings: Settings) -> Finding:
    if not bundle.runbooks:
        remedy = "name their folder with --runbooks"
        return Finding(name="runbooks", health="broken", says=f"none under {settings.runbooks}", remedy=remedy)
    said = f"{count(len(bundle.runbooks), 'runbook')} under {settings.runbooks}"
    if warnings:
        remedy = f"runbook lint {settings.runbooks}"
        return Finding(name="runbooks", health="warning", says=f"{said}, {count(warnings, 'warning')}", remedy=remedy)
    return Finding(name="runbooks", health="ok", says=said)


def _configuration(patient: Patient) -> Finding:
    if patient.settings.config is None:
        says = "there is no engine.yaml: nobody may send, nothing may be touched"
        return Finding(name="engine.yaml", health="broken", says=says, remedy="write one, or name it with --config")
    if not patient.configuration.scopes:
        says, remedy = "no scope: no webhook is taken", "name your senders under scopes"
        return Finding(name="engine.yaml", health="broken", says=says, remedy=remedy)
    scopes = ", ".join(scope.name for scope in patient.configuration.scopes)
    says = f"{patient.settings.config}: scopes {scopes}; ceiling {say_ceiling(patient.configuration)}"
    return Finding(name="engine.yaml", health="ok", says=says)


def _state(settings: Settings) -> Finding:
    folder = settings.state
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "let this user write there, or choose another with --state"
        return Finding(name="state", health="broken", says=f"{nearest} cannot be written", remedy=remedy)
    return Finding(name="state", health="ok", says=f"{folder}{'' if folder.exists() else ', to be made'}")


def _full(refusal: Refusal) -> Finding:
    says = f"{refusal.why}: nothing can be written in {refusal.folder}, {NO_LONGER}"
    return Finding(name="state", health="broken", says=says, remedy=refusal.remedy)


def _adapters(patient: Patient) -> Iterator[Finding]:
    """Build every adapter by itself, so that each says what is wrong with it."""
    adapters = Adapters(
        configuration=patient.configuration,
        settings=patient.settings,
        registry=patient.registry,
        clock=patient.clock,
    )
    for port in PORTS:
        for index, choice in enumerate(patient.configuration.adapters.get(port, ())):
            yield _built(adapters, port, choice, f"adapters.{port}[{index}]", f"adapter {port}")
    for receiver in patient.configuration.receivers:
        choice = AdapterChoice(adapter=receiver.adapter, settings=receiver.settings)
        yield _built(adapters, "receiver", choice, f"receivers.{receiver.name}", f"receiver {receiver.name}")


def _built(adapters: Adapters, port: Port, choice: AdapterChoice, where: str, name: str) -> Finding:
    try:
        served = adapters.build(port, choice, where)
    except RunbookError as error:
        return Finding(name=name, health="broken", says=str(error), remedy=f"correct {where} in engine.yaml")
    place = f" for {choice.place}" if choice.place else ""
    sent = ", nothing was sent" if port == "receiver" else ""
    if served.probe is None:
        return Finding(name=name, health="ok", says=f"{choice.adapter}{place}{sent}")
    try:
        answered = served.probe()
    except RunbookError as error:
        return Finding(
            name=name,
            health="broken",
            says=str(error),
            remedy=f"until {choice.place or choice.adapter} answers, {_waiting(port)}",
        )
    return Finding(name=name, health="ok", says=f"{choice.adapter}{place} {answered}")


def _waiting(port: Port) -> str:
    return "its messages wait; runs do not" if port == "receiver" else "runs wait"


def _tokens(patient: Patient) -> Iterator[Finding]:
    if not patient.configuration.tokens:
        says = "none: every process of this machine may post and act, and no other may"
        yield Finding(name="tokens", health="warning", says=says, remedy="name tokens in engine.yaml to listen beyond")
        return
    try:
        load_keyring(patient.configuration, patient.settings.keeping(patient.configuration).secret)
    except RunbookError as error:
        yield Finding(name="tokens", health="broken", says=str(error))
        return
    says = f"{', '.join(token.name for token in patient.configuration.tokens)}: every secret is there"
    yield Finding(name="tokens", health="ok", says=says)


def _engine(patient: Patient, full: Refusal | None) -> Iterator[Finding]:
    try:
        engine = build_engine(patient.settings, registry=patient.registry, clock=patient.clock, bundle=patient.bundle)
    except RunbookError as error:
        yield Finding(name="engine", health="broken", says=str(error), remedy="mend what is broken above")
        return
    journal = _journal(engine)
    yield journal if full is None else _unwritten(journal, full)
    yield from examine_inbox(engine)
    yield _pause(engine, patient.clock)
    if journal.health == "ok" or full is None:
        yield _storm(engine, patient.clock)
    yield from _metrics(engine, patient)


def _journal(engine: Engine) -> Finding:
    try:
        counts = engine.journal.counts()
    except RunbookError as error:
        return Finding(name="journal", health="broken", says=str(error))
    runs = sum(number for name, number in counts.items() if name.startswith("executions."))
    says = f"readable: {count(runs, 'execution')}, {count(counts.get('incidents.open', 0), 'open incident')}"
    return Finding(name="journal", health="ok", says=says)


def _unwritten(journal: Finding, full: Refusal) -> Finding:
    """Return what is wrong with a journal on a disk that takes no more: SQLite calls that by many names."""
    read = journal.says if journal.health == "ok" else "cannot be read"
    return Finding(name="journal", health="broken", says=f"{read}; {full.why}", remedy="mend the disk first: see state")


def _pause(engine: Engine, clock: Clock) -> Finding:
    try:
        pause = engine.world.pauses.pause(clock.now())
    except RunbookError as error:
        return Finding(name="kill switch", health="broken", says=f"counts as paused: {error}")
    if pause is not None:
        says = f"paused by {pause.by} until {clock_time(pause.until)} UTC: no change starts"
        return Finding(name="kill switch", health="warning", says=says, remedy="runbook resume")
    return Finding(name="kill switch", health="ok", says="not paused")


def _storm(engine: Engine, clock: Clock) -> Finding:
    try:
        latch, rule = engine.journal.latch(), engine.bundle.configuration.storm
    except RunbookError as error:
        return Finding(name="storm", health="broken", says=f"the latch cannot be read, so no change starts: {error}")
    if (until := held_until(latch, rule, clock.now())) is not None:
        says = f"{latch.reason}: every change is held, until {clock_time(until)} UTC if nothing more comes"
        return Finding(name="storm", health="warning", says=says, remedy=RELEASE)
    limit = f"more than {rule.max_targets} targets within {say_duration(rule.within)} would hold every change"
    return Finding(name="storm", health="ok", says=f"none; {limit}")


def _metrics(engine: Engine, patient: Patient) -> Iterator[Finding]:
    """Ask every query of every runbook once, without its `where`: a signal that nobody sends never verifies."""
    asked: dict[tuple[str, str], list[str]] = {}
    for runbook in patient.bundle.runbooks:
        for query, source in _queries(runbook):
            asked.setdefault((query, source), []).append(runbook.name)
    for (query, source), runbooks in asked.items():
        yield _metric(engine, patient.clock, query, source, ", ".join(dict.fromkeys(runbooks)))


def _metric(engine: Engine, clock: Clock, query: str, source: str, runbooks: str) -> Finding:
    name = f"metric {say_query(query)}"
    try:
        samples = engine.world.metric_reader(source).query(query, {}, clock.now())
    except RunbookError as error:
        remedy = f"{runbooks} cannot verify without it: start what it is read from, or correct adapters.metrics"
        return Finding(name=name, health="broken", says=str(error), remedy=remedy)
    if not samples:
        remedy = f"{runbooks} never acts on what it cannot read: correct the query, or wait for data"
        return Finding(name=name, health="warning", says="no data now", remedy=remedy)
    newest = max(samples, key=lambda sample: sample.at)
    return Finding(name=name, health="ok", says=f"{len(samples)} series, newest {age(newest.at, clock.now())} old")


def _queries(runbook: Runbook) -> Iterator[tuple[str, str]]:
    steps = [check for step in runbook.steps for check in (*step.when, *step.verify)]
    checks: tuple[Check, ...] = (*runbook.require, *runbook.verify, *steps)
    yield from ((check.query, check.source) for check in checks if isinstance(check, QueryCheck))
    if runbook.do_no_harm is not None:
        yield runbook.do_no_harm.query, runbook.do_no_harm.source
