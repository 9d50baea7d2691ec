"""What is written in the folders of Terraform, read once: reading it is slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.terraform.state import CONFIGURATIONS
from tools.terraform.checker import Checker, Folder
from tools.terraform.schema import load_schemas, merge_schemas
from tools.terraform.workspace import find_folders

Survey = Mapping[str, list[str]]


def survey_configurations() -> Survey:
    """Return the findings of the checker, what is not described, who has a provider, and which logs never end."""
    checker, paths = Checker(merge_schemas(load_schemas().values())), find_folders(CONFIGURATIONS)
    folders = [checker.folder(path) for path in paths]
    return {
        "findings": [finding for path in paths for finding in checker.check(path)],
        "undescribed": [f"{_name(folder.path)}: {label}" for folder in folders for label in _undescribed(folder)],
        "providers": [
            _name(folder.path) for folder in folders if any("provider" in content for _, content in folder.files)
        ],
        "endless": [f"{_name(folder.path)}: {group}" for folder in folders for group in _endless(folder)],
    }


def _undescribed(folder: Folder) -> Iterator[str]:
    for kind in ("var", "output"):
        for label, body in folder.declared[kind].items():
            if not body.get("description") or (kind == "var" and "type" not in body):
                yield label


def _endless(folder: Folder) -> Iterator[str]:
    for group, settings in _groups(folder).items():
        if str(settings.get("retention_in_days", "0")).strip('"') in {"", "0"}:
            yield group


def _groups(folder: Folder) -> Mapping[str, Mapping[str, Any]]:
    return folder.typed["resource"].get("aws_cloudwatch_log_group", {})


def _name(path: Path) -> str:
    return str(path.relative_to(CONFIGURATIONS))
