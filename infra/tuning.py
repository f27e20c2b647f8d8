"""A hyperparameter tuning job in place of a single run."""

from typing import Any

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.training_job import (
    TrainingRunArgs,
    algorithm,
    channels,
    content_hash,
    hyperparameters,
    limits,
    machines,
    output,
    surroundings,
)
from infra.training_section import Training, Tuning


def tuning_job(args: TrainingRunArgs, opts: ResourceOptions) -> Output[str]:
    """The tuning job's name, once SageMaker has accepted it; as with a run, a change of content makes a new one.

    The name has 20 characters of the 32 that SageMaker takes, too few for the stack's own: its tags tell whose it is.
    """
    content = content_hash(args)
    tuning = args.training.tuning
    assert tuning
    job = aws.sagemaker.HyperParameterTuningJob(
        f"{args.prefix}-tuning-{content}",
        name=Output.concat(content, "-", args.incarnation),
        config=_search(tuning),
        training_job_definition=_definition(args, args.training),
        # None of these can be changed on a tuning job; they apply from the next one on.
        opts=ResourceOptions.merge(opts, ResourceOptions(ignore_changes=["config", "training_job_definition"])),
    )
    return job.name


def _search(tuning: Tuning) -> dict[str, Any]:
    ranges = {
        "integer_parameter_ranges": _bounds(tuning.integer),
        "continuous_parameter_ranges": _bounds(tuning.continuous),
        "categorical_parameter_ranges": [
            {"name": name, "values": list(values)} for name, values in tuning.categorical.items()
        ],
    }
    return {
        "strategy": tuning.strategy,
        **({"training_job_early_stopping_type": "Auto"} if tuning.early_stopping else {}),
        "objective": {"metric_name": tuning.objective, "type": tuning.goal},
        "parameter_ranges": {kind: found for kind, found in ranges.items() if found},
        "resource_limits": {
            "max_number_of_training_jobs": tuning.max_jobs,
            "max_parallel_training_jobs": tuning.max_parallel_jobs,
        },
    }


def _bounds(ranges: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": name, "min_value": str(lowest), "max_value": str(highest), "scaling_type": "Auto"}
        for name, (lowest, highest) in ranges.items()
    ]


def _definition(args: TrainingRunArgs, training: Training) -> dict[str, Any]:
    """No checkpoints: the training jobs of one tuning job would share the folder."""
    tuned = training.tuning
    assert tuned
    searched = {*tuned.integer, *tuned.continuous, *tuned.categorical}
    definition: dict[str, Any] = {
        "role_arn": args.role,
        "algorithm_specification": algorithm(args),
        "static_hyper_parameters": {
            name: value for name, value in hyperparameters(training).items() if name not in searched
        },
        "input_data_configs": channels(args),
        "output_data_config": output(args),
        "resource_config": machines(args),
        "stopping_condition": limits(training),
        **surroundings(args),
    }
    if training.retries:
        definition["retry_strategies"] = [{"maximum_retry_attempts": training.retries}]
    return definition
