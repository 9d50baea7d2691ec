"""What became of RunbookTest files, as JUnit XML: one suite a file, for whatever shows the results of a build."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from xml.etree import ElementTree as xml

from runbook_engine.render.results import Result

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TimedResult(Result, Protocol):
    """A result that says how much simulated time passed in it."""

    @property
    def took(self) -> timedelta:
        """The simulated time from its start to its last expectation."""
        ...


def render_junit(results: Sequence[TimedResult]) -> str:
    """Return the results as one XML document; times are simulated."""
    root = xml.Element("testsuites", {"name": "runbook test", **_sums(results)})
    for file in dict.fromkeys(result.file for result in results):
        of_file = [result for result in results if result.file == file]
        suite = xml.SubElement(root, "testsuite", {"name": _text(file), **_sums(of_file)})
        for result in of_file:
            _case(suite, result)
    xml.indent(root)
    body = xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _sums(results: Sequence[TimedResult]) -> dict[str, str]:
    took = sum((result.took for result in results), timedelta(0))
    failures = sum(not result.ok for result in results)
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": _seconds(took)}


def _case(suite: xml.Element, result: TimedResult) -> None:
    about = {"classname": _text(result.file), "name": _text(result.name), "time": _seconds(result.took)}
    case = xml.SubElement(suite, "testcase", about)
    if not result.ok:
        failure = xml.SubElement(case, "failure", {"message": _text(result.reason), "type": "expectation"})
        failure.text = _text(result.reason)
        xml.SubElement(case, "system-out").text = _text("\n".join(result.timeline))


def _seconds(period: timedelta) -> str:
    return f"{period.total_seconds():.3f}"


def _text(text: str) -> str:
    """Return text as XML can carry it: what it cannot is shown as one unknown character."""
    return NOT_XML.sub("\ufffd", text)
