"""The checkout service: takes an order, enriches it with optional features, and can be told to misbehave.

gunicorn wsgi:app          or, as a factory,          gunicorn 'app:create_app()'
"""

import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from uuid import uuid4

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from cached import Cached, Unreadable
from features import DependencyFailed, call_features
from flags import load_switch
from knobs import Knobs, load_knobs
from metrics import Metrics
from settings import KNOBS_TTL, Settings, read_settings

EXAMPLE_AMOUNT = 4_200  # cents; what a GET buys, so that a browser and a load generator need no body
LARGEST_AMOUNT = 10_000_000
LARGEST_BODY = 16_384


def die() -> None:
    """End this worker at once, as a crash would; gunicorn starts another."""
    os._exit(70)


def create_app(
    environ: Mapping[str, str] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
    crash: Callable[[], None] = die,
) -> Flask:
    """Build the service from its environment (that of the process when none is given)."""
    environ = dict(os.environ if environ is None else environ)
    settings = read_settings(environ)
    metrics = Metrics(settings.release, settings.metrics_folder)
    degraded_mode = watch_degraded_mode(settings, metrics, clock)
    knobs = watch_knobs(settings, environ, metrics, clock)

    app = Flask("checkout")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    for followed in (degraded_mode, knobs):  # read before the first request: it may come with others at once
        followed.get()
    add_measurement(app, metrics, clock)
    add_checkout(app, metrics, degraded_mode, knobs, chance=chance, sleep=sleep, crash=crash)
    add_health(app, settings, degraded_mode)
    add_metrics(app, metrics, degraded_mode)
    return app


def watch_degraded_mode(settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> Cached[bool]:
    """Follow the flag store; without one, or while it is down, the last known mode holds."""

    def read() -> bool:
        if settings.flag_store is None:
            return settings.degraded_mode
        return load_switch(settings.flag_store, settings.flag_name, settings.degraded_mode)

    def failed(error: Unreadable, is_new: bool) -> None:
        metrics.flag_store_errors.inc()
        warn_once("flag_store_unreadable", error, is_new)

    return Cached(read, initial=settings.degraded_mode, ttl=settings.flag_ttl, clock=clock, failed=failed)


def watch_knobs(
    settings: Settings, environ: Mapping[str, str], metrics: Metrics, clock: Callable[[], float]
) -> Cached[Knobs]:
    """Follow the knobs file; a bad one changes nothing, the last good knobs hold."""

    def read() -> Knobs:
        return settings.knobs if settings.knobs_file is None else load_knobs(settings.knobs_file, environ)

    def failed(error: Unreadable, is_new: bool) -> None:
        metrics.knob_errors.inc()
        warn_once("knobs_rejected", error, is_new)

    return Cached(read, initial=settings.knobs, ttl=KNOBS_TTL, clock=clock, failed=failed)


def warn_once(event: str, error: Unreadable, is_new: bool) -> None:
    """Log a failing read when it begins or changes, not each time."""
    if is_new:
        logging.getLogger("checkout").warning(event, extra={"reason": str(error)})


def add_measurement(app: Flask, metrics: Metrics, clock: Callable[[], float]) -> None:
    """Count and time every answer of /checkout, failures and rejected bodies included."""

    @app.before_request
    def begin() -> None:
        g.begun = clock()

    @app.after_request
    def end(response: Response) -> Response:
        if request.endpoint == "checkout":
            metrics.record(response.status_code, clock() - g.begun)
        return response


def add_checkout(
    app: Flask,
    metrics: Metrics,
    degraded_mode: Cached[bool],
    knobs: Cached[Knobs],
    *,
    chance: Callable[[], float],
    sleep: Callable[[float], None],
    crash: Callable[[], None],
) -> None:
    """Add the one thing that this service is for."""

    @app.route("/checkout", methods=["GET", "POST"])
    def checkout() -> ResponseReturnValue:
        amount = EXAMPLE_AMOUNT if request.method == "GET" else read_amount()
        if amount is None:
            return jsonify(error=f"amount must be a whole number of cents from 1 to {LARGEST_AMOUNT}"), 400
        faults = knobs.get()
        if chance() < faults.crash_rate:
            crash()
        degraded = degraded_mode.get()
        features = {} if degraded else call_features(amount, faults, chance=chance, sleep=sleep)
        return jsonify(status="accepted", order=str(uuid4()), amount=amount, degraded=degraded, features=features)

    @app.errorhandler(DependencyFailed)
    def dependency_failed(error: DependencyFailed) -> ResponseReturnValue:
        metrics.feature_failures.labels(error.feature).inc()
        logging.getLogger("checkout").error("checkout_failed", extra={"feature": error.feature})
        return jsonify(error=str(error), feature=error.feature), 502


def read_amount() -> int | None:
    """Read the order's amount from the request; None when there is none that makes sense."""
    order = request.get_json(silent=True)
    amount = order.get("amount") if isinstance(order, dict) else None
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    return amount if 1 <= amount <= LARGEST_AMOUNT else None


def add_health(app: Flask, settings: Settings, degraded_mode: Cached[bool]) -> None:
    """Add the probes. A flag store that is down is told, but takes no worker out of service: the last mode holds."""

    @app.get("/healthz/live")
    def live() -> ResponseReturnValue:
        return jsonify(status="ok")

    @app.get("/healthz")
    @app.get("/healthz/ready")
    def ready() -> ResponseReturnValue:
        degraded = degraded_mode.get()
        return jsonify(
            status="ok", release=settings.release, degraded=degraded, flag_store=degraded_mode.trouble or "ok"
        )


def add_metrics(app: Flask, metrics: Metrics, degraded_mode: Cached[bool]) -> None:
    """Add the page that Prometheus scrapes."""

    @app.get("/metrics")
    def render() -> ResponseReturnValue:
        metrics.degraded_mode.set(int(degraded_mode.get()))
        return Response(metrics.render(), content_type=CONTENT_TYPE_LATEST)
