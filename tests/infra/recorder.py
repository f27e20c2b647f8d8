"""Runs the Pulumi program without an engine and records every resource it declares.

A mocked AWS answers with the outputs that the real provider would compute, because an output that a mock leaves out
turns into None and the input that depends on it silently vanishes.
"""

import asyncio
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

from infra.capacity import KnownRun
from infra.endpoint_actions import Move
from infra.folder import Folder

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ARNS = {
    "cloudwatch/metricAlarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{name}}",
    "iam/role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "kms/key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "sns/topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
}
"""Of the types whose ARN the API model checks where it is used."""


@dataclass(kw_only=True)
class Declared:
    """One resource as the engine would see it."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str = ""
    protect: bool = False
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    ignore_changes: list[str] = field(default_factory=list)
    replacement_trigger: str = ""
    depends_on: list[str] = field(default_factory=list)


class FakeActions:
    """The program's API calls, answered at once; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.moves: list[Move] = []
        self.running = 0
        self.approved = True
        self.known: list[KnownRun] = []

    def known_runs(self, prefix: str, contents: Collection[str]) -> list[KnownRun]:
        return [run for run in self.known if run.content in contents]

    async def uploaded_folder(self, folder: Folder, bucket: str, resource: pulumi.Resource | None) -> str:
        self.asked.append(("upload", folder.sha256))
        return f"s3://{bucket}/{folder.prefix}files/"

    async def built_image(self, uri: str, project: str, resource: pulumi.Resource) -> str:
        self.asked.append(("build", project))
        return uri

    async def trained_model(self, job: str, resource: pulumi.Resource) -> str:
        self.asked.append(("train", job))
        return f"s3://trained/{job}/model.tar.gz"

    async def tuned_model(self, job: str, *, wait: bool) -> tuple[str, str]:
        self.asked.append(("tune", job))
        return f"{job}-001-abcdef12", f"s3://trained/{job}-001-abcdef12/model.tar.gz"

    async def registered_model(self, group: str, run: str, image: str, approve: bool) -> str:
        self.asked.append(("register", run, str(approve)))
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/1"

    def awaits_first_approval(self, prefix: str) -> bool:
        return not self.approved

    async def approved_model(self, group: str, *, wait: bool) -> str:
        self.asked.append(("approved", group))
        return f"s3://approved/{group}/model.tar.gz"

    async def baseline_artifact(self, group: str, *, wait: bool) -> str:
        self.asked.append(("baseline", group))
        return "s3://slipway-dev-data-abc1234/runs/approved/output/model.tar.gz" if self.approved else ""

    async def free_endpoint_name(self, name: str, prefix: str) -> str:
        self.asked.append(("free", name))
        return name

    async def ready_endpoint(self, move: Move, config: str) -> str:
        self.moves.append(move)
        return config

    async def instance_count(self, endpoint: str, content: str, fewest: int, most: int) -> int:
        return max(fewest, min(self.running, most))

    async def deployment_of_move(self, move: Move, config: str, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
        return wanted

    async def moved_endpoint(self, name: str, config: str) -> str:
        self.asked.append(("move", config))
        return name


class _Aws(Mocks):
    """Computed outputs by type; `arn`, `name` and `id` for all. With `unknown` none of them, as in a first preview."""

    def __init__(self, unknown: bool = False) -> None:
        self._unknown = unknown

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if self._unknown:
            return "", dict(args.inputs)
        auto_name = f"{args.name}-abc1234"
        name = args.inputs.get("name") or args.inputs.get("bucket") or auto_name
        state = {"name": name, "arn": f"arn:aws:{args.typ.split(':')[1].split('/')[0]}:::{name}", **args.inputs}
        if args.typ.startswith("aws:s3/bucket:"):
            state |= {"bucket": auto_name, "arn": f"arn:aws:s3:::{auto_name}"}
        if args.typ.startswith("aws:ecr/repository:"):
            state["repositoryUrl"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
        for kind, arn in ARNS.items():
            if args.typ.startswith(f"aws:{kind}:"):
                state["arn"] = arn.format(name=name)
        if args.typ.startswith("aws:kms/key:"):
            state["keyId"] = name
        if args.typ.startswith("aws:ec2/vpcEndpoint:"):
            state["prefixListId"] = "pl-s3"
        return f"{args.name}-id", state

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "userId": "x", "id": ACCOUNT}
        if args.token == "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {"names": [f"{REGION}{letter}" for letter in "abc"], "id": REGION}
        raise AssertionError(f"the program calls {args.token}, which this mock does not know")


class _Monitor(MockMonitor):
    """Keeps the resource options, which the mocks themselves never see."""

    def __init__(self, declared: list[Declared], aws: Mocks) -> None:
        super().__init__(aws)
        self._declared = declared
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        with self._lock:
            self._declared.append(
                Declared(
                    type=request.type,
                    name=request.name,
                    inputs=pulumi_mocks.rpc.deserialize_properties(request.object, keep_unknowns=True),
                    parent=request.parent.rsplit("::", 1)[-1],
                    protect=request.protect,
                    delete_before_replace=request.deleteBeforeReplace,
                    retain_on_delete=request.retainOnDelete,
                    ignore_changes=list(request.ignoreChanges),
                    replacement_trigger=request.replacement_trigger.string_value,
                    depends_on=sorted({urn.rsplit("::", 1)[-1] for urn in request.dependencies}),
                )
            )
        return super().RegisterResource(request)


def record(
    program: Callable[[], None], stack: str = "dev", *, preview: bool = False, unknown: bool = False
) -> tuple[list[Declared], dict[str, Any]]:
    """Everything `program` declares, by name, and its exports. `unknown`: as in the preview of a stack never made.

    Raises whatever the program raises.
    """
    declared: list[Declared] = []
    exports: dict[str, Any] = {}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        aws = _Aws(unknown)
        monitor = _Monitor(declared, aws)
        pulumi.runtime.set_mocks(aws, project="slipway", stack=stack, preview=preview or unknown, monitor=monitor)

        @pulumi.runtime.test
        def run() -> Any:
            root = pulumi.runtime.get_root_resource()
            root.outputs.clear()  # one root serves every program of this process
            program()
            return pulumi.Output.all(**root.outputs).apply(exports.update)

        run()
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    # The stack itself is registered by the first program of a process only.
    own = [one for one in declared if one.type != "pulumi:pulumi:Stack"]
    return sorted(own, key=lambda one: (one.type, one.name)), exports
