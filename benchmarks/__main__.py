"""Run all benchmarks, or those that are named: `python -m benchmarks [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import traceback

import benchmarks
from benchmarks.record import head


def names() -> list[str]:
    """Return the benchmarks there are: every module of the package that has a `run`."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    return [name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "run")]


def main() -> None:
    """Print the figures of the benchmarks that were asked for."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measurements as ratios in one run.")
    parser.add_argument("name", nargs="*", help=f"which to run, all if none is named: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    asked = parser.parse_args()
    unknown = sorted(set(asked.name) - set(known))
    if unknown:
        parser.error(f"no benchmark is named {', '.join(unknown)} (there are: {', '.join(known)})")
    print(f"{head(quick=asked.quick)}\n", flush=True)
    failed = [name for name in asked.name or known if not printed(name, quick=asked.quick)]
    if failed:
        sys.exit(f"no figures of {', '.join(failed)}: see above")


def printed(name: str, *, quick: bool) -> bool:
    """Print the figures of one benchmark; return whether there are any. The others are measured all the same."""
    try:
        figures = importlib.import_module(f"benchmarks.{name}").run(quick=quick)
    except Exception:  # noqa: BLE001 - the edge: said in full, and in the exit code
        traceback.print_exc()
        return False
    print(f"== {name}\n{figures}\n", flush=True)
    return True


if __name__ == "__main__":
    main()
