"""A function over moto with three published versions and an alias on the newest, behind its adapter."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from runbook_adapters.lambda_function import ADAPTER
from runbook_engine.model.target import Target
from runbook_engine.ports import FunctionReader, FunctionWriter, SettingReader, SettingWriter
from tests.contract.functions.bed import Bed

NAME = "orders"


class LambdaRig:
    """The adapter `lambda` over moto; `client` is what somebody else would do with the function."""

    key, text, absent = "env:/FAIL_MODE", "off", "env:/ABSENT"

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.client = bed.other("lambda")
        self.arn = self._create()
        self.target = Target("function", "", "", f"{NAME}:live")
        self.function = Target("function", "", "", NAME)
        functions, settings = self.bed.serve(ADAPTER, "functions"), self.bed.serve(ADAPTER, "settings")
        self.reader: FunctionReader = functions.reader
        self.writer: FunctionWriter = functions.writer
        self.setting_reader: SettingReader = settings.reader
        self.setting_writer: SettingWriter = settings.writer
        self.touching = bed.touching("lambda")
        self.looking = bed.looking("lambda")

    def settle(self) -> None:
        """Nothing of moto takes time."""

    def alias(self) -> dict[str, Any]:
        """What AWS itself says of the alias."""
        found: dict[str, Any] = self.client.get_alias(FunctionName=NAME, Name="live")
        return found

    def environment(self) -> dict[str, str]:
        """What AWS itself says of the environment."""
        found = self.client.get_function_configuration(FunctionName=NAME)
        return dict(found.get("Environment", {}).get("Variables", {}))

    def release(self, body: str, description: str = "") -> int:
        """Publish another version, and return its number."""
        self.client.update_function_code(FunctionName=NAME, ZipFile=_zip(body))
        return int(self.client.publish_version(FunctionName=NAME, Description=description)["Version"])

    def _create(self) -> str:
        trust = '{"Version": "2012-10-17", "Statement": []}'
        role = self.bed.other("iam").create_role(RoleName="orders", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        created = self.client.create_function(
            FunctionName=NAME,
            Runtime="python3.13",
            Role=role,
            Handler="main.handler",
            Code={"ZipFile": _zip("first")},
            Environment={"Variables": {"FAIL_MODE": "off", "PASSWORD": "hunter2"}},
            Tags={"app.kubernetes.io/name": "shop", "ManagedBy": "Terraform"},
        )
        self.client.publish_version(FunctionName=NAME, Description="first")
        self.release("second", "second")
        self.release("third", "third")
        self.client.create_alias(FunctionName=NAME, Name="live", FunctionVersion="3")
        return str(created["FunctionArn"])


def _zip(body: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", f"def handler(event, context):\n    return {body!r}\n")
    return buffer.getvalue()
