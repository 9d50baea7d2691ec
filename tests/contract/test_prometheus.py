"""The prometheus adapter: against scripted answers for what goes wrong, against a real Prometheus for what is right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.prometheus import ADAPTER, PrometheusSettings
from runbook_adapters.prometheus.reader import PrometheusReader
from runbook_adapters.prometheus.selector import select
from runbook_adapters.web import Web
from runbook_engine.errors import NoAdapter, Unreadable
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.model.observation import Sample, Series
from runbook_engine.model.quoting import unquote
from runbook_engine.ports import AdapterContext
from tests.contract.http_service import HttpService, Told, http_service
from tests.lab import PATIENCE, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("prometheus")  # one Prometheus for all of them

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def serve(url: str, port="metrics", secret: str = "s3cret", **settings):
    """Build the adapter on an address."""
    context = AdapterContext(
        clock=FixedClock(),
        configuration=Configuration(),
        base=Path(),
        state=Path(),
        secret=lambda _reference: secret,
    )
    return ADAPTER.build(port, PrometheusSettings(url=url, **settings), context)


def vector(*points: tuple[dict[str, str], str], **extra: object) -> Told:
    """Return an answer to an instant query."""
    result = [{"metric": labels, "value": [NOW.timestamp(), value]} for labels, value in points]
    return body({"status": "success", "data": {"resultType": "vector", "result": result}, **extra})


def body(document: object, status: int = 200) -> Told:
    """Return a JSON answer."""
    return Told(status, json.dumps(document).encode(), (("Content-Type", "application/json"),))


@pytest.fixture
def service() -> Iterator[HttpService]:
    """A scripted Prometheus."""
    with http_service() as running:
        yield running


def test_every_series_is_returned_when_there_are_several(service):
    """Labels, values and the time come through, and the question is asked as it should be."""
    service.tell(vector(({"code": "500"}, "0.25"), ({"code": "502"}, "1e-3")))

    found = serve(service.url + "/prefix/", token=SecretReference(env="TOKEN")).reader.query(
        "checkout:error_ratio", {"cluster": 'a"b'}, NOW
    )

    assert found == (
        Sample(labels={"code": "500"}, value=0.25, at=NOW),
        Sample(labels={"code": "502"}, value=0.001, at=NOW),
    )
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("GET", "/prefix/api/v1/query")
    assert asked.fields == {
        "query": 'checkout:error_ratio{cluster="a\\"b"}',
        "time": f"{NOW.timestamp():.3f}",
        "timeout": "8s",
    }
    assert asked.headers["Authorization"] == "Bearer s3cret"


def test_scalar_is_one_sample_when_the_expression_gives_one(service):
    """A number without labels."""
    service.tell(body({"status": "success", "data": {"resultType": "scalar", "result": [NOW.timestamp(), "3"]}}))

    assert serve(service.url).reader.query("scalar(x)", {}, NOW) == (Sample(labels={}, value=3.0, at=NOW),)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(vector(), id="no series"),
        pytest.param(vector(({}, "NaN")), id="not a number"),
        pytest.param(vector(({}, "+Inf")), id="infinite"),
        pytest.param(vector(({"a": "1"}, "0.01"), ({"a": "2"}, "NaN")), id="one of two is not a number"),
    ],
)
def test_nothing_is_returned_when_there_is_no_figure(service, told):
    """No data is no data; a figure beside one that is none is not taken for the whole."""
    service.tell(told)

    assert serve(service.url).reader.query("x", {}, NOW) == ()


def test_history_leaves_out_points_that_are_no_figures(service):
    """A graph shows a gap."""
    at = NOW.timestamp()
    result = [{"metric": {"a": "1"}, "values": [[at, "1"], [at + 15, "NaN"], [at + 30, "3"]]}]
    service.tell(body({"status": "success", "data": {"resultType": "matrix", "result": result}}))

    found = serve(service.url).reader.history("x", {}, NOW, NOW + timedelta(hours=1), timedelta(seconds=15))

    assert found == (Series(labels={"a": "1"}, points=((NOW, 1.0), (NOW + timedelta(seconds=30), 3.0))),)
    assert service.asked[0].path == "/api/v1/query_range"
    assert service.asked[0].fields["step"] == "15"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(
            vector(({}, "1"), warnings=["one store was down", "another too"]),
            "cannot answer x in full: one store was down; another too",
            id="partial",
        ),
        pytest.param(
            body({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400),
            "cannot answer x: bad_data: parse error",
            id="refused query",
        ),
        pytest.param(
            Told(502, b"<html>bad gateway</html>"),
            "cannot answer x: HTTP 502, the answer is not of the Prometheus API: JSON is malformed: "
            "invalid character (byte 0) (set url to Prometheus itself)",
            id="a proxy speaking",
        ),
        pytest.param(
            Told(401),
            "cannot answer x: HTTP 401 (set token of adapter prometheus to a valid one)",
            id="no credential",
        ),
        pytest.param(
            Told(404, b"not found"),
            "cannot answer x: HTTP 404 (set url to the address before /api/v1)",
            id="wrong path",
        ),
        pytest.param(
            Told(302, b"", (("Location", "http://169.254.169.254/"),)),
            "cannot answer x: it redirects, which is not followed (set url to the final address)",
            id="redirect",
        ),
        pytest.param(
            body({"status": "success", "data": {"resultType": "matrix", "result": []}}),
            "the query gives a matrix, not figures of one instant (take rate() or another function of the range)",
            id="a range",
        ),
        pytest.param(
            body(
                {
                    "status": "success",
                    "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]},
                }
            ),
            "the query gives native histograms, not figures (take histogram_quantile() of them)",
            id="native histogram",
        ),
        pytest.param(
            vector(({}, "many")),
            "the answer is not of the Prometheus API: could not convert string to float: 'many' "
            "(set url to Prometheus itself)",
            id="a value that is none",
        ),
        pytest.param(
            Told(0),
            "cannot answer x: the connection broke before the answer was complete",
            id="broken connection",
        ),
        pytest.param(
            Told(200, b" " * (8 * 1024 * 1024 + 1)),
            "cannot answer x: the answer is larger than 8388608 bytes",
            id="endless answer",
        ),
    ],
)
def test_query_is_unreadable_when(service, told, says):
    """Every way of not answering is a sentence, never an empty result."""
    service.tell(told)

    with pytest.raises(Unreadable) as refusal:
        serve(service.url).reader.query("x", {}, NOW)

    assert str(refusal.value).removeprefix(f"{service.url} ") == says
    assert {asked.path for asked in service.asked} == {"/api/v1/query"}


def test_read_is_asked_again_when_the_connection_broke(service):
    """One broken connection is nobody's incident."""
    service.tell(Told(0), vector(({}, "1")))

    found = serve(service.url).reader.query("x", {}, NOW)

    assert [sample.value for sample in found] == [1.0]
    assert len(service.asked) == 2


