"""The service as its callers see it."""

import json

import pytest

from app import create_app
from apps.checkout.tests.bench import Bench, scrape
from settings import InvalidSetting

FEATURES = {"fraud-scoring": "low", "loyalty": 42, "recommendations": ["gift-wrap"]}


def test_checkout_accepts_an_order_when_nothing_is_wrong(bench: Bench) -> None:
    """A GET buys the example order, enriched by every optional feature."""
    answer = bench.start().get("/checkout")

    assert answer.status_code == 200
    assert {"amount": 4200, "degraded": False, "features": FEATURES, "status": "accepted"} == {
        name: value for name, value in answer.get_json().items() if name != "order"
    }


def test_checkout_gives_each_order_its_own_name(bench: Bench) -> None:
    """Two orders never share a name."""
    client = bench.start()

    assert client.get("/checkout").get_json()["order"] != client.get("/checkout").get_json()["order"]


def test_checkout_uses_the_amount_of_the_body_when_posted(bench: Bench) -> None:
    """The optional features work on the order that was sent."""
    answer = bench.start().post("/checkout", json={"amount": 250_000})

    assert {
        "fraud-scoring": "review",
        "loyalty": 2500,
        "recommendations": ["gift-wrap", "express-delivery"],
    } == answer.get_json()["features"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="broken JSON"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"{}", id="no amount"),
        pytest.param(b'{"amount": 0}', id="nothing to pay"),
        pytest.param(b'{"amount": 10000001}', id="too much"),
        pytest.param(b'{"amount": true}', id="a truth value"),
        pytest.param(b'{"amount": 1.5}', id="a fraction of a cent"),
        pytest.param(b'{"amount": "4200"}', id="text"),
    ],
)
def test_checkout_rejects_an_order_without_a_sensible_amount(bench: Bench, body: bytes) -> None:
    """A bad order is the buyer's fault: 400, counted as a request and not as an error."""
    client = bench.start()

    answer = client.post("/checkout", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.get_json() == {"error": "amount must be a whole number of cents from 1 to 10000000"}
    series = scrape(client)
    assert series['checkout_requests_total{code="400"}'] == 1
    assert series["checkout_errors_total"] == 0


def test_checkout_rejects_a_body_larger_than_an_order(bench: Bench) -> None:
    """A huge body is not read."""
    answer = bench.start().post("/checkout", data=b" " * 20_000, content_type="application/json")

    assert answer.status_code in (400, 413)


def test_checkout_fails_when_an_optional_dependency_fails(bench: Bench) -> None:
    """An injected fault is a real 502, and the metrics say which feature did it."""
    bench.set_knobs(ERROR_RATE="1")
    client = bench.start()

    answer = client.get("/checkout")

    assert answer.status_code == 502
    assert answer.get_json() == {"error": "loyalty did not answer", "feature": "loyalty"}
    series = scrape(client)
    assert series['checkout_requests_total{code="502"}'] == 1
    assert series["checkout_errors_total"] == 1
    assert series['checkout_feature_failures_total{feature="loyalty"}'] == 1


@pytest.mark.parametrize(
    ("luck", "feature"),
    [
        pytest.param(0.0, "fraud-scoring", id="the first third of the lots"),
        pytest.param(0.5, "loyalty", id="the second third"),
        pytest.param(0.999, "recommendations", id="the last third"),
    ],
)
def test_checkout_draws_the_failing_feature_by_lot(bench: Bench, luck: float, feature: str) -> None:
    """Every optional dependency can be the one that fails."""
    bench.luck = luck
    bench.set_knobs(ERROR_RATE=1)

    assert bench.start().get("/checkout").get_json()["feature"] == feature


def test_checkout_is_slow_when_an_optional_dependency_is_slow(bench: Bench) -> None:
    """The added latency is waited for once a checkout, and lands in the histogram."""
    bench.set_knobs(LATENCY_MS="700")
    client = bench.start()

    client.get("/checkout")

    assert bench.slept == [0.7]
    series = scrape(client)
    assert series["checkout_request_duration_seconds_sum"] == pytest.approx(0.7)
    assert series['checkout_request_duration_seconds_bucket{le="0.5"}'] == 0
    assert series['checkout_request_duration_seconds_bucket{le="0.75"}'] == 1


def test_degraded_mode_ends_errors_and_latency_when_switched_on(bench: Bench) -> None:
    """Degrading really helps: the faulty dependencies are not called any more, though the fault is still there."""
    bench.set_knobs(ERROR_RATE="1", LATENCY_MS="700")
    client = bench.start(FLAG_TTL="5")
    assert client.get("/checkout").status_code == 502
    bench.slept.clear()

    bench.set_flag("true")
    bench.now += 5
    answer = client.get("/checkout")

    assert answer.status_code == 200
    assert answer.get_json()["features"] == {}
    assert answer.get_json()["degraded"] is True
    assert bench.slept == []
    assert scrape(client)["checkout_degraded_mode"] == 1


def test_degraded_mode_is_read_again_only_when_its_time_has_come(bench: Bench) -> None:
    """Between two reads the store may say what it likes."""
    client = bench.start(FLAG_TTL="5")
    client.get("/checkout")
    bench.set_flag("true")

    bench.now += 4.9
    before = client.get("/checkout").get_json()["degraded"]
    bench.now += 0.1
    after = client.get("/checkout").get_json()["degraded"]

    assert (before, after) == (False, True)


def test_degraded_mode_holds_when_the_flag_store_goes_down(bench: Bench) -> None:
    """The last known mode survives the store, each failed read is counted, and a store that is back is believed."""
    bench.set_flag("true")
    client = bench.start(FLAG_TTL="1")
    client.get("/checkout")
    bench.flag_store.unlink()

    answers = []
    for _ in range(3):
        bench.now += 1
        answers.append(client.get("/checkout").get_json()["degraded"])
    health = client.get("/healthz").get_json()
    bench.set_flag("false")
    bench.now += 1

    assert answers == [True, True, True]
    assert health["flag_store"] == "the flag store flags.json cannot be read: No such file or directory"
    assert client.get("/checkout").get_json()["degraded"] is False
    assert client.get("/healthz").get_json()["flag_store"] == "ok"
    assert scrape(client)["checkout_flag_store_errors_total"] == 3


@pytest.mark.parametrize(
    "store",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="no flags"),
        pytest.param({"flags": []}, id="flags are a list"),
        pytest.param({"flags": {"/checkout/degraded_mode": "true"}}, id="a flag without a value"),
        pytest.param({"flags": {"/checkout/degraded_mode": {"value": "on"}}}, id="a value that is no switch"),
        pytest.param({"flags": {"/checkout/degraded_mode": {"value": ["true"]}}}, id="a value that is a list"),
    ],
)
def test_degraded_mode_holds_when_the_flag_store_holds_nonsense(bench: Bench, store: object) -> None:
    """What cannot be understood switches nothing."""
    bench.write_store(store)
    client = bench.start(DEGRADED_MODE="true")

    assert client.get("/checkout").get_json()["degraded"] is True
    assert scrape(client)["checkout_flag_store_errors_total"] == 1


