"""A leash: runs one command for as long as the process that asked for it lives.

A demo that is killed outright can stop nothing any more, and neither Prometheus nor the local runner looks after
whoever started it. This file is run by its path, with nothing of the engine imported, so a leash costs a few
milliseconds.
"""

import os
import signal
import subprocess
import sys
import time

LOOK_AGAIN = 0.2  # seconds between two looks at who started us
GRACE = 10.0  # seconds


def main(parent: int, command: list[str]) -> int:
    """Return the command's own exit code; end it, and its whole process group, when the parent is gone."""
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # the command is in this group, and is told as well
    child = subprocess.Popen(command)
    while os.getppid() == parent:
        try:
            return child.wait(LOOK_AGAIN)
        except subprocess.TimeoutExpired:
            continue
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + GRACE
    while child.poll() is None and time.monotonic() < end:
        time.sleep(LOOK_AGAIN)
    os.killpg(0, signal.SIGKILL)  # this process too
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
