"""Text that wants to be something else: code in a template, a line of a log, an order to a terminal."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

from runbook_adapters.receivers.templates import load_template
from runbook_engine.model.observation import Message
from runbook_engine.templating import Templates
from tests.attack.siege import Siege
from tests.contract.test_receivers import NOW
from tests.contract.web_room import make_room
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in
from tests.length import LONG
from tests.unit.cli.desks import Sitting

CODE = (
    "{{ 7191*7193 }}", "{% for x in range(10**9) %}x{% endfor %}", "{# a #}", "{{ inputs.other }}", "{{ alert }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ self._TemplateReference__context }}", "{{ cycler.__init__ }}",
    "{{ config }}{{ request }}{{ lipsum.__globals__['os'].popen('id').read() }}", "{{", "}}", "{%", "%}", "{{{{",
    "${7191*7193}", "#{7191*7193}", "<%= 7191*7193 %>", "{{=7191*7193}}", "%(inputs)s", "{0.__class__}", "{inputs}",
    "$(id)", "`id`", "${jndi:ldap://x}", "\\u007b\\u007b 7191*7193 \\u007d\\u007d", "{\u200b{ 7191*7193 }}",
)  # fmt: skip
ORDERS = (
    "\x1b[2J\x1b[H", "\x1b]0;pwned\x07", "\x1b]8;;http://evil.example\x07here\x1b]8;;\x07", "\x9b31m", "\x1bc",
    "\b\b\b", "ok\rnot", "one\ntwo", "one\r\ntwo", "\x0b\x0c", "a\u2028b\u2029c\x85d", "\u202egnp.exe",
    "\u2066\u2067\u2069",
    "a\u200bb\u200d\ufeff", "\x00", "\x7f", "\U000e0041", "\u061c", "\u180e",
    '"}\n{"ts":"2026-01-01T00:00:00Z","level":"info","event":"forged","by":"ann"}',
    '\n2026-01-01 INFO event=forged by=ann', "\\n{\\\"event\\\":\\\"forged\\\"}", "%0a%0d{\"event\":\"forged\"}",
    "x" * 4000,
)  # fmt: skip
SAID = ORDERS if LONG else tuple("".join(ORDERS[at::4]) for at in range(4))  # all of it
VALUES = {"project": "OPS", "type": "Incident"}  # what some templates want to be told
SHIPPED = sorted(path.stem for path in Path("adapters/runbook_adapters/receivers/templates").glob("*.json"))


def test_nothing_that_fills_a_template_is_a_template() -> None:
    """What was said comes out as it was said: by the plain lookup, and through the sandbox."""
    siege = Siege("template injection", "templates over inputs, labels and annotations")
    templates = Templates()
    written = {
        "{{ inputs.text }}": "{}",
        "a {{ inputs.text }} {{ alert.labels.text }} z": "a {} {} z",
        "{{ inputs.text or 'nothing' }}": "{}",
    }
    for text in CODE:
        variables = {"inputs": {"text": text, "other": "secret"}, "alert": {"labels": {"text": text}}}
        for template, expected in written.items():
            found = templates.render(template, variables)
            siege.tried(f"{template} with {text!r}: {found!r}", refused=found == expected.replace("{}", text))

    siege.ends("its own text")


def told(text: str) -> Message:
    """Return a message in which everything is this text."""
    return Message(
        id="7f3c:changed:1", event="changed", title=text, text=text, at=NOW, severity="critical", runbook=text,
        execution_id="e1", incident_id="7f3c", links={"dashboard": text}, status="running", owner=text, alert=text,
        target=text, did=(text,),
    )  # fmt: skip


def shape(node: Any) -> Any:
    """Return what a document is made of, without its texts."""
    match node:
        case dict():
            return {key: shape(value) for key, value in node.items()}
        case list():
            return [shape(value) for value in node]
        case _:
            return type(node).__name__


def test_no_text_changes_the_document_that_a_receiver_is_sent() -> None:
    """Every shipped template has the keys and kinds that it has for harmless words."""
    siege = Siege("template and JSON injection", "notifications: every shipped template")
    for each in SHIPPED:
        template = load_template(each, Path(), VALUES)
        plain = shape(json.loads(template.render("chat", told("some words"))))
        for text in (*CODE, *ORDERS, '","admin":true,"x":"', '"}],"x":[{"', "<!channel> <@U1> <https://evil|ok>"):
            document = json.loads(template.render("chat", told(f"words {text}")))
            found = plain == shape(document) and str(7191 * 7193) not in json.dumps(document)
            siege.tried(f"{each} with {text!r}", refused=found)

    siege.ends("a text of the same document")


def test_log_stays_one_event_a_line_whatever_is_said_to_the_server(tmp_path: Path) -> None:
    """In labels, paths, headers, forms, tokens, reasons."""
    siege = Siege("log injection (lines, JSON, escapes, bidi)", "server log")
    room = make_room(bundle_in(tmp_path, config=CONFIG + TOKENS, mode="approve"), tmp_path, None)
    ann, api = room.signed_in("ANN"), {"Authorization": f"Bearer {SECRETS['ANN']}"}
    sender = {"Authorization": f"Bearer {SECRETS['SENDER_OLD']}", "Prefer": "wait"}
    client = room.app.test_client()

    for text in (each[:4000] for each in SAID):
        header = text.encode("ascii", "replace").decode().replace("\r", "").replace("\n", "") or "x"
        alert = {
            "status": "firing",
            "labels": {"alertname": "Hot", "part": text, text: text},
            "annotations": {"a": text},
        }
        client.post("/hooks/lab", json={"alerts": [alert], text: text}, headers=sender)
        client.post(
            "/hooks/lab", data=text, headers=sender | {"User-Agent": header, "Content-Type": "application/json"}
        )
        client.get(f"/api/executions/{header}", headers=api | {"X-Request-Id": header})
        client.post("/api/pause", json={"for": "1h", "reason": text}, headers=api)
        client.post("/api/executions/x/deny", json={"reason": text, text: 1}, headers=api)
        room.browser().post("/sign-in", token=text, back=text)
        ann.do("/do/pause", **{"for": text, "reason": text})
        lines = room.log.getvalue().split("\n")[:-1]
        room.log.seek(0)
        room.log.truncate()
        for line in lines:
            printable = all(" " <= letter <= "~" for letter in line)
            event = json.loads(line) if printable else {}
            sound = printable and event.get("event") not in (None, "forged") and "ts" in event
            siege.tried(f"{text!r}: {line!r}", refused=sound)

    siege.ends("one JSON object a line, printable ASCII")


def steering(text: str) -> set[str]:
    """Return the characters of an output that a terminal would obey, or nobody sees."""
    return {each for each in text if each != "\n" and unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


def test_nothing_that_an_alert_says_steers_a_terminal(tmp_path: Path) -> None:
    """Whatever command shows it; nor does it make a line of its own, or a key of the JSON."""
    siege = Siege("terminal injection (ANSI, CR, bidi, zero width)", "runbook: commands that show alerts and runs")
    for number, text in enumerate(each[:4000] for each in SAID):
        folder = tmp_path / str(number)
        folder.mkdir()
        here = Sitting(folder)
        here.rig.healed_by_flag()
        labels = {"service": text, "evil": text}
        here.rig.fire(**labels)
        here.rig.fire(f"Other{text}", **labels)
        here.rig.drive()
        execution = here.rig.execution()
        told = here.rig._alert("firing", "CheckoutHighErrorRate", labels) | {"annotations": {"summary": text}}
        here.alert_file.write_text(json.dumps(told))
        here.run("acknowledge", execution.incident_id, environment={"RUNBOOK_OPERATOR": text})
        for command in (
            (), ("incidents",), ("incidents", execution.incident_id), ("executions",), ("executions", execution.id),
            ("explain", "--alert", str(here.alert_file)), ("plan", "--alert", str(here.alert_file)),
            ("alerts", str(here.alert_file)), ("inbox",), ("executions", text), ("incidents", text), ("cancel", text),
            (text,),
        ):  # fmt: skip
            for more in ((), ("--json",)) if command else ((),):
                result = here.run(*command, *more)
                found = steering(result.out + result.err) or {
                    line for line in result.out.split("\n") if line.startswith(("two", '{"ts"', "2026-01-01 INFO"))
                }
                siege.tried(f"{command} {more} with {text!r}: {found}", refused=not found)

    siege.ends("the character as an escape, such as \\x1b")
