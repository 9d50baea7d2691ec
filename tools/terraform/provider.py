"""A provider that only pretends: it serves a real provider's schema over plugin protocol 6 and creates nothing.

With it the real `terraform init | validate | test | plan | apply` run without network, credentials or provider binary.
What it cannot tell: the value rules that live in a provider's code (regular expressions, arguments that exclude each
other). Terraform finds it through TF_REATTACH_PROVIDERS, so nothing is installed and no lock file is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import msgpack  # type: ignore[import-untyped]
from tf.gen import tfplugin_pb2 as messages  # type: ignore[import-untyped]
from tf.gen import tfplugin_pb2_grpc as services

from tools.terraform.schema import Schema
from tools.terraform.values import text_value

Block = Mapping[str, Any]
Nesting = messages.Schema.NestedBlock.NestingMode

PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
NESTINGS = {"list": Nesting.LIST, "set": Nesting.SET, "map": Nesting.MAP}
UNKNOWN = msgpack.ExtType(0, b"\x00")
ROOMY = [("grpc.max_send_message_length", 1 << 28), ("grpc.max_receive_message_length", 1 << 28)]

# What may stand in a `provider` block; the extracted schemas hold resources only. A mapping is a nested block.
SETTINGS: dict[str, dict[str, Any]] = {
    "aws": {
        **dict.fromkeys(("access_key", "secret_key", "token", "region", "profile"), "string"),
        **{name: ["set", "string"] for name in ("allowed_account_ids", "forbidden_account_ids")},
        **dict.fromkeys(
            ("skip_credentials_validation", "skip_requesting_account_id", "skip_metadata_api_check"), "bool"
        ),
        "default_tags": {"tags": ["map", "string"]},
        "assume_role": {"role_arn": "string", "session_name": "string", "external_id": "string"},
    },
    "kubernetes": {
        **dict.fromkeys(("host", "cluster_ca_certificate", "token", "config_path", "config_context"), "string"),
        "exec": {
            "api_version": "string",
            "command": "string",
            "args": ["list", "string"],
            "env": ["map", "string"],
        },
    },
}


def type_of(attribute: Block) -> Any:
    """Return the type of an attribute in Terraform's own JSON notation."""
    if attribute.get("type") == "object" or "blocks" in attribute:
        fields = {**attribute["attributes"], **attribute["blocks"]}
        fielded = ["object", {name: type_of(field) for name, field in fields.items()}]
        nesting = attribute.get("nesting")
        return [nesting, fielded] if nesting in NESTINGS else fielded
    base, wraps = attribute.get("type") or "any", []
    while base.endswith(("List", "Map")):
        if base.endswith("Map"):
            base = base.removesuffix("Map")
            wraps.append("map")
        else:
            base = base.removesuffix("List")
            wraps.append("set" if attribute.get("nesting") == "set" and not wraps else "list")
    kind: Any = PRIMITIVES.get(base, "dynamic")
    for wrap in reversed(wraps):
        kind = [wrap, kind]
    return kind


def block_message(block: Block, *, in_set: bool = False) -> messages.Schema.Block:
    """Return a block of the schema as the protocol spells it."""
    message = messages.Schema.Block()
    for name, attribute in block["attributes"].items():
        kind = json.dumps(type_of(attribute))
        if in_set:  # Terraform refuses dynamic types inside a set
            kind = kind.replace('"dynamic"', '"string"')
        flags = {flag: attribute[flag] for flag in ("required", "optional", "computed")}
        message.attributes.add(name=name, type=kind.encode(), **flags)
    for name, inner in block["blocks"].items():
        nesting = NESTINGS.get(inner["nesting"], Nesting.SINGLE)
        repeats = nesting in (Nesting.LIST, Nesting.SET)
        message.block_types.add(
            type_name=name,
            block=block_message(inner, in_set=in_set or nesting == Nesting.SET),
            nesting=nesting,
            min_items=1 if inner["required"] and repeats else 0,
            max_items=1 if inner["single"] and repeats else 0,
        )
    return message


def settings_message(settings: Mapping[str, Any]) -> messages.Schema.Block:
    """Return the schema of a `provider` block."""
    message = messages.Schema.Block()
    for name, kind in settings.items():
        if isinstance(kind, dict):
            message.block_types.add(type_name=name, block=settings_message(kind), nesting=Nesting.LIST)
        else:
            message.attributes.add(name=name, type=json.dumps(kind).encode(), optional=True)
    return message


