"""A look from inside of a process that is measured: what is in use, of what the kernel says that it holds.

What an allocator has got, it keeps, in pieces that it lends again. Python imports this module at its start where
`benchmarks soak` puts its folder on the path; it writes once a second what is lent out just then.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
from pathlib import Path

PERIOD = 1.0
FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Lent(ctypes.Structure):
    """The `struct mallinfo2` of glibc 2.33 and later (mallinfo(3))."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def tell(folder: Path) -> None:
    """Write what this process has in use, as long as it lives."""
    look = ctypes.CDLL(None).mallinfo2
    look.restype = Lent
    file = folder / str(os.getpid())
    unfinished = file.with_suffix(".new")
    while folder.is_dir():
        lent = look()
        unfinished.write_text(json.dumps({"lent": lent.uordblks + lent.hblkhd, "blocks": sys.getallocatedblocks()}))
        unfinished.replace(file)
        time.sleep(PERIOD)


def begin() -> None:
    """Tell from a thread of this process."""
    threading.Thread(target=tell, args=(Path(os.environ["BENCH_INSIDE"]),), daemon=True).start()


if "BENCH_INSIDE" in os.environ:
    begin()
    os.register_at_fork(after_in_child=begin)
