"""The Pulumi program: settings -> components -> outputs.

`pulumi up` starts here; the tests call `program` under mocks.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, Output, ResourceOptions
from pulumi.runtime.config import get_config_env

from infra.access import Access, AccessArgs
from infra.actions import Actions
from infra.bundle import Bundle, make_bundle
from infra.data import DataStore, DataStoreArgs
from infra.endpoint import Serving, ServingArgs
from infra.image import Image, ImageArgs
from infra.runs import TrainingRun, TrainingRunArgs, artifact_uri
from infra.settings import Settings, SettingsError, read_settings

ROOT = Path(__file__).resolve().parent.parent


def program(settings: Settings, region: str, actions: Actions) -> None:
    """Declare the whole stack: the table of contents."""
    parts = Parts.of(settings, region, actions)
    store = DataStore("store", parts.store_args(), parts.opts)
    access = Access("access", parts.access_args(store), parts.opts)
    image = parts.image(store, access)
    run = parts.run(store, access, image)
    artifact = run.artifact if run else parts.chosen_artifact(store)
    serving = parts.serving(access, image, artifact) if artifact is not None else None
    outputs = {
        "bucket": store.bucket,
        "image": image,
        "run": run and run.run,
        "artifact": artifact,
        "model": serving and serving.model,
        "endpoint_config": serving and serving.endpoint_config,
        "endpoint": serving and serving.endpoint,
    }
    for name, value in outputs.items():
        if value is not None:
            pulumi.export(name, value)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What every component is made of, and how each one's arguments follow from the settings."""

    settings: Settings
    region: str
    actions: Actions
    prefix: str
    bundle: Bundle
    account: Output[str]
    opts: ResourceOptions

    @classmethod
    def of(cls, settings: Settings, region: str, actions: Actions) -> "Parts":
        provider = _provider(settings, region)
        return cls(
            settings=settings,
            region=region,
            actions=actions,
            prefix=f"{pulumi.get_project()}-{pulumi.get_stack()}",
            bundle=make_bundle(ROOT, ROOT / ".slipway" / "build"),
            account=aws.get_caller_identity_output(opts=InvokeOptions(provider=provider)).account_id,
            opts=ResourceOptions(provider=provider),
        )

    def store_args(self) -> DataStoreArgs:
        return DataStoreArgs(prefix=self.prefix, data=self.settings.data, protect=self.settings.protect)

    def access_args(self, store: DataStore) -> AccessArgs:
        return AccessArgs(
            prefix=self.prefix,
            account=self.account,
            region=self.region,
            bucket_arn=store.bucket_arn,
            data_uri=store.data_uri,
            artifact=self.settings.model if self.settings.model.startswith("s3://") else "",
            image=self.settings.image if self.settings.image != "build" else "",
        )

    def image(self, store: DataStore, access: Access) -> Output[str]:
        """The image's URI: the one that is built from this checkout, or the user's."""
        if self.settings.image != "build":
            return Output.from_input(self.settings.image)
        args = ImageArgs(
            prefix=self.prefix,
            bundle=self.bundle,
            bucket=store.bucket,
            build_role=access.build,
            torch_backend="auto",
            log_retention_days=self.settings.log_retention_days,
            protect=self.settings.protect,
            actions=self.actions,
        )
        return Image("image", args, self.opts).uri

    def run(self, store: DataStore, access: Access, image: Output[str]) -> TrainingRun | None:
        """This program's run, when it is what the endpoint is to serve."""
        if not self.settings.trains:
            return None
        args = TrainingRunArgs(
            prefix=self.prefix,
            training=self.settings.training,
            image=image,
            code_sha256=self.bundle.sha256,
            data_uri=store.data_uri,
            data_sha256=store.data_sha256,
            bucket=store.bucket,
            incarnation=store.incarnation,
            role=access.train,
            actions=self.actions,
        )
        return TrainingRun("training", args, self.opts)

    def chosen_artifact(self, store: DataStore) -> Output[str] | None:
        """The artifact that `slipway:model` names: an s3:// URI, a run of this stack, or none."""
        model = self.settings.model
        if model == "off":
            return None
        if model.startswith("s3://"):
            return Output.from_input(model)
        return store.bucket.apply(lambda bucket: artifact_uri(bucket, model))

    def serving(self, access: Access, image: Output[str], artifact: Output[str]) -> Serving:
        args = ServingArgs(
            prefix=self.prefix,
            serving=self.settings.serving,
            image=image,
            artifact=artifact,
            role=access.serve,
            log_retention_days=self.settings.log_retention_days,
            protect=self.settings.protect,
            actions=self.actions,
        )
        return Serving("serving", args, self.opts)


def _provider(settings: Settings, region: str) -> aws.Provider:
    tags = {
        "slipway:project": pulumi.get_project(),
        "slipway:stack": pulumi.get_stack(),
        "slipway:owner": settings.owner,
        "slipway:expires": settings.expires,
    }
    more: dict[str, Any] = {"allowed_account_ids": [settings.account]} if settings.account else {}
    return aws.Provider("aws", region=region, default_tags={"tags": tags}, **more)


def main() -> None:
    """Read the engine's configuration and declare the stack; a bad configuration is one error, without a traceback."""
    try:
        settings, region = read_settings(get_config_env(), pulumi.get_project(), pulumi.get_stack(), os.environ)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    program(settings, region, Actions(region))


if __name__ == "__main__":
    main()
