"""Reading an answer: what a service says, or the error that it means, in the shapes that botocore gives them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from http.client import responses
from typing import Any

from runbook_adapters.aws.lean.failures import CallRefused, ResponseParserError
from runbook_adapters.aws.lean.services import Service, Shape
from runbook_adapters.aws.lean.wire import Answer

FIRST_ERROR = 301
REQUEST_ID, CHECKSUM = "x-amzn-requestid", "x-amz-crc32"
Refusals = Mapping[str, type[CallRefused]]


class Reader:
    """Reads the answers of one service; `refusals` are those that have a class of their own."""

    def __init__(self, service: Service, refusals: Refusals) -> None:
        self._service = service
        self._refusals = refusals
        self._decoder = json.JSONDecoder(object_hook=service.shape)

    def read(self, answer: Answer, operation: str, url: str, retries: int) -> Shape:
        """Return what the service says. Raises CallRefused, ResponseParserError."""
        metadata = _metadata(answer, retries)
        if answer.status >= FIRST_ERROR:
            raise self._refused(answer, operation, metadata)
        if "RequestId" not in metadata:
            raise ResponseParserError(url, "it names no request, as every answer of AWS does")
        if self._service.checked and not _is_whole(answer):
            raise ResponseParserError(url, "its checksum is another")
        try:
            found = self._decoder.decode(answer.body.decode()) if answer.body else {}
        except (ValueError, RecursionError) as error:
            raise ResponseParserError(url, "it is not JSON of this service") from error
        if not isinstance(found, dict):
            raise ResponseParserError(url, "it is no JSON object")
        return {**found, "ResponseMetadata": metadata}

    def _refused(self, answer: Answer, operation: str, metadata: Shape) -> CallRefused:
        told = _told(answer, self._decoder.decode)
        code = str(told.pop("__type", None) or answer.status).partition(":")[0].rpartition("#")[2]
        message = told.get("message") or told.get("Message") or ""
        response = {**told, "Error": {"Message": message, "Code": code}, "ResponseMetadata": metadata}
        return self._refusals.get(code, CallRefused)(response, operation)


def _told(answer: Answer, decode: Callable[[str], Any]) -> Shape:
    """Return what an error says; of what stands between us and the service it may be anything."""
    text = answer.body.decode(errors="replace")
    try:
        found = decode(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found:
        return found
    page = not text or text.lstrip().lower().startswith(("<html", "<!doctype"))
    return {"message": responses.get(answer.status, "") if page else text}


def _metadata(answer: Answer, retries: int) -> Shape:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    named = {"RequestId": headers[REQUEST_ID]} if REQUEST_ID in headers else {}
    return {**named, "HTTPStatusCode": answer.status, "HTTPHeaders": headers, "RetryAttempts": retries}


def _is_whole(answer: Answer) -> bool:
    checksum = answer.headers.get(CHECKSUM)
    return checksum is None or checksum == str(zlib.crc32(answer.body))
