"""Logs as JSON lines: an event and its fields, no prose."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One record, one line of JSON; what a caller passes as `extra` becomes fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line."""
        fields = {name: value for name, value in record.__dict__.items() if name not in STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def build_logger(stream: TextIO) -> logging.Logger:
    """Return the service's logger, writing JSON lines to the stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("checkout")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
