"""gunicorn's configuration, from the environment: BIND, WORKERS, THREADS, GRACEFUL_TIMEOUT, PROMETHEUS_MULTIPROC_DIR.

The file is read again on HUP, so what it sets stays the same then: the metrics folder is chosen once for the master.
"""

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OWN_FOLDER = Path(tempfile.gettempdir(), f"checkout-metrics-{os.getpid()}")
metrics_folder = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(OWN_FOLDER)))
sys.path.insert(0, str(HERE))  # gunicorn reads this file before it enters the folder

# The client library decides at import, by the variable above, whether figures are shared between processes.
from prometheus_client import multiprocess  # noqa: E402

from settings import InvalidSetting, read_settings  # noqa: E402

bind = os.environ.get("BIND", "127.0.0.1:8080")
workers = int(os.environ.get("WORKERS", "2"))
threads = int(os.environ.get("THREADS", "4"))
worker_class = "gthread"
graceful_timeout = int(os.environ.get("GRACEFUL_TIMEOUT", "20"))
chdir = str(HERE)
wsgi_app = "wsgi:app"
control_socket_disable = True  # its one path for each user would be shared by every gunicorn of this machine
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in ("checkout", "gunicorn.error")
    },
}


def on_starting(server: Any) -> None:
    """Refuse a bad setting before any worker starts, and begin with an empty metrics folder."""
    try:
        read_settings(os.environ)
    except InvalidSetting as error:
        logging.getLogger("checkout").critical("cannot_start", extra={"reason": str(error)})
        raise SystemExit(3) from error
    metrics_folder.mkdir(parents=True, exist_ok=True)
    for left_over in metrics_folder.glob("*.db"):  # figures of an earlier master are not ours
        left_over.unlink()


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone; its counters stay in the sum."""
    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Leave no folder of our own making behind."""
    shutil.rmtree(OWN_FOLDER, ignore_errors=True)
