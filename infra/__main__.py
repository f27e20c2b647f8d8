"""The Pulumi program: settings -> components -> outputs.

`pulumi up` starts here; the tests call `program` under mocks.
"""

import atexit
import gc

if __name__ == "__main__":
    # Thousands of pulumi_aws's classes are made and kept: looking for garbage among them takes half a second while they
    # are imported, and a second at the interpreter's exit.
    gc.disable()
    atexit.register(gc.freeze)

import os
from collections.abc import Collection
from pathlib import Path

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env

from infra.access import Access
from infra.actions import Actions
from infra.data import DataStore
from infra.parts import Parts
from infra.registry import Registry
from infra.settings import Settings, SettingsError, read_settings

# Of this file, which the engine runs from the user's checkout; the other modules may be an installed copy.
ROOT = Path(__file__).resolve().parent.parent


def program(settings: Settings, region: str, actions: Actions, secret_keys: Collection[str] = ()) -> None:
    """Declare the whole stack: the table of contents."""
    parts = Parts.of(settings, region, actions, ROOT, secret_keys)
    store = DataStore("store", parts.store_args(), parts.opts)
    network = parts.network()
    access = Access("access", parts.access_args(store, network), parts.opts)
    image = parts.image(store, access)
    registry = Registry("registry", parts.registry_args(store), parts.opts)
    run = parts.run(store, network, access, image, registry)
    artifact = parts.served_artifact(store, registry, run)
    monitoring = parts.monitoring(store) if artifact is not None else None
    serving = parts.serving(store, network, access, image, artifact, monitoring) if artifact is not None else None
    spending = parts.spending(store, access)
    outputs = {
        "bucket": store.bucket,
        "kms_key": store.kms_key_arn,
        "roles": access.roles,
        "image": image,
        "registry": registry.group,
        "run": run and run.run,
        "tuning_job": run and run.tuning_job,
        "artifact": artifact,
        "model": serving and serving.model,
        "endpoint_config": serving and serving.endpoint_config,
        "endpoint": serving and serving.endpoint,
        "topic": monitoring and monitoring.topic,
        "alarms": monitoring and monitoring.alarms,
        "dashboard": monitoring and monitoring.dashboard,
        "guardian": spending.guardian,
        "budget": spending.budget,
    }
    for name, value in outputs.items():
        if value is not None:
            pulumi.export(name, value)


def main() -> None:
    """Read the engine's configuration and declare the stack; a bad configuration is one error, without a traceback."""
    try:
        secret_keys = get_config_secret_keys_env()
        names = pulumi.get_project(), pulumi.get_stack()
        settings, region = read_settings(get_config_env(), *names, os.environ, secret_keys)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    program(settings, region, Actions(region), secret_keys)


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    main()
