"""The Pulumi program: settings -> components -> outputs.

`pulumi up` starts here; the tests call `program` under mocks.
"""

import os
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
    """Declare the whole stack."""
    prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    provider = _provider(settings, region)
    opts = ResourceOptions(provider=provider)
    account = aws.get_caller_identity_output(opts=InvokeOptions(provider=provider)).account_id
    bundle = make_bundle(ROOT, ROOT / ".slipway" / "build")

    store = DataStore("store", DataStoreArgs(prefix=prefix, data=settings.data, protect=settings.protect), opts)
    access = Access(
        "access",
        AccessArgs(
            prefix=prefix,
            account=account,
            region=region,
            bucket_arn=store.bucket_arn,
            data_uri=store.data_uri,
            artifact=settings.model if settings.model.startswith("s3://") else "",
            image=settings.image if settings.image != "build" else "",
        ),
        opts,
    )
    image = _image(settings, prefix, bundle, store, access, actions, opts)
    pulumi.export("bucket", store.bucket)
    pulumi.export("image", image)

    artifact = None
    if settings.trains:
        run = TrainingRun(
            "training",
            TrainingRunArgs(
                prefix=prefix,
                training=settings.training,
                image=image,
                code_sha256=bundle.sha256,
                data_uri=store.data_uri,
                data_sha256=store.data_sha256,
                bucket=store.bucket,
                incarnation=store.incarnation,
                role=access.train,
                actions=actions,
            ),
            opts,
        )
        pulumi.export("run", run.run)
        artifact = run.artifact
    elif settings.model != "off":
        artifact = _chosen(settings.model, store.bucket)

    if artifact is not None:
        serving = Serving(
            "serving",
            ServingArgs(
                prefix=prefix,
                serving=settings.serving,
                image=image,
                artifact=artifact,
                role=access.serve,
                log_retention_days=settings.log_retention_days,
                protect=settings.protect,
                actions=actions,
            ),
            opts,
        )
        pulumi.export("artifact", artifact)
        pulumi.export("model", serving.model)
        pulumi.export("endpoint_config", serving.endpoint_config)
        if serving.endpoint is not None:
            pulumi.export("endpoint", serving.endpoint)


def _provider(settings: Settings, region: str) -> aws.Provider:
    tags = {
        "slipway:project": pulumi.get_project(),
        "slipway:stack": pulumi.get_stack(),
        "slipway:owner": settings.owner,
        "slipway:expires": settings.expires,
    }
    more: dict[str, Any] = {"allowed_account_ids": [settings.account]} if settings.account else {}
    return aws.Provider("aws", region=region, default_tags={"tags": tags}, **more)


def _image(
    settings: Settings,
    prefix: str,
    bundle: Bundle,
    store: DataStore,
    access: Access,
    actions: Actions,
    opts: ResourceOptions,
) -> Output[str]:
    if settings.image != "build":
        return Output.from_input(settings.image)
    args = ImageArgs(
        prefix=prefix,
        bundle=bundle,
        bucket=store.bucket,
        build_role=access.build,
        torch_backend="auto",
        log_retention_days=settings.log_retention_days,
        protect=settings.protect,
        actions=actions,
    )
    return Image("image", args, opts).uri


def _chosen(model: str, bucket: Output[str]) -> Output[str]:
    """The artifact that `slipway:model` names: an s3:// URI, or a run of this stack."""
    if model.startswith("s3://"):
        return Output.from_input(model)
    return bucket.apply(lambda name: artifact_uri(name, model))


def main() -> None:
    """Read the engine's configuration and declare the stack; a bad configuration is one error, without a traceback."""
    try:
        settings, region = read_settings(get_config_env(), pulumi.get_project(), pulumi.get_stack(), os.environ)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    program(settings, region, Actions(region))


if __name__ == "__main__":
    main()
