"""What a gunicorn master of ours says about itself: copied into each generated gunicorn.conf.py.

It stands on gunicorn and the standard library alone, since the service's own environment need not hold this
package. The two names below are set again at the end of the generated file. The master holds a lock on its pid file
as long as it lives: a pid that was taken over by a stranger is never signalled. Every worker leaves an empty file
named generation-pid once its application is loaded, and the master removes it when it has reaped the worker.
Once the master runs, a full disk must not end it: what cannot be written is not counted.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import gunicorn

FOLDER = "."
GENERATION = 0


def on_starting(_server: Any) -> None:
    """Refuse a gunicorn that loses requests when it reloads, and a folder that another master serves."""
    if gunicorn.version_info[0] < 27:
        raise SystemExit(f"gunicorn {gunicorn.__version__} resets connections when it reloads; install 27 or newer")
    if _is_locked(Path(FOLDER, "master.pid")):
        raise SystemExit(f"another gunicorn master serves {FOLDER}; stop it first")


def when_ready(_server: Any) -> None:
    """Signals are handled from here on: forget the workers of an earlier life, then say who we are.

    The file is locked before it gets its name, so that a locked file always holds the pid of its owner.
    """
    marks = Path(FOLDER, "workers")
    marks.mkdir(exist_ok=True)
    for mark in marks.iterdir():
        mark.unlink()
    _write("observed", str(GENERATION))
    temporary = Path(FOLDER, f".master.pid.{os.getpid()}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o600)  # stays open, and locked, for life
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    temporary.replace(Path(FOLDER, "master.pid"))


def on_reload(_server: Any) -> None:
    """The configuration was read again; workers started from now on belong to it."""
    with suppress(OSError):
        _write("observed", str(GENERATION))


def post_worker_init(worker: Any) -> None:
    """The application is loaded: this worker counts."""
    with suppress(OSError):
        Path(FOLDER, "workers", f"{GENERATION}-{worker.pid}").touch()


def child_exit(_server: Any, worker: Any) -> None:
    """The master has reaped this worker, however it died."""
    with suppress(OSError):
        for mark in Path(FOLDER, "workers").glob(f"*-{worker.pid}"):
            mark.unlink()
        for gauge in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
            gauge.unlink()


def _write(name: str, text: str) -> None:
    temporary = Path(FOLDER, f".{name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(Path(FOLDER, name))


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
