"""A rig for scripts: a copy of the repository's, and programs that note how they were called and answer as told.

Nothing else is on PATH than what the rig puts there, so a script that calls something it did not ask for fails.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = (
    "bash", "basename", "cat", "date", "dirname", "env", "grep", "head", "mktemp", "mv", "rm", "sed", "sort", "tail",
    "tr",
)  # fmt: skip
PROGRAMS = ("aws", "helm", "kubectl", "make", "terraform", "runbook")
ACCOUNT = "123456789012"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/platform/ana"

# Pattern of the whole command (as of `case`) -> what it prints, and its exit code. The first that fits is taken.
Answers = Sequence[tuple[str, str, int]]
USUAL: Answers = (
    ("aws sts get-caller-identity*", f"{ACCOUNT}\t{CALLER}", 0),
    ("aws iam get-role*", f"arn:aws:iam::{ACCOUNT}:role/people/platform", 0),
    ("aws s3api head-bucket*", "", 0),
    ("aws eks describe-cluster*", "ACTIVE", 0),
    ("terraform version*", "Terraform v1.11.4", 0),
    ("terraform * output -raw vpc_id*", "vpc-1", 0),
    ("terraform * output -raw external_dns_enabled*", "true", 0),
    ("terraform * output -json engine_network*", '{"vpc_id":"vpc-1"}', 0),
    ("terraform * output -json*", "", 1),
    ("runbook permissions*", "kind: ClusterRole", 0),
)


@dataclass(frozen=True)
class Said:
    """What a script said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Rig:
    """A folder with the scripts, and the programs around them."""

    folder: Path
    answers: list[tuple[str, str, int]] = field(default_factory=lambda: list(USUAL))
    programs: tuple[str, ...] = PROGRAMS
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out the folder."""
        shutil.copytree(ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for stack in ("bootstrap", "cluster", "pipeline"):
            (self.root / "terraform" / "stacks" / stack).mkdir(parents=True)
        (self.root / "helm" / "runbook-engine").mkdir(parents=True)
        (self.root / "runbooks").mkdir()
        (self.root / "runbooks" / "engine.yaml").touch()

    @property
    def root(self) -> Path:
        """The folder that stands for the repository."""
        return self.folder / "repository"

    @property
    def stacks(self) -> Path:
        """Where its Terraform stacks are."""
        return self.root / "terraform" / "stacks"

    @property
    def calls(self) -> list[str]:
        """Every call of a program, in order."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def changes(self) -> list[str]:
        """The calls that change something, shortened to what they do."""
        return [short for call in self.calls if (short := _shortened(call))]

    def answer(self, pattern: str, output: str = "", code: int = 0) -> None:
        """Let the commands that fit answer so from now on."""
        self.answers.insert(0, (pattern, output, code))

    def forget(self) -> None:
        """Forget the calls so far."""
        (self.folder / "calls").unlink(missing_ok=True)

    def run(self, script: str, *arguments: str, typed: str | None = None) -> Said:
        """Run a script of the copy; standard input is no terminal."""
        environment = {"PATH": str(self._path()), "HOME": str(self.folder), "RUNBOOK": "runbook", **self.environment}
        done = subprocess.run(
            ["bash", str(self.root / "scripts" / script), *arguments],
            cwd=self.folder,
            env=environment,
            input=typed or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def digest(self) -> str:
        """What the folder holds, to compare."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()

    def _path(self) -> Path:
        folder = self.folder / "bin"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for tool in (*TOOLS, *(("jq",) if shutil.which("jq") else ())):
            found = shutil.which(tool)
            assert found is not None, f"{tool} belongs to every system that runs these scripts"
            (folder / tool).symlink_to(found)
        for program in self.programs:
            (folder / program).write_text(self._stub(program))
            (folder / program).chmod(0o755)
        return folder

    def _stub(self, program: str) -> str:
        cases = "\n".join(
            f"  {_as_pattern(pattern)}) {_speak(output, code)}; exit {code} ;;"
            for pattern, output, code in self.answers
        )
        log = shlex.quote(str(self.folder / "calls"))
        return f'#!/bin/sh\ncall="{program} $*"\nprintf "%s\\n" "$call" >>{log}\ncase $call in\n{cases}\nesac\nexit 0\n'


def _as_pattern(pattern: str) -> str:
    return "*".join(shlex.quote(part) if part else "" for part in pattern.split("*"))


def _speak(output: str, code: int) -> str:
    return f"printf '%s\\n' {shlex.quote(output)}{' >&2' if code else ''}" if output else ":"


def _shortened(call: str) -> str:
    """Return what a changing call does, without its settings: 'terraform cluster apply'; nothing for one that reads."""
    words = call.split()
    match words:
        case ["terraform", chdir, "init" | "apply" | "destroy" as verb, *rest]:
            also = " (migrate)" if "-migrate-state" in rest else ""
            return f"terraform {chdir.rpartition('/')[2]} {verb}{also}"
        case ["helm", "--kube-context", _, "upgrade", "--install", release, *_]:
            return f"helm install {release}"
        case ["helm", "--kube-context", _, "uninstall", release, *_]:
            return f"helm uninstall {release}"
        case ["kubectl", "--context", _, "get", *_] | ["kubectl", "--context", _, "--namespace", _, "get", *_]:
            return ""
        case ["kubectl", "--context", _, verb, *rest]:
            return f"kubectl {verb} {rest[0]}"
        case ["make", target]:
            return f"make {target}"
        case ["aws", "eks", "update-kubeconfig", *_]:
            return "aws eks update-kubeconfig"
        case ["aws", "events", "put-events", *_]:
            return "aws events put-events"
        case _:
            return ""
