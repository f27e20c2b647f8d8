"""What a run gets besides its data: the user's code, and the artifact that it must not be worse than."""

from collections.abc import Awaitable

import pulumi
from pulumi import Output

from infra.actions import Actions
from infra.data import DataStore
from infra.training_section import Training


def baseline(training: Training, group: Output[str], actions: Actions) -> Output[str] | None:
    """The baseline's S3 URI: empty where nothing is approved yet, None where the setting is off.

    Looked up before the run begins, so it is never the run's own artifact.
    """
    if training.baseline == "off":
        return None
    if training.baseline != "approved":
        return Output.from_input(training.baseline)

    def look(known: str) -> Awaitable[str]:
        return actions.baseline_artifact(known, wait=not pulumi.runtime.is_dry_run())

    return group.apply(look)


def further_channels(training: Training, store: DataStore) -> tuple[Output[str], ...]:
    """The URIs that the training role has to be let into; an approved baseline is among the stack's own runs."""
    code = [store.code_uri] if store.code_uri is not None else []
    return (*code, *([Output.from_input(training.baseline)] if training.baseline.startswith("s3://") else []))