def test_degraded_mode_comes_from_the_environment_when_the_store_has_no_such_flag(bench: Bench) -> None:
    """A store without the flag is healthy: the environment's word holds."""
    bench.write_store({"flags": {}})
    client = bench.start(DEGRADED_MODE="true")

    assert client.get("/checkout").get_json()["degraded"] is True
    assert scrape(client)["checkout_flag_store_errors_total"] == 0


def test_degraded_mode_comes_from_the_environment_when_there_is_no_store(bench: Bench) -> None:
    """Without FLAG_STORE the variable alone decides."""
    client = bench.start(FLAG_STORE="", DEGRADED_MODE="true")

    assert client.get("/healthz/ready").get_json()["degraded"] is True


def test_knobs_come_from_the_environment_when_the_file_leaves_them_out(bench: Bench) -> None:
    """The file overrides single knobs; ending its fault leaves the release's own."""
    bench.set_knobs(ERROR_RATE=0)
    client = bench.start(ERROR_RATE="1", LATENCY_MS="50")

    healthy = client.get("/checkout").status_code
    bench.knobs_file.unlink()
    bench.now += 0.5
    faulty = client.get("/checkout").status_code

    assert (healthy, faulty) == (200, 502)
    assert bench.slept == [0.05, 0.05]


def test_flag_is_read_before_the_first_request(bench: Bench) -> None:
    """A worker that takes a dead one's place is degraded from its first answers on, however many come at once."""
    bench.set_flag("true")
    client = bench.start(FLAG_TTL="30")
    bench.flag_store.unlink()

    assert json.loads(client.get("/checkout").text)["degraded"] is True