def test_query_is_unreadable_when_nobody_listens():
    """A refused connection is retried a little, then said."""
    with socket.socket() as taken:  # bound, so that nobody else listens there, and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unreadable) as refusal:
            serve(url).reader.query("x", {}, NOW)

    assert str(refusal.value) == f"{url} cannot answer x: no connection: Connection refused"


def test_query_is_unreadable_when_the_answer_takes_too_long(service):
    """The time limit is ours, and is not asked again: the server has enough to do."""

    given_up = threading.Event()

    def slowly(_asked: object) -> Told:
        given_up.wait(PATIENCE)
        return vector(({}, "1"))

    service.answer = slowly

    with pytest.raises(Unreadable) as refusal:
        PrometheusReader(Web(read_time_limit=0.1), service.url, lambda: "").query("x", {}, NOW)
    wait_until(lambda: bool(service.asked), "what was asked has arrived")
    given_up.set()

    assert str(refusal.value) == f"{service.url} cannot answer x: no answer within the time limit"
    assert len(service.asked) == 1


def test_query_is_unreadable_when_the_answer_drips():
    """Bytes that keep coming do not stretch the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server,))
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Unreadable) as refusal:
            PrometheusReader(Web(read_time_limit=2.0), url, lambda: "").query("x", {}, NOW)
        dripping.join()

    assert str(refusal.value) == f"{url} cannot answer x: the answer took longer than 2s"  # not each byte


def drip(server: socket.socket) -> None:
    """Answer one request with a byte now and then, until the other side has had enough."""
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                connection.sendall(b"1\r\n \r\n")
                time.sleep(0.05)
        except OSError:
            return


def test_secret_stays_out_of_the_sentence_when_no_header_can_hold_it(service):
    """A token with a line break is refused before the library quotes it."""
    with pytest.raises(Unreadable) as refusal:
        serve(service.url, token=SecretReference(env="TOKEN"), secret="s3\ncret").reader.query("x", {}, NOW)

    assert str(refusal.value) == (
        f"{service.url} cannot answer x: the bearer token holds a line break or another character "
        "that no header can hold"
    )
    assert service.asked == []


@pytest.mark.parametrize(
    ("url", "port", "says"),
    [
        pytest.param(
            "file:///etc/passwd",
            "metrics",
            "adapter prometheus: the address is neither http nor https "
            "(set url to an address such as https://host.example:9090/path)",
            id="a file",
        ),
        pytest.param(
            "http://me:secret@host",
            "metrics",
            "adapter prometheus: the address holds a credential (set token: {env: NAME} instead)",
            id="a credential in the address",
        ),
        pytest.param("http://host", "flags", "prometheus does not serve flags (it serves metrics)", id="another port"),
    ],
)
def test_adapter_is_not_built_when_settings_are_wrong(url, port, says):
    """What cannot work is said at start."""
    with pytest.raises(NoAdapter) as refusal:
        serve(url, port)

    assert str(refusal.value) == says


@pytest.mark.parametrize(
    ("query", "where", "expected"),
    [
        pytest.param("sum(rate(x[5m]))", {}, "sum(rate(x[5m]))", id="an expression without where stays"),
        pytest.param("checkout:error_ratio", {"a": "b"}, 'checkout:error_ratio{a="b"}', id="a recorded series"),
        pytest.param("x{}", {"a": "b"}, 'x{a="b"}', id="empty braces"),
        pytest.param(' x { c =~ "d|e" , } ', {"a": "b"}, 'x{c =~ "d|e",a="b"}', id="matchers and a last comma"),
        pytest.param("x{c='}', d=`\\`}", {"a": "b"}, "x{c='}', d=`\\`,a=\"b\"}", id="brace inside quotes"),
        pytest.param('{__name__="x"}', {"a": "b"}, '{__name__="x",a="b"}', id="no name"),
        pytest.param("x", {"a": 'b"} or vector(0) #\\\n'}, 'x{a="b\\"} or vector(0) #\\\\\\n"}', id="hostile value"),
        pytest.param("x", {"a": "1", "b": "2"}, 'x{a="1",b="2"}', id="two labels"),
    ],
)
def test_matchers_are_added_when_the_query_is_a_selector(query, where, expected):
    """The label values arrive escaped, beside those that the author wrote."""
    assert select(query, where) == expected


@pytest.mark.parametrize(
    "query",
    ["sum(x)", "x / y", "x[5m]", "x offset 1h", "x{a=b}", "x{", "{}", "", "x y", 'x{a="b"} > 0', "1"],
)
def test_where_is_refused_when_the_query_is_an_expression(query):
    """Which selectors are meant would be a guess."""
    with pytest.raises(Unreadable) as refusal:
        select(query, {"cluster": "eu"})

    assert str(refusal.value) == (
        f'"where" cannot be added to the expression {query}: it is not one plain series '
        "(record the expression as a rule and query the rule's name)"
    )


def test_where_is_refused_when_a_label_name_is_none():
    """A label name is never escaped, so it is checked."""
    with pytest.raises(Unreadable) as refusal:
        select("x", {'a="" or b': "c"})

    assert str(refusal.value) == '"where" names the label "a="" or b", which no series can have (letters, digits and _)'


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_value_survives_when_it_is_escaped(value):
    """Whatever the value: it ends where it should, and is read back as it was."""
    written = select("x", {"a": value})

    found, after = unquote(written, len("x{a="))

    assert (found, written[after:]) == (value, "}")


RULES = r"""
groups:
  - name: checkout
    interval: 200ms
    rules:
      - {record: checkout_errors, expr: vector(3), labels: {cluster: 'we"ird\eu'}}
      - {record: checkout_requests, expr: vector(12), labels: {cluster: 'we"ird\eu'}}
      - {record: "checkout:error_ratio", expr: checkout_errors / checkout_requests}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory) -> Iterator[str]:
    """A real Prometheus that records figures of ours (it would wait 5 s before a scrape); must be there in CI."""
    binary = shutil.which("prometheus")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have the prometheus binary (apt-get install prometheus)")
        pytest.skip("the prometheus binary is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n")
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for_a_figure(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_a_figure(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    reader = serve(url).reader
    while time.monotonic() < deadline:
        assert process.poll() is None, "prometheus has ended"
        try:
            if reader.query("checkout:error_ratio", {}, datetime.now(UTC)):
                return
        except Unreadable:
            pass
        time.sleep(0.1)
    pytest.fail("prometheus has recorded nothing")


def test_recorded_series_is_found_when_prometheus_runs(prometheus):
    """The figure of a rule, selected by a label value that needs escaping."""
    at = datetime.now(UTC)

    (sample,) = serve(prometheus).reader.query("checkout:error_ratio", {"cluster": 'we"ird\\eu'}, at)

    assert sample.value == 0.25
    assert sample.labels["cluster"] == 'we"ird\\eu'
    assert abs(sample.at - at) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        pytest.param("checkout:error_ratio", {"cluster": 'x"} or checkout_requests{job="checkout'}, id="injection"),
        pytest.param("no_such_series", {}, id="unknown series"),
        pytest.param("checkout_errors * 0 / 0", {}, id="nought by nought"),
        pytest.param("checkout_errors / 0", {}, id="infinite"),
    ],
)
def test_prometheus_gives_nothing_when(prometheus, query, where):
    """No figure for what is not there, and a label value never becomes a query."""
    assert serve(prometheus).reader.query(query, where, datetime.now(UTC)) == ()