def fill(values: dict[str, Any], block: Block, kind: str, *, known: bool) -> dict[str, Any]:
    """Return the values with those that a provider computes: unknown in a plan, made up when applied or read."""
    for name, attribute in block["attributes"].items():
        given = values.get(name)
        if attribute["computed"] and (given is None or isinstance(given, msgpack.ExtType)):
            values[name] = _made_up(kind, name, type_of(attribute), values) if known else UNKNOWN
    for name, inner in block["blocks"].items():
        within = values.get(name)
        for each in within if isinstance(within, list) else [within] if isinstance(within, dict) else ():
            fill(each, inner, kind, known=known)
    return values


def _made_up(kind: str, name: str, of_type: Any, values: Mapping[str, Any]) -> Any:
    if of_type == "string":
        return text_value(kind, name, values)
    simple: dict[str, Any] = {"number": 0, "bool": False, "map": {}, "list": [], "set": []}
    return simple.get(of_type if isinstance(of_type, str) else of_type[0])


def load(value: messages.DynamicValue) -> Any:
    """Return what Terraform sent."""
    return msgpack.unpackb(value.msgpack, strict_map_key=False) if value.msgpack else None


def dump(value: Any) -> messages.DynamicValue:
    """Return a value as Terraform reads it."""
    return messages.DynamicValue(msgpack=msgpack.packb(value))


class PretendedProvider(services.ProviderServicer):  # type: ignore[misc]  # generated code without types
    """Answers every call of the protocol that a plan and its apply make. The names are the protocol's."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.name, self.schema = name, schema
        self.described = self._describe()  # once: terraform test asks for it before every run

    def GetMetadata(self, request: Any, context: Any) -> Any:
        """Say that the whole schema must be asked for instead."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        """Return every type."""
        return self.described

    def _describe(self) -> Any:
        return messages.GetProviderSchema.Response(
            provider=messages.Schema(version=0, block=settings_message(SETTINGS.get(self.name, {}))),
            resource_schemas={
                kind: messages.Schema(version=0, block=block_message(block))
                for kind, block in self.schema["resource"].items()
            },
            data_source_schemas={
                kind: messages.Schema(version=0, block=block_message(block))
                for kind, block in self.schema["data"].items()
            },
            server_capabilities=messages.ServerCapabilities(get_provider_schema_optional=True, plan_destroy=True),
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        """Accept it: value rules are not in the schema."""
        return messages.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        """Accept it: value rules are not in the schema."""
        return messages.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        """Accept it: value rules are not in the schema."""
        return messages.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        """Need no credentials."""
        return messages.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        """Keep the state as it is."""
        return messages.UpgradeResourceState.Response(upgraded_state=dump(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: Any) -> Any:
        """Find every resource unchanged."""
        return messages.ReadResource.Response(new_state=request.current_state)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        """Answer with made-up values."""
        kind = request.type_name
        values = fill(load(request.config), self.schema["data"][kind], kind, known=True)
        return messages.ReadDataSource.Response(state=dump(values))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        """Plan what is wished."""
        values = load(request.proposed_new_state)
        if values is not None:
            values = fill(values, self.schema["resource"][request.type_name], request.type_name, known=False)
        return messages.PlanResourceChange.Response(planned_state=dump(values))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        """Say that it is done."""
        values = load(request.planned_state)
        if values is not None:
            values = fill(values, self.schema["resource"][request.type_name], request.type_name, known=True)
        return messages.ApplyResourceChange.Response(new_state=dump(values))

    def GetFunctions(self, request: Any, context: Any) -> Any:
        """Offer none."""
        return messages.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        """Stay: the next command uses the same process."""
        return messages.StopProvider.Response()


@contextmanager
def serve(schemas: Mapping[str, Schema], folder: Path) -> Iterator[dict[str, str]]:
    """Serve every schema on a socket in a folder; yield the environment with which Terraform finds them."""
    server_of = {name: grpc.server(futures.ThreadPoolExecutor(8), options=ROOMY) for name in schemas}
    attached = {}
    try:
        for name, server in server_of.items():
            services.add_ProviderServicer_to_server(PretendedProvider(name, schemas[name]), server)
            socket = folder / f"{name}.sock"
            server.add_insecure_port(f"unix://{socket}")  # only who may enter the folder reaches it
            server.start()
            attached[f"hashicorp/{name}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "unix", "String": str(socket)},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attached)}
    finally:
        for server in server_of.values():
            server.stop(None).wait(5)
