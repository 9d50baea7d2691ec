"""What the Prometheus HTTP API answers, read strictly: partial, empty and not-a-number are never figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from runbook_engine.errors import Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.observation import Sample, Series

Decoded = TypeVar("Decoded")


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One figure: seconds since 1970, and the value as text, since JSON has no NaN."""

    at: float
    value: str


class VectorElement(msgspec.Struct, frozen=True):
    """One series of an instant query; a native histogram has no `value`."""

    metric: Mapping[str, str] = {}
    value: Point | None = None


class MatrixElement(msgspec.Struct, frozen=True):
    """One series of a range query."""

    metric: Mapping[str, str] = {}
    values: tuple[Point, ...] = ()


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """What kind of result it is, and the result, read later by kind."""

    result_type: Literal["vector", "scalar", "matrix", "string"]
    result: msgspec.Raw


class Body(msgspec.Struct, frozen=True, rename="camel"):
    """The envelope of every answer."""

    status: Literal["success", "error"]
    data: Result | None = None
    error_type: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()


def read_body(content: bytes) -> Body:
    """Return the envelope. Raises Unreadable."""
    try:
        return from_json(content, Body)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"the answer is not of the Prometheus API: {error} (set url to Prometheus itself)") from error


def samples(result: Result) -> tuple[Sample, ...]:
    """Return the newest sample of every series; none at all when one of them is not a number. Raises Unreadable."""
    points: list[tuple[Mapping[str, str], Point | None]]
    match result.result_type:
        case "vector":
            elements = _decoded(result, tuple[VectorElement, ...])
            points = [(element.metric, element.value) for element in elements]
        case "scalar":
            points = [({}, _decoded(result, Point))]
        case "matrix" | "string":
            raise Unreadable(
                f"the query gives a {result.result_type}, not figures of one instant "
                "(take rate() or another function of the range)"
            )
    if any(point is None for _, point in points):
        raise Unreadable("the query gives native histograms, not figures (take histogram_quantile() of them)")
    found = tuple(
        Sample(labels=labels, value=value, at=at)
        for labels, (at, value) in ((labels, _figure(point)) for labels, point in points if point is not None)
    )
    return found if all(math.isfinite(sample.value) for sample in found) else ()


def series(result: Result) -> tuple[Series, ...]:
    """Return every series over time, without the points that are not numbers. Raises Unreadable."""
    if result.result_type != "matrix":
        raise Unreadable(f"the query gives a {result.result_type}, not figures over time")
    return tuple(
        Series(labels=element.metric, points=tuple(_finite_points(element.values)))
        for element in _decoded(result, tuple[MatrixElement, ...])
    )


def _figure(point: Point) -> tuple[datetime, float]:
    try:
        return datetime.fromtimestamp(point.at, UTC), float(point.value)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"the answer is not of the Prometheus API: {error} (set url to Prometheus itself)") from error


def _finite_points(values: tuple[Point, ...]) -> list[tuple[datetime, float]]:
    points = [_figure(point) for point in values]
    return [(at, value) for at, value in points if math.isfinite(value)]


def _decoded(result: Result, kind: type[Decoded]) -> Decoded:
    try:
        return from_json(result.result, kind)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"the answer is not of the Prometheus API: {error} (set url to Prometheus itself)") from error
