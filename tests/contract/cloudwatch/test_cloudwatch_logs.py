"""Logs of functions: the newest lines, by instance, found by going back in windows that grow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runbook_adapters.cloudwatch import ADAPTER
from runbook_engine.errors import Unreadable
from runbook_engine.model.target import Target
from runbook_engine.ports import LogReader
from tests.contract.functions.bed import Bed, Faults

GROUP = "/aws/lambda/orders"
FUNCTION = Target("function", "", "", "orders:live")
ASK = "FilterLogEvents"
CONFIGURE = "GetFunctionConfiguration"


class Logs:
    """The adapter `cloudwatch`, and a log group of a function that need not exist itself."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.client = bed.other("logs")
        self.looking: Faults = bed.looking("logs")
        self.reader: LogReader = bed.serve(ADAPTER, "logs", logGroups={"orders": GROUP}).reader
        self.create(GROUP)

    def create(self, group: str) -> None:
        """Make a log group."""
        self.client.create_log_group(logGroupName=group)
        for stream in ("a", "b"):
            self.client.create_log_stream(logGroupName=group, logStreamName=stream)

    def write(self, stream: str, *lines: tuple[float, str], group: str = GROUP) -> None:
        """Write lines, each so many seconds ago."""
        now = self.bed.clock.now()
        events = [
            {"timestamp": int((now - timedelta(seconds=ago)).timestamp() * 1000), "message": message}
            for ago, message in lines
        ]
        self.client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def tail(self, lines: int = 100, **more: Any) -> dict[str, tuple[str, ...]]:
        """Ask for the last lines, by stream."""
        return {excerpt.name: excerpt.lines for excerpt in self.reader.logs(FUNCTION, lines, **more)}


@pytest.fixture
def logs(bed: Bed) -> Logs:
    """A function that has written nothing."""
    return Logs(bed)


def test_lines_are_in_order_when_a_function_has_written(logs: Logs) -> None:
    """As they were written, without the line's own end."""
    logs.write("a", (9, "START\n"), (8, "boom\n"), (7, "END\n"))

    assert {"a": ("START", "boom", "END")} == logs.tail()


def test_streams_are_apart_when_there_are_several_instances(logs: Logs) -> None:
    """The instance that wrote last is first."""
    logs.write("a", (9, "a1"), (3, "a2"))
    logs.write("b", (8, "b1"), (2, "b2"))

    assert [("b", ("b1", "b2")), ("a", ("a1", "a2"))] == list(logs.tail().items())


def test_newest_lines_are_kept_when_there_are_too_many(logs: Logs) -> None:
    """The end of a log is what an incident shows in."""
    logs.write("a", *((20 - number, f"line {number}") for number in range(20)))

    assert {"a": ("line 17", "line 18", "line 19")} == logs.tail(3)


def test_older_lines_are_found_when_the_last_minutes_were_quiet(logs: Logs) -> None:
    """The windows grow, and meet without a gap or an overlap."""
    ages = (5 * 3600, 3600 + 700, 3600, 661, 600, 75, 74, 60, 15, 14, 1)
    logs.write("a", *((float(age), f"{age} s ago") for age in ages))

    assert {"a": tuple(f"{age} s ago" for age in ages)} == logs.tail()


def test_nothing_is_told_when_it_is_long_ago(logs: Logs) -> None:
    """What is shown is about now."""
    logs.write("a", (8 * 3600, "yesterday"))

    assert {} == logs.tail()


def test_older_windows_are_not_asked_when_there_is_enough(logs: Logs) -> None:
    """Every question costs."""
    logs.looking.count(ASK)
    logs.write("a", (5, "one"), (4, "two"))

    logs.tail(2)

    assert {ASK: 1} == logs.looking.sent


def test_every_page_is_read_when_there_are_several(logs: Logs) -> None:
    """A page may even be empty, and the newest line on any of them."""
    stamp = int(logs.bed.clock.now().timestamp() * 1000)
    events = [{"logStreamName": "a", "timestamp": stamp - 1000 + at, "message": f"line {at}"} for at in range(3)]
    logs.looking.answer(ASK, {"events": events[:1], "nextToken": "1"})
    logs.looking.answer(ASK, {"events": [], "nextToken": "2"})
    logs.looking.answer(ASK, {"events": events[1:]})

    assert {"a": ("line 1", "line 2")} == logs.tail(2)


def test_lines_say_so_when_too_many_were_written_at_once(logs: Logs) -> None:
    """What was left out is never silently left out."""
    stamp = int(logs.bed.clock.now().timestamp() * 1000)
    event = {"logStreamName": "a", "timestamp": stamp, "message": "flood"}
    logs.looking.answer(ASK, {"events": [event], "nextToken": "1"}, times=99)

    assert {"a": ("[older and newer lines left out: too many were written at once]", "flood", "flood")} == logs.tail(2)


