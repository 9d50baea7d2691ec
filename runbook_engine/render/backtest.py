"""What runbooks would have done: a summary, each runbook, what nobody can know now, and what no runbook matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from runbook_engine.model.duration import say_duration
from runbook_engine.model.hindsight import Backtest, Hindsight, Window
from runbook_engine.render.lines import Line, Lines, Mark, Piece, Span, indent, line, table
from runbook_engine.render.wording import count, day, record_time

UNKNOWN: Mapping[str, str] = {
    "annotations": "its target comes from an annotation, and a server's series have none",
    "blastRadius": "how many would have been out of service",
    "bounds": "whether the target was opted out, or on its way out",
    "budget": "whose budget the change would have counted against",
    "doNoHarm": "whether the harm signal got worse",
    "gitops": "whether a GitOps tool owned the target",
    "group": "how many targets the group had",
    "pause": "whether the engine was paused",
    "require": "whether what it requires held",
    "stepCap": "how far a number would have been moved",
    "target": "what was acted on, and so its lock, its cooldown and its limits",
    "verify": "whether it would have been fixed",
    "when": "whether the first step was wanted",
}
OUTCOMES: tuple[tuple[str, str, Mark], ...] = (
    ("would_act", "act", "change"),
    ("would_tell", "only tell", ""),
    ("would_propose", "propose", ""),
    ("would_ask", "ask", ""),
    ("would_observe", "observe", ""),
)


def render_backtest(backtest: Backtest) -> Lines:
    """Return a backtest as people read it."""
    busy = [each for each in backtest.runbooks if each.matched]
    idle = [each.runbook for each in backtest.runbooks if not each.matched]
    lines: list[Line] = [*_summary(backtest), line()]
    for each in busy:
        lines += [*_runbook(each), line()]
    if idle:
        lines += [line(Span("matched nothing", "faint"), f": {', '.join(idle)}", hang=4), line()]
    if backtest.unmatched:
        lines += [*_unmatched(backtest), line()]
    return (*lines, *_unknown(backtest), *_assumptions(backtest.assumptions))


def record_backtest(backtest: Backtest) -> dict[str, Any]:
    """Return a backtest for scripts."""
    return {
        "window": _record_window(backtest.window),
        "episodes": backtest.episodes,
        "alert_names": backtest.names,
        "began_before": backtest.began_before,
        "still_firing": backtest.still_firing,
        "matched": backtest.matched,
        "rejected": backtest.rejected,
        **{name: _total(backtest, name) for name, _, _ in OUTCOMES},
        "blocked": backtest.blocked,
        "unmatched": backtest.unmatched_episodes,
        "heartbeats": backtest.heartbeats,
        "unmatched_top": [
            {"name": each.name, "episodes": each.episodes, "firing_seconds": round(each.firing.total_seconds())}
            for each in backtest.unmatched
        ],
        "runbooks": [_record_runbook(each) for each in backtest.runbooks],
        "unknown": [
            {"what": what, "says": UNKNOWN.get(what, what), "runs": runs} for what, runs in _all_unknown(backtest)
        ],
        "assumptions": list(backtest.assumptions),
    }


def _summary(backtest: Backtest) -> Lines:
    window = backtest.window
    step = f", looked at every {say_duration(window.step)}" if window.step is not None else ""
    span = say_duration(window.until - window.since)
    edges = [
        f"{count(backtest.began_before, 'episode')} began before" if backtest.began_before else "",
        f"{backtest.still_firing} still firing at the end" if backtest.still_firing else "",
        f"{count(backtest.rejected, 'alert')} could not be used" if backtest.rejected else "",
    ]
    told = "; ".join(filter(None, edges))
    heartbeats = f", {backtest.heartbeats} are heartbeats" if backtest.heartbeats else ""
    return (
        line(f"{span} from {day(window.since)} to {day(window.until)} UTC{step}"),
        line(
            Span(count(backtest.episodes, "episode"), "strong"),
            f" of {count(backtest.names, 'alert')}{f' ({told})' if told else ''}: {backtest.matched} match a runbook, "
            f"{backtest.unmatched_episodes} match none{heartbeats}",
            hang=4,
        ),
        line(*_outcomes({name: _total(backtest, name) for name, _, _ in OUTCOMES}, backtest.blocked), hang=4),
    )


def _outcomes(counts: Mapping[str, int], blocked: int) -> list[Piece]:
    said: list[Piece] = [
        Span(f"{word} {counts[name]}", mark if counts[name] else "faint")
        for name, word, mark in OUTCOMES
        if counts[name] or name == "would_act"
    ]
    said.append(Span(f"be blocked {blocked}", "warn" if blocked else "faint"))
    joined: list[Piece] = ["would "]
    for at, piece in enumerate(said):
        joined += [", ", piece] if at else [piece]
    return joined


def _runbook(each: Hindsight) -> Lines:
    joined = f", {each.joined} of them joined a run that was there" if each.joined else ""
    head = line(
        Span(each.runbook, "strong"), f"  {each.mode or 'no run'}  {count(each.matched, 'episode')}{joined}", hang=4
    )
    body = [line(*_outcomes({name: getattr(each, name) for name, _, _ in OUTCOMES}, each.blocked), hang=4)]
    body += _reasons("blocked", each.blocked_by, each.says)
    body += _reasons("stopped at a later step", each.blocked_later, each.says)
    body += [line(said) for said in _asides(each)]
    if each.first is not None and each.last is not None and each.busiest is not None:
        busiest = f"{day(each.busiest)} with {count(each.busiest_episodes, 'episode')}"
        body.append(line(f"first {day(each.first)}, last {day(each.last)}, busiest hour {busiest}", hang=4))
    if each.unknown:
        said = ", ".join(f"{what} {runs}" for what, runs in each.unknown.items())
        body.append(line(Span("unknown then", "faint"), f": {said}", hang=4))
    return (head, *indent(body, 2))


def _reasons(word: str, reasons: Mapping[str, int], says: Mapping[str, str]) -> list[Line]:
    rows: list[list[Piece]] = [
        [f"{word} by {name}", str(runs), Span(f"as in: {says[name]}", "faint")] for name, runs in reasons.items()
    ]
    return list(table(rows))


def _asides(each: Hindsight) -> list[str]:
    said = {
        "no further than propose, because the alert flapped": each.flapping,
        "resolved before anything could be done": each.resolved_first,
        "came back within the hold time, and would have been handed over": each.came_back,
        "still waiting when the history ends": each.undecided,
    }
    return [f"{count(runs, 'run')} {words}" for words, runs in said.items() if runs]


def _unmatched(backtest: Backtest) -> Lines:
    rows: list[list[Piece]] = [
        [f"  {each.name}", count(each.episodes, "episode"), f"firing for {say_duration(each.firing)}"]
        for each in backtest.unmatched
    ]
    return (line(Span("no runbook matches", "strong")), *table(rows))


def _unknown(backtest: Backtest) -> Lines:
    rows: list[list[Piece]] = [
        [f"  {what}", count(runs, "run"), UNKNOWN.get(what, "")] for what, runs in _all_unknown(backtest)
    ]
    return (line(Span("nobody knows now", "strong")), *table(rows)) if rows else ()


def _assumptions(assumptions: Iterable[str]) -> Lines:
    return (line(Span("assumed", "strong")), *(line(f"  {each}", hang=4) for each in assumptions))


def _record_runbook(each: Hindsight) -> dict[str, Any]:
    return {
        "runbook": each.runbook,
        "mode": each.mode,
        "matched": each.matched,
        "joined": each.joined,
        "came_back": each.came_back,
        **{name: getattr(each, name) for name, _, _ in OUTCOMES},
        "resolved_first": each.resolved_first,
        "undecided": each.undecided,
        "blocked": each.blocked,
        "blocked_by": _record_reasons(each.blocked_by, each.says),
        "blocked_later": _record_reasons(each.blocked_later, each.says),
        "flapping": each.flapping,
        "first": record_time(each.first),
        "last": record_time(each.last),
        "busiest_hour": record_time(each.busiest),
        "busiest_hour_episodes": each.busiest_episodes,
        "unknown": [{"what": what, "runs": runs} for what, runs in each.unknown.items()],
    }


def _record_reasons(reasons: Mapping[str, int], says: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"reason": name, "runs": runs, "example": says[name]} for name, runs in reasons.items()]


def _record_window(window: Window) -> dict[str, Any]:
    return {
        "since": record_time(window.since),
        "until": record_time(window.until),
        "step_seconds": None if window.step is None else window.step.total_seconds(),
    }


def _all_unknown(backtest: Backtest) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for each in backtest.runbooks:
        counts.update(each.unknown)
    return sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))


def _total(backtest: Backtest, name: str) -> int:
    return sum(getattr(each, name) for each in backtest.runbooks)
