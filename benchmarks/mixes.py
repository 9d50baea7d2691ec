"""Made-up runbooks and alerts: the mixes that the matching benchmark and the counted tests share.

The uniform mix is 80 % alert name and one or two labels, 10 % alert name and a pattern, 5 % a pattern alone, 5 % with
a negative. In the skewed mix 60 % of the rules of the first sort share ten alert names.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from runbook_engine.matching.placement import Entry
from runbook_engine.model.matcher import Matcher, Operator

SEVERITIES = ("critical", "high", "warning", "info")
SKEWED = 0.6
HOT_NAMES = 10
TEAMS = 20
NAMES_PER_RUNBOOK = 3  # one alert name for so many runbooks
Labels = dict[str, str]


def runbooks(count: int, *, skewed: bool = False, seed: int = 7) -> tuple[Entry, ...]:
    """Return so many runbooks of the mix."""
    chance = random.Random(seed)
    written = (_matchers(number, count, chance, skewed) for number in range(count))
    return tuple(Entry(f"runbook-{number}", number, matchers) for number, matchers in enumerate(written))


def alerts(count: int, entries: Sequence[Entry], *, seed: int = 11) -> list[Labels]:
    """Return so many alerts of ten labels, nine in ten of which some runbook was written for."""
    chance = random.Random(seed)
    return [_alert(number, entries, chance) for number in range(count)]


def _matchers(number: int, count: int, chance: random.Random, skewed: bool) -> tuple[Matcher, ...]:
    sort = number * 9 % 20  # so that the first ten rules have every sort but the negative one
    hot = skewed and sort < 16 and chance.random() < SKEWED
    name = chance.randrange(HOT_NAMES if hot else max(1, count // NAMES_PER_RUNBOOK))
    named = _matcher("alertname", "=", f"{'Hot' if hot else 'Service'}Alert{name}")
    team = _matcher("team", "=", f"team-{chance.randrange(max(4, count // 10)) if hot else name % TEAMS}")
    if sort < 16:
        severity = _matcher("severity", "=", chance.choice(SEVERITIES[:2]))
        return (named, team) if number % 2 else (named, team, severity)
    if sort < 18:
        return named, _matcher("pod", "=~", f"app-{chance.randrange(max(4, count // 10)):05}-[a-z0-9]+")
    if sort == 18:
        return (_matcher("instance", "=~", f"host-{number:06}\\..*"),)
    return named, _matcher("environment", "!=", "staging")


def _alert(number: int, entries: Sequence[Entry], chance: random.Random) -> Labels:
    labels = {
        "alertname": f"Unknown{number}",
        "cluster": f"eu-{chance.randrange(3)}",
        "namespace": f"ns-{chance.randrange(50)}",
        "pod": f"app-{chance.randrange(1000):05}-x{number}",
        "instance": f"host-{chance.randrange(1000):06}.example:9100",
        "team": f"team-{chance.randrange(TEAMS)}",
        "severity": chance.choice(SEVERITIES),
        "environment": chance.choice(("production", "staging")),
        "service": f"service-{chance.randrange(200)}",
        "job": "node",
    }
    if chance.random() < 0.9:
        for matcher in chance.choice(entries).matchers:
            if matcher.op == "=":
                labels[matcher.name] = matcher.value
            elif matcher.op == "=~":
                labels[matcher.name] = matcher.value.replace("[a-z0-9]+", "x7f").replace("\\..*", ".example:9100")
    return labels


def _matcher(name: str, op: Operator, value: str) -> Matcher:
    return Matcher(name=name, op=op, value=value)
