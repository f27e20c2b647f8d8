"""What every component is made of, and how each one's arguments follow from the settings."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import InvokeOptions, Output, ResourceOptions

from infra.access import Access, AccessArgs
from infra.actions import Actions
from infra.bundle import Bundle, make_bundle
from infra.data import DataStore, DataStoreArgs
from infra.endpoint import Serving, ServingArgs
from infra.guardian_code import unpriced
from infra.image import Image, ImageArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.network import Network, NetworkArgs, services_for
from infra.permissions import FROZEN
from infra.provider import provider_of
from infra.registry import Registry, RegistryArgs
from infra.run_inputs import baseline, further_channels
from infra.runs import TrainingRun
from infra.sections import SECRET_ARN
from infra.settings import REGISTRY_MODEL, Settings
from infra.spending import Spending, SpendingArgs
from infra.training_job import TrainingRunArgs, artifact_uri


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The settings, what all components share, and a method for each component that needs a choice."""

    settings: Settings
    region: str
    actions: Actions
    root: Path
    """The checkout: what is built, and where a relative `data` folder starts."""
    prefix: str
    bundle: Bundle
    account: Output[str]
    opts: ResourceOptions
    secret_keys: Collection[str]

    @classmethod
    def of(cls, settings: Settings, region: str, actions: Actions, root: Path, secret_keys: Collection[str]) -> "Parts":
        provider = provider_of(settings, region)
        return cls(
            settings=settings,
            region=region,
            actions=actions,
            root=root,
            prefix=f"{pulumi.get_project()}-{pulumi.get_stack()}",
            bundle=make_bundle(root, root / ".slipway" / "build"),
            account=aws.get_caller_identity_output(opts=InvokeOptions(provider=provider)).account_id,
            opts=ResourceOptions(provider=provider),
            secret_keys=secret_keys,
        )

    def store_args(self) -> DataStoreArgs:
        return DataStoreArgs(
            prefix=self.prefix,
            data=self.settings.data,
            code=self.settings.training.code if self.settings.trains else None,
            protect=self.settings.protect,
            account=self.account,
            region=self.region,
            root=self.root,
            actions=self.actions,
            storage=self.settings.storage,
            log_retention_days=self.settings.log_retention_days,
        )

    def network(self) -> Network | None:
        """The stack's own network; none when jobs and endpoints run in SageMaker's."""
        wanted = self.settings.network
        if not wanted.private:
            return None
        args = NetworkArgs(
            prefix=self.prefix,
            region=self.region,
            account=self.account,
            cidr=wanted.cidr,
            zones=wanted.zones,
            services=services_for((*self.secrets_of("training"), *self.secrets_of("serving"))),
        )
        return Network("network", args, self.opts)

    def access_args(self, store: DataStore, network: Network | None) -> AccessArgs:
        settings, serving = self.settings, self.settings.serving
        chosen = [settings.model, serving.shadow.model if serving.shadow else ""]
        return AccessArgs(
            prefix=self.prefix,
            account=self.account,
            region=self.region,
            bucket_arn=store.bucket_arn,
            data_uri=store.data_uri,
            channels=further_channels(settings.training, store),
            incarnation=store.incarnation,
            artifacts=tuple(model for model in chosen if model.startswith("s3://")),
            image=settings.image if settings.image != "build" else "",
            kms_key_arn=store.kms_key_arn,
            network=network,
            permissions_boundary=settings.access.permissions_boundary,
            deploy=settings.access.deploy,
            audits=settings.storage.audit_events,
            uses={
                "tunes": settings.training.tuning is not None,
                "climbs": bool(settings.training.fallbacks),
                "budgets": settings.spending.budget_usd is not None,
                "asynchronous": serving.mode == "async",
                "captures": serving.capture is not None,
                "notifies": serving.mode == "async" and serving.async_.notify,
                "rolls_back": serving.deployment.rollback and settings.monitoring.alarms,
                "training_secrets": self.secrets_of("training"),
                "serving_secrets": self.secrets_of("serving"),
            },
        )

    def secrets_of(self, section: str) -> tuple[str, ...]:
        """The ARNs of secrets that this section's environment names."""
        environment = getattr(self.settings, section).environment
        return tuple(value for value in environment.values() if SECRET_ARN.match(value))

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

    def registry_args(self, store: DataStore) -> RegistryArgs:
        return RegistryArgs(prefix=self.prefix, incarnation=store.incarnation)

    def run(
        self, store: DataStore, network: Network | None, access: Access, image: Output[str], registry: Registry
    ) -> TrainingRun | None:
        """This program's run; none when a model that exists is served, or none at all."""
        if not self.settings.trains:
            return None
        args = TrainingRunArgs(
            prefix=self.prefix,
            training=self.settings.training,
            region=self.region,
            image=image,
            image_content=self.bundle.sha256 if self.settings.image == "build" else self.settings.image,
            data_uri=store.data_uri,
            data_sha256=store.data_sha256,
            code_uri=store.code_uri,
            code_sha256=store.code_sha256,
            baseline=baseline(self.settings.training, registry.group, self.actions),
            bucket=store.bucket,
            incarnation=store.incarnation,
            role=access.train,
            actions=self.actions,
            registry=registry.group,
            approve=self.settings.promotes_itself,
            kms_key_arn=store.kms_key_arn,
            subnet_ids=network.subnet_ids if network else None,
            security_group_ids=network.security_group_ids if network else None,
            isolation=self.settings.network.isolation,
            wrap=self.secret_of("training"),
        )
        return TrainingRun("training", args, self.opts)

    def secret_of(self, section: str) -> Callable[[str], Any]:
        """What a value of this section's environment is wrapped in: a Pulumi secret, if the configuration has one."""
        return Output.secret if f"slipway:{section}" in self.secret_keys else str

    def served_artifact(self, store: DataStore, registry: Registry, run: TrainingRun | None) -> Output[str] | None:
        """The artifact that `slipway:model` names; None for off, and until the stack's first run is approved."""
        model = self.settings.model
        if model == "off":
            return None
        if model == REGISTRY_MODEL:
            if self.actions.awaits_first_approval(self.prefix):
                pulumi.warn(
                    "slipway:model is registry:approved and no run is approved yet: nothing will be served. "
                    f"See slipway runs --stack {pulumi.get_stack()}, then slipway promote RUN"
                )
                return None
            return self._approved(registry, run)
        if run:
            return run.artifact
        return self._artifact_of(store, model)

    def _artifact_of(self, store: DataStore, model: str) -> Output[str]:
        """The artifact of an s3:// URI or of a run of this stack."""
        if model.startswith("s3://"):
            return Output.from_input(model)
        return store.bucket.apply(lambda bucket: artifact_uri(bucket, model))

    def _approved(self, registry: Registry, run: TrainingRun | None) -> Output[str]:
        """Looked up after this program's run, which is registered but served only once somebody approves it."""
        passed = run.artifact if run else Output.from_input("")

        def look(known: list[str]) -> Awaitable[str]:
            return self.actions.approved_model(known[0], wait=not pulumi.runtime.is_dry_run())

        return Output.all(registry.group, passed).apply(look)

    def monitoring(self, store: DataStore) -> Monitoring:
        """Before the endpoint, which rolls a deployment back on its alarms."""
        args = MonitoringArgs(
            prefix=self.prefix,
            account=self.account,
            region=self.region,
            monitoring=self.settings.monitoring,
            serving=self.settings.serving,
            kms_key_arn=store.kms_key_arn,
        )
        return Monitoring("monitoring", args, self.opts)

    def serving(
        self,
        store: DataStore,
        network: Network | None,
        access: Access,
        image: Output[str],
        artifact: Output[str],
        monitoring: Monitoring | None,
    ) -> Serving:
        shadow = self.settings.serving.shadow
        args = ServingArgs(
            prefix=self.prefix,
            serving=self.settings.serving,
            image=image,
            image_setting=self.settings.image,
            artifact=artifact,
            shadow_artifact=self._artifact_of(store, shadow.model) if shadow else None,
            role=access.serve,
            bucket=store.bucket,
            kms_key_arn=store.kms_key_arn,
            topic=monitoring.topic if monitoring else None,
            rollback_alarms=monitoring.rollback_alarms if monitoring else None,
            subnet_ids=network.subnet_ids if network else None,
            security_group_ids=network.security_group_ids if network else None,
            isolation=self.settings.network.isolation,
            wrap=self.secret_of("serving"),
            log_retention_days=self.settings.log_retention_days,
            protect=self.settings.protect,
            actions=self.actions,
        )
        return Serving("serving", args, self.opts)

    def spending(self, store: DataStore, access: Access) -> Spending:
        """The guardian; it needs to know nothing of what it guards but the stack's names."""
        for text in unpriced(self.region, self.billed_by_the_hour()):
            pulumi.warn(text)
        args = SpendingArgs(
            prefix=self.prefix,
            region=self.region,
            account=self.account,
            spending=self.settings.spending,
            expires=self.settings.expires,
            emails=self.settings.monitoring.emails,
            bucket=store.bucket,
            guard_role=access.roles["guard"],
            schedule_role=access.roles["schedule"],
            frozen_roles=tuple(access.roles[job] for job in FROZEN if job in access.roles),
            kms_key_arn=store.kms_key_arn,
            log_retention_days=self.settings.log_retention_days,
        )
        return Spending("spending", args, self.opts)

    def billed_by_the_hour(self) -> set[str]:
        """Price-book keys of what the settings name."""
        training, serving = self.settings.training, self.settings.serving
        found = set()
        if self.settings.trains:
            types = (training.instance_type, *(one.instance_type for one in training.fallbacks))
            found |= {f"Training:{one}" for one in types}
        if self.settings.model != "off" and serving.mode != "serverless":
            found.add(f"Hosting:{serving.instance_type}")
        elif self.settings.model != "off" and serving.serverless.provisioned_concurrency:
            found.add(f"ServerlessProvisioned:{serving.serverless.memory_mb}")
        if self.settings.model != "off" and serving.shadow:
            found.add(f"Hosting:{serving.shadow.instance_type}")
        return found