def test_expression_is_answered_when_it_needs_no_where(prometheus):
    """PromQL as it stands, scalars too."""
    reader = serve(prometheus).reader

    assert [sample.value for sample in reader.query("sum(checkout_requests) > 1", {}, datetime.now(UTC))] == [12.0]
    assert [sample.value for sample in reader.query("scalar(checkout_errors)", {}, datetime.now(UTC))] == [3.0]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param(
            "rate(x)",
            'bad_data: invalid parameter "query": 1:6: parse error: expected type range vector in call to function '
            '"rate", got instant vector',
            id="not PromQL",
        ),
        pytest.param("checkout_errors[1m]", "a range", id="a range"),
    ],
)
def test_prometheus_is_unreadable_when(prometheus, query, says):
    """What Prometheus says against a query reaches the author."""
    with pytest.raises(Unreadable) as refusal:
        serve(prometheus).reader.query(query, {}, datetime.now(UTC))

    expected = {
        "a range": "the query gives a matrix, not figures of one instant (take rate() or another function of the range)"
    }
    assert str(refusal.value) == expected.get(says, f"{prometheus} cannot answer {query}: {says}")


def test_history_is_drawn_when_prometheus_runs(prometheus):
    """A graph of the last seconds has points, all of the figure that was scraped."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)

    (series,) = serve(prometheus).reader.history(
        "checkout:error_ratio", {}, end - timedelta(minutes=1), end, timedelta(seconds=1)
    )

    assert {value for _, value in series.points} == {0.25}
    assert all(end - timedelta(minutes=1) <= at <= end for at, _ in series.points)
