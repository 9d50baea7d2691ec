"""The command line of the checks: `gate` judges every folder, `check` only reads, `extract` and `trim` make schemas."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tools.terraform.checker import Checker
from tools.terraform.extraction import extract_schema
from tools.terraform.schema import load_schema, load_schemas, merge_schemas, save_schema, trim, used_types
from tools.terraform.workspace import Terraform, copy_tree, find_folders, pretending, real, unformatted

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATIONS = ROOT / "terraform"


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    given = parser().parse_args(arguments)
    match given.command:
        case "gate":
            return gate([path.resolve() for path in given.folders], provider=given.provider)
        case "check":
            return check(given.folders or find_folders(CONFIGURATIONS))
        case "extract":
            save_schema(extract_schema(given.wheel), given.out)
        case "trim":
            save_schema(trim(load_schema(given.full), used_types(CONFIGURATIONS)), given.out)
        case _:
            raise AssertionError(given.command)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(prog="terraform", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    judged = commands.add_parser("gate", help="fmt -check, init, validate and test of every folder")
    judged.add_argument("--provider", choices=("auto", "pretended", "real"), default="auto")
    judged.add_argument("folders", nargs="*", type=Path)
    read = commands.add_parser("check", help="compare the files with the schema, without Terraform")
    read.add_argument("folders", nargs="*", type=Path)
    extracted = commands.add_parser("extract", help="read a provider's whole schema from its bindings")
    extracted.add_argument("wheel", type=Path)
    extracted.add_argument("out", type=Path)
    trimmed = commands.add_parser("trim", help="keep the types of a schema that terraform/ uses")
    trimmed.add_argument("full", type=Path)
    trimmed.add_argument("out", type=Path)
    return parser


def check(folders: Sequence[Path]) -> int:
    """Print what the reader finds; return 1 when it found anything."""
    checker = Checker(merge_schemas(load_schemas().values()))
    findings = [sentence for folder in folders for sentence in checker.check(folder)]
    say("\n".join([*findings, f"terraform: {len(folders)} folders read, {len(findings)} findings"]))
    return 1 if findings else 0


def gate(folders: Sequence[Path], *, provider: str) -> int:
    """Judge the folders, or all there are, with the real provider where it can be had; return the exit code."""
    program = shutil.which("terraform", path=str(ROOT / ".tools")) or shutil.which("terraform")
    if program is None:
        say("terraform: there is no terraform (install 1.11 or newer onto PATH)")
        return 1
    if files := unformatted(Path(program), folders or [CONFIGURATIONS]):
        say("\n".join(["terraform: these files are not formatted (terraform fmt -recursive):", *files]))
        return 1
    with ExitStack() as stack:
        terraform = stack.enter_context(real(Path(program))) if provider in {"auto", "real"} else None
        if terraform is None and provider == "real":
            say("terraform: the provider cannot be fetched (without --provider real one that pretends is used)")
            return 1
        root = CONFIGURATIONS
        if terraform:  # the real provider writes lock files beside the configuration
            root = copy_tree(CONFIGURATIONS, Path(stack.enter_context(tempfile.TemporaryDirectory()), "terraform"))
            folders = [root / folder.relative_to(CONFIGURATIONS) for folder in folders]
        else:
            terraform = stack.enter_context(pretending(Path(program)))
        return judge(terraform, root, folders or find_folders(root))


def judge(terraform: Terraform, root: Path, folders: Sequence[Path]) -> int:
    """Print one line a folder, and what Terraform said where it failed; return the exit code."""
    say(f"terraform: {'the provider pretends' if terraform.pretended else 'with the real provider'}")
    with ThreadPoolExecutor(2) as pool:
        failures = list(pool.map(lambda folder: report(terraform, root, folder), folders))
    say(f"terraform: {len(folders)} folders, {sum(failures)} failed")
    return 1 if any(failures) else 0


def report(terraform: Terraform, root: Path, folder: Path) -> bool:
    """Judge one folder and print how it went; return whether it failed."""
    begun, failed = time.monotonic(), ""
    for command, said in terraform.judge(folder):
        failed = f"{command} failed\n{said.text}" if said.code else ""
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    say(f"terraform: {shown} {failed or f'ok ({time.monotonic() - begun:.1f} s)'}")
    return bool(failed)


def say(text: str) -> None:
    """Print at once: folders are judged side by side."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
