"""The WSGI callable for a server: the service with the environment of this process and JSON logs on standard error."""

import sys

from app import create_app
from logs import build_logger
from settings import InvalidSetting

BOOT_ERROR = 3  # gunicorn's own: the master stops instead of starting the same worker for ever

logger = build_logger(sys.stderr)
try:
    app = create_app()
except InvalidSetting as error:
    logger.critical("cannot_start", extra={"reason": str(error)})
    raise SystemExit(BOOT_ERROR) from error
