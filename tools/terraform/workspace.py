"""The Terraform folders of a tree, and the commands that judge each, with a pretended provider or the real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.terraform.provider import serve
from tools.terraform.schema import load_schemas

QUIET = {
    "GOGC": "800",  # short runs of a program that makes much garbage: a third less time for some memory
    "CHECKPOINT_DISABLE": "1",
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "TF_REGISTRY_CLIENT_TIMEOUT": "5",  # who has no network learns it soon
    "TF_REGISTRY_DISCOVERY_RETRY": "0",
}

PROBE = """terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28.0"
    }
  }
}
"""


def find_folders(root: Path) -> list[Path]:
    """Return every folder below a root that holds a Terraform configuration."""
    folders = {path.parent for path in root.rglob("*.tf") if ".terraform" not in path.parts}
    return sorted(folders)


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    output: str
    complaint: str

    @property
    def text(self) -> str:
        """Return all of it, for people."""
        return self.output + self.complaint


@dataclass(frozen=True)
class Terraform:
    """Terraform with an environment of its own; nothing that it writes lands in the tree."""

    program: Path
    environment: Mapping[str, str]
    scratch: Path
    pretended: bool = True

    def run(self, folder: Path, *arguments: str) -> Said:
        """Run one command in a folder."""
        place = self.scratch / str(folder.resolve()).replace(os.sep, "_")
        command = [str(self.program), *arguments, "-no-color"]
        environment = {**_inherited(), **QUIET, **self.environment, "TF_DATA_DIR": str(place)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return Said(done.returncode, done.stdout, done.stderr)

    def judge(self, folder: Path) -> Iterator[tuple[str, Said]]:
        """Yield init, validate and, where there are tests, test; no further than the first that fails."""
        commands: list[tuple[str, ...]] = [("init", "-backend=false"), ("validate",)]
        if (folder / "tests").is_dir():
            commands.append(("test",))
        for name, *options in commands:
            said = self.run(folder, name, *options)
            yield name, said
            if said.code:
                return

    def apply(
        self, root: Path, folder: Path, variables: Mapping[str, Any], *, example: Path | None = None
    ) -> dict[str, Any]:
        """Pretend to apply a folder of a tree, on a copy with local state, and return the state as JSON tells it.

        The variables are those of an example file, where one is given, and over them those that are named here.
        """
        assert self.pretended, "a check must not create anything"
        with tempfile.TemporaryDirectory(dir=self.scratch) as place:
            copy = copy_tree(root, Path(place, "tree")) / folder.relative_to(root)
            (copy / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n', encoding="utf-8")
            if example:
                shutil.copy(example, copy / "example.auto.tfvars")  # read before the next one: e comes before g
            (copy / "given.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")
            for command in (("init",), ("apply", "-auto-approve", "-lock=false"), ("show", "-json")):
                said = self.run(copy, *command)
                assert said.code == 0, said.text
            state: dict[str, Any] = json.loads(said.output)
            return state


def copy_tree(root: Path, place: Path) -> Path:
    """Copy a tree of configurations without what commands left in it; return where the copy is."""
    left = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfvars", "*.tfvars.json")
    return shutil.copytree(root, place, ignore=left)


def _inherited() -> dict[str, str]:
    """Return our environment without what would change how Terraform behaves; a mirror that is set up stays."""
    missing = not Path(os.environ.get("TF_CLI_CONFIG_FILE", os.sep)).exists()
    dropped = {"TF_CLI_CONFIG_FILE"} if missing else set()
    return {key: value for key, value in os.environ.items() if key not in dropped and not key.startswith("TF_VAR_")}


@contextmanager
def pretending(program: Path) -> Iterator[Terraform]:
    """Yield a Terraform whose providers only pretend."""
    with tempfile.TemporaryDirectory() as place, serve(load_schemas(), Path(place)) as environment:
        yield Terraform(program, environment, Path(place))


@contextmanager
def real(program: Path) -> Iterator[Terraform | None]:
    """Yield a Terraform that fetches the real providers, once for all folders; None where they cannot be had."""
    with tempfile.TemporaryDirectory() as place:
        cache, probe = Path(place, "plugins"), Path(place, "probe")
        cache.mkdir()
        probe.mkdir()
        (probe / "main.tf").write_text(PROBE, encoding="utf-8")
        environment = {
            "TF_PLUGIN_CACHE_DIR": str(cache),
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "true",
        }
        terraform = Terraform(program, environment, Path(place), pretended=False)
        yield terraform if terraform.run(probe, "init").code == 0 else None


def unformatted(program: Path, folders: Sequence[Path]) -> list[str]:
    """Return the files that `terraform fmt` would change."""
    command = [str(program), "fmt", "-check", "-recursive", *map(str, folders)]
    done = subprocess.run(command, env={**_inherited(), **QUIET}, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line]