def test_knobs_come_from_the_environment_when_there_is_no_file(bench: Bench) -> None:
    """Without KNOBS_FILE the variables alone decide."""
    assert bench.start(KNOBS_FILE="", ERROR_RATE="1").get("/checkout").status_code == 502


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("{", "is not readable JSON: ", id="broken JSON"),
        pytest.param("[]", "must hold one JSON object of knobs", id="a list"),
        pytest.param(
            '{"ERORR_RATE": "1"}',
            'names the unknown knob "ERORR_RATE": known are ERROR_RATE, LATENCY_MS, CRASH_RATE',
            id="a misspelt knob",
        ),
        pytest.param(
            '{"ERROR_RATE": "2"}',
            'ERROR_RATE="2" is not a number from 0 to 1: correct it or leave it out',
            id="more than always",
        ),
    ],
)
def test_knobs_keep_the_last_good_value_when_the_file_turns_bad(
    bench: Bench, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, text: str, reason: str
) -> None:
    """A bad file ends no fault and begins none; it is counted each time and logged once."""
    bench.set_knobs(ERROR_RATE="1")
    client = bench.start()
    client.get("/checkout")
    bench.knobs_file.write_text(text, encoding="utf-8")

    codes = []
    for _ in range(2):
        bench.now += 0.5
        codes.append(client.get("/checkout").status_code)

    assert codes == [502, 502]
    assert scrape(client)["checkout_knob_errors_total"] == 2
    rejected = [record for record in caplog.records if record.getMessage() == "knobs_rejected"]
    assert len(rejected) == 1
    assert reason in rejected[0].__dict__["reason"]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        pytest.param(
            {"ERROR_RATE": "lots"},
            'ERROR_RATE="lots" is not a number from 0 to 1: correct it or leave it out',
            id="a rate that is a word",
        ),
        pytest.param(
            {"ERROR_RATE": "nan"},
            'ERROR_RATE="nan" is not a number from 0 to 1: correct it or leave it out',
            id="a rate that is no number",
        ),
        pytest.param(
            {"LATENCY_MS": "-1"},
            'LATENCY_MS="-1" is not a number of milliseconds from 0 to 60000: correct it or leave it out',
            id="time that runs backwards",
        ),
        pytest.param(
            {"CRASH_RATE": "1.1"},
            'CRASH_RATE="1.1" is not a number from 0 to 1: correct it or leave it out',
            id="a crash rate beyond 1",
        ),
        pytest.param(
            {"DEGRADED_MODE": "yes"},
            'DEGRADED_MODE="yes" is neither "true" nor "false": correct it or leave it out',
            id="a mode that is no switch",
        ),
        pytest.param(
            {"FLAG_TTL": "60"},
            'FLAG_TTL="60" is not a number of seconds from 0.05 to 30: correct it or leave it out',
            id="a flag cached too long",
        ),
    ],
)
def test_start_stops_with_a_sentence_when_a_setting_is_bad(environ: dict[str, str], sentence: str) -> None:
    """A service with a bad setting does not start, and says which and why."""
    with pytest.raises(InvalidSetting) as caught:
        create_app(environ)

    assert str(caught.value) == sentence


def test_crash_rate_kills_the_worker_whatever_the_mode(bench: Bench) -> None:
    """Crashes are on the core path: degrading does not end them, ending the fault does."""
    bench.set_flag("true")
    bench.set_knobs(CRASH_RATE="1")
    client = bench.start()
    client.get("/checkout")

    bench.set_knobs()
    bench.now += 0.5
    client.get("/checkout")

    assert bench.crashes == [0.0]


@pytest.mark.parametrize("path", ["/healthz", "/healthz/ready"])
def test_health_tells_release_and_mode(bench: Bench, path: str) -> None:
    """Who looks at readiness also sees what is being served."""
    answer = bench.start(RELEASE="r42").get(path)

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok", "release": "r42", "degraded": False, "flag_store": "ok"}


def test_health_stays_good_while_every_checkout_fails(bench: Bench) -> None:
    """A failing dependency is no reason to restart the worker."""
    bench.set_knobs(ERROR_RATE="1")
    client = bench.start()
    client.get("/checkout")

    assert client.get("/healthz/live").status_code == 200
    assert client.get("/healthz/ready").status_code == 200


def test_metrics_count_checkouts_only(bench: Bench) -> None:
    """Probes and scrapes do not dilute the error ratio."""
    client = bench.start(RELEASE="r42")
    client.get("/checkout")
    for path in ("/healthz", "/healthz/live", "/metrics", "/nowhere"):
        client.get(path)

    series = scrape(client)

    assert {name: value for name, value in series.items() if name.startswith("checkout_requests_total")} == {
        'checkout_requests_total{code="200"}': 1
    }
    assert series["checkout_request_duration_seconds_count"] == 1
    assert series['checkout_release_info{release="r42"}'] == 1
    assert series["checkout_worker_starts_total"] == 1


def test_metrics_show_the_mode_of_now_without_any_checkout(bench: Bench) -> None:
    """The gauge is fresh at every scrape, not only after traffic."""
    client = bench.start(FLAG_TTL="1")
    before = scrape(client)["checkout_degraded_mode"]

    bench.set_flag("true")
    bench.now += 1

    assert (before, scrape(client)["checkout_degraded_mode"]) == (0, 1)


def test_metrics_have_buckets_up_to_five_seconds(bench: Bench) -> None:
    """A p99 of seconds can still be told from a p99 of ten."""
    client = bench.start()
    client.get("/checkout")

    series = scrape(client)

    assert series['checkout_request_duration_seconds_bucket{le="5.0"}'] == 1


def test_failed_checkout_is_logged_with_its_feature(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the dependency, as a field."""
    bench.set_knobs(ERROR_RATE="1")

    bench.start().get("/checkout")

    failed = [record for record in caplog.records if record.getMessage() == "checkout_failed"]
    assert ["loyalty"] == [record.__dict__["feature"] for record in failed]


def test_flag_store_is_named_by_its_flag(bench: Bench) -> None:
    """Several services may share one store."""
    bench.write_store({"flags": {"/other/degraded_mode": {"value": "true", "version": 7}}})

    client = bench.start(FLAG_NAME="/other/degraded_mode")

    assert json.loads(client.get("/checkout").text)["degraded"] is True
