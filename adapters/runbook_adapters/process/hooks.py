"""What a gunicorn master of ours says about itself: copied into each generated gunicorn.conf.py.

It stands on the standard library alone, since the service's own environment need not hold this package. The
two names below are set again at the end of the generated file. The master holds a lock on its pid file as long
as it lives: a pid that was taken over by a stranger is never signalled. Every worker leaves an empty file
named generation-pid once its application is loaded, and the master removes it when it has reaped the worker.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

FOLDER = "."
GENERATION = 0


def when_ready(_server: Any) -> None:
    """Signals are handled from here on: say so, and forget the workers of an earlier life."""
    marks = Path(FOLDER, "workers")
    marks.mkdir(exist_ok=True)
    for mark in marks.iterdir():
        mark.unlink()
    _write("observed", str(GENERATION))
    descriptor = os.open(Path(FOLDER, "master.pid"), os.O_RDWR | os.O_CREAT, 0o600)  # open, and locked, for life
    _lock(descriptor)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def on_reload(_server: Any) -> None:
    """The configuration was read again; workers started from now on belong to it."""
    _write("observed", str(GENERATION))


def post_worker_init(worker: Any) -> None:
    """The application is loaded: this worker counts."""
    Path(FOLDER, "workers", f"{GENERATION}-{worker.pid}").touch()


def child_exit(_server: Any, worker: Any) -> None:
    """The master has reaped this worker, however it died."""
    for mark in Path(FOLDER, "workers").glob(f"*-{worker.pid}"):
        mark.unlink(missing_ok=True)
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        for gauge in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
            gauge.unlink(missing_ok=True)


def _write(name: str, text: str) -> None:
    temporary = Path(FOLDER, f".{name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(Path(FOLDER, name))


def _lock(descriptor: int) -> None:
    """Take the lock; whoever asks whether it is held holds it for an instant, so a refusal is asked again."""
    deadline = time.monotonic() + 2
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                raise SystemExit(f"another gunicorn master serves {FOLDER}; stop it first") from None
            time.sleep(0.01)
        else:
            return
