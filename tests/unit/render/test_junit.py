"""JUnit XML: the structure that build servers read, whatever stands in names and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from xml.etree import ElementTree as xml

from runbook_engine.render.junit import render_junit
from runbook_engine.testing.runner import TestResult

# The common schema of JUnit results: element -> attributes that it must have, that it may have, and its children.
SCHEMA: Mapping[str, tuple[set[str], set[str], Sequence[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, ["testsuite"]),
    "testsuite": ({"name", "tests"}, {"failures", "errors", "time", "skipped"}, ["properties", "testcase"]),
    "testcase": ({"name", "classname"}, {"time"}, ["skipped", "error", "failure", "system-out", "system-err"]),
    "failure": (set(), {"message", "type"}, []),
    "system-out": (set(), set(), []),
}


def assert_follows_the_schema(element: xml.Element) -> None:
    """Every element has what it must, nothing that it may not, and its children in the order of the schema."""
    must, may, children = SCHEMA[element.tag]
    assert must <= set(element.keys()) <= must | may
    order = [children.index(child.tag) for child in element]
    assert sorted(order) == order
    for child in element:
        assert_follows_the_schema(child)


NASTY = 'it says "<b>&amp;</b>" ]]> \x00\x1b[31m \ud800 ünïcode'
RESULTS = (
    TestResult(file="a.test.yaml", name="it holds", ok=True, took=timedelta(minutes=3)),
    TestResult(
        file="a.test.yaml",
        name=NASTY,
        ok=False,
        reason=f"at 1m: {NASTY}",
        timeline=("      0s  alert fires", f"      1m  > expected  {NASTY}"),
        took=timedelta(seconds=60.5),
    ),
    TestResult(file="b.test.yaml", name="another file", ok=True, took=timedelta(seconds=1)),
)


def test_junit_follows_the_schema() -> None:
    """One suite a file, one case a test, sums that are right."""
    root = xml.fromstring(render_junit(RESULTS))

    assert_follows_the_schema(root)
    assert {"name": "runbook test", "tests": "3", "failures": "1", "errors": "0", "time": "241.500"} == root.attrib
    assert [("a.test.yaml", "2", "1"), ("b.test.yaml", "1", "0")] == [
        (suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root
    ]
    assert ["180.000", "60.500", "1.000"] == [case.get("time") for case in root.iter("testcase")]


def test_junit_carries_the_failure_and_its_timeline() -> None:
    """What XML cannot carry is shown as an unknown character, and nothing else is lost."""
    [failed] = [case for case in xml.fromstring(render_junit(RESULTS)).iter("testcase") if len(case)]

    shown = 'it says "<b>&amp;</b>" ]]> \ufffd\ufffd[31m \ufffd ünïcode'
    assert (shown, "a.test.yaml") == (failed.get("name"), failed.get("classname"))
    failure, told = failed
    assert f"at 1m: {shown}" == failure.get("message") == failure.text
    assert f"      0s  alert fires\n      1m  > expected  {shown}" == told.text