def test_logs_are_unreadable_when_the_search_ends_before_the_first_line(logs: Logs) -> None:
    """Pages may be empty as long as CloudWatch still searches: then nothing was found, which is not an empty log."""
    logs.looking.answer(ASK, {"events": [], "nextToken": "1"}, times=99)

    with pytest.raises(Unreadable) as caught:
        logs.tail()

    assert (
        "the logs of /aws/lambda/orders cannot be read: 10 pages of them hold no line of orders "
        "(look in CloudWatch itself)" == str(caught.value)
    )


def test_streams_are_bounded_when_there_are_many_instances(logs: Logs) -> None:
    """Those that wrote last."""
    stamp = int(logs.bed.clock.now().timestamp() * 1000)
    events = [{"logStreamName": f"s{at}", "timestamp": stamp - 100 + at, "message": "x"} for at in range(30)]
    logs.looking.answer(ASK, {"events": events})

    assert [f"s{at}" for at in range(29, 19, -1)] == list(logs.tail())


def test_lines_are_the_same_when_previous_is_asked_for(logs: Logs) -> None:
    """A function has no containers that were restarted."""
    logs.write("a", (1, "boom"))

    assert {"a": ("boom",)} == logs.tail(previous=True)


@pytest.mark.parametrize(
    ("configuration", "group"),
    [
        pytest.param({"LoggingConfig": {"LogGroup": "/shared/orders"}}, "/shared/orders", id="as it is configured"),
        pytest.param({}, GROUP, id="by its name"),
    ],
)
def test_group_is_that_of_the_function_when_none_is_named(
    logs: Logs, configuration: dict[str, Any], group: str
) -> None:
    """Several functions may share one."""
    if group != GROUP:
        logs.create(group)
    logs.write("a", (1, "boom"), group=group)
    logs.bed.looking("lambda").answer(CONFIGURE, configuration)
    reader: LogReader = logs.bed.serve(ADAPTER, "logs").reader

    (excerpt,) = reader.logs(FUNCTION, 10)

    assert ("a", ("boom",)) == (excerpt.name, excerpt.lines)


def test_lines_of_others_are_left_out_when_they_share_the_group(logs: Logs) -> None:
    """The stream says whose they are."""
    stamp = int(logs.bed.clock.now().timestamp() * 1000)
    streams = ("2026/03/01/orders[$LATEST]0af1", "2026/03/01/carts[7]0af1", "2026/03/01/[7]0af1", "custom")
    events = [{"logStreamName": name, "timestamp": stamp, "message": name} for name in streams]
    logs.looking.answer(ASK, {"events": events})

    assert {streams[0], streams[2], streams[3]} == set(logs.tail())


def test_line_is_found_when_its_writer_is_ahead_of_us(logs: Logs) -> None:
    """Clocks differ by seconds."""
    logs.write("a", (-20, "from the future"))

    assert {"a": ("from the future",)} == logs.tail()


def test_logs_are_unreadable_when_there_is_no_group(logs: Logs) -> None:
    """No log group is not an empty log."""
    reader: LogReader = logs.bed.serve(ADAPTER, "logs", logGroups={"orders": "/nowhere"}).reader

    with pytest.raises(Unreadable) as caught:
        reader.logs(FUNCTION, 10)

    assert "there is no log group /nowhere (name it under logGroups of adapter cloudwatch)" == str(caught.value)


def test_logs_are_unreadable_when_there_is_no_function(logs: Logs) -> None:
    """Its configuration would say where it writes."""
    reader: LogReader = logs.bed.serve(ADAPTER, "logs").reader

    with pytest.raises(Unreadable) as caught:
        reader.logs(FUNCTION, 10)

    assert "the logs of function/orders:live cannot be read: there is no such function (check the name)" == str(
        caught.value
    )


def test_logs_are_unreadable_when_they_may_not_be_read(logs: Logs) -> None:
    """Denied is not empty."""
    logs.looking.refuse(ASK, "AccessDeniedException")

    with pytest.raises(Unreadable, match=r"^the logs of /aws/lambda/orders cannot be read: AccessDeniedException: no"):
        logs.tail()


def test_logs_are_unreadable_when_the_target_is_no_function(logs: Logs) -> None:
    """A deployment's are its cluster's."""
    with pytest.raises(Unreadable) as caught:
        logs.reader.logs(Target("deployment", "", "apps", "web"), 10)

    assert "CloudWatch has no logs of apps/deployment/web (ask for a function)" == str(caught.value)
