"""Belonging: which service a function is of, and what else deploys it, as its tags say."""

from __future__ import annotations

from collections.abc import Mapping

SERVICE = ("app.kubernetes.io/name", "service")
STACK = "aws:cloudformation:stack-name"
SAID_BY = ("managed-by", "managed_by", "managedby", "app.kubernetes.io/managed-by", "provisioner", "iac")
FLAGS = ("terraform", "opentofu", "pulumi")  # tags of these names that say true
DEPLOYERS = (*FLAGS, "cdk", "serverless", "cloudformation", "sam")


def service_of(tags: Mapping[str, str]) -> str:
    """Return the service that the tags name, empty when they name none."""
    return next((tags[key] for key in SERVICE if tags.get(key)), "")


def managed_by(tags: Mapping[str, str]) -> str:
    """Return what deploys the function besides us, as in `terraform`; empty when no tag says so."""
    if tags.get(STACK):
        return f"CloudFormation stack {tags[STACK]}"
    said = {key.lower(): value.strip().lower() for key, value in tags.items()}
    for key in SAID_BY:
        deployer = next((each for each in DEPLOYERS if each in said.get(key, "")), "")
        if deployer:
            return deployer
    return next((flag for flag in FLAGS if said.get(flag) in ("true", "yes", "1")), "")
