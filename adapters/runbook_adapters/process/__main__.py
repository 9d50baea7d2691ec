"""`python -m runbook_adapters.process`: what people and pipelines do to a local deployment, from a shell.

`run` keeps the master for as long as whoever started it lives: nothing is left behind when that one is killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from runbook_adapters.process.deployment import Server
from runbook_adapters.process.lifecycle import create_deployment, mark_healthy, release, start_master, stop_master
from runbook_engine.errors import RunbookError

LOOK_AGAIN = 0.2  # seconds between two looks at who started us


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; 2 = it cannot be done, and why on standard error."""
    asked = _parser().parse_args(arguments)
    try:
        return _obey(asked)
    except (RunbookError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _obey(asked: argparse.Namespace) -> int:
    folder: Path = asked.folder
    match asked.command:
        case "create":
            server = Server(
                application=asked.application, bind=asked.bind, source=asked.source, ready_path=asked.ready_path
            )
            create_deployment(
                folder,
                namespace=asked.namespace,
                name=asked.name,
                server=server,
                replicas=asked.replicas,
                release=asked.release,
                settings=_pairs(asked.set),
                now=datetime.now(UTC),
            )
        case "run":
            return _run(folder)
        case "stop":
            stop_master(folder)
        case "release":
            release(folder, asked.release, _pairs(asked.set), by=asked.by, now=datetime.now(UTC))
        case _:
            mark_healthy(folder, healthy=not asked.no)
    return 0


def _run(folder: Path) -> int:
    """Start the master, say that it is up, and stop it when asked to or when the parent is gone."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: stopping.append(received))
    parent = os.getppid()
    master = start_master(folder)
    sys.stdout.write(f"running {folder.name}\n")
    sys.stdout.flush()
    try:
        while not stopping and os.getppid() == parent and master.poll() is None:
            time.sleep(LOOK_AGAIN)
    finally:
        stop_master(folder)
    return 0 if stopping else 1


def _pairs(settings: list[str]) -> dict[str, str]:
    pairs = dict(setting.partition("=")[::2] for setting in settings)
    if "" in pairs:
        raise ValueError("a setting is NAME=VALUE")
    return pairs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runbook_adapters.process", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a folder a deployment")
    create.add_argument("--namespace", default="apps")
    create.add_argument("--name", required=True)
    create.add_argument("--application", required=True, help="module:callable")
    create.add_argument("--source", required=True, help="the folder that the application is imported from")
    create.add_argument("--bind", required=True, help="host:port")
    create.add_argument("--replicas", type=int, default=2, help="how many workers")
    create.add_argument("--ready-path", default="", help="asked over HTTP when workers are counted")
    run = commands.add_parser("run", help="keep its gunicorn master while the caller lives")
    stop = commands.add_parser("stop", help="stop its master")
    new = commands.add_parser("release", help="release new settings, as a person or a pipeline does")
    new.add_argument("--by", default="somebody")
    healthy = commands.add_parser("healthy", help="record that the present release is healthy")
    healthy.add_argument("--no", action="store_true", help="record that it is not")
    for command in (create, new):
        command.add_argument("--release", required=command is new, default="r1", help="the release's name")
        command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    for command in (create, run, stop, new, healthy):
        command.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
