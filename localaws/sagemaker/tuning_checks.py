"""What AWS checks before it takes a tuning job, and the training jobs' request that it makes of it."""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call
from localaws.errors import validation
from localaws.iam.platform import Actor
from localaws.sagemaker import metrics, permissions, sampling, training_checks

NOT_EMULATED = ("TrainingJobDefinitions", "WarmStartConfig", "Autotune")
# Where Hyperband finds MaxResource if it is not given (API reference, HyperbandStrategyConfig).
EPOCH_PARAMETERS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
MAX_RESOURCE = 20_000  # epochs
# What a training job takes over as it is.
SHARED = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


def checked_definition(call: Call) -> dict[str, Any]:
    """The training jobs' request without name and tuned hyperparameters, checked as CreateTrainingJob would."""
    request = call.request
    for part in NOT_EMULATED:
        if part in request:
            raise validation(f"{part} is not emulated; leave it out.")
    given, config = request.get("TrainingJobDefinition"), request["HyperParameterTuningJobConfig"]
    if given is None:
        raise validation("TrainingJobDefinition is required.")
    static = given.get("StaticHyperParameters", {})
    _check_search(config, static)
    definition = {name: given[name] for name in SHARED if name in given}
    definition["ResourceConfig"] = _resources(given)
    definition["HyperParameters"] = static
    objective, names = config["HyperParameterTuningJobObjective"]["MetricName"], _metrics(given)
    if objective not in names:
        raise validation(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            f"definitions. (Objective: {objective}; defined: {', '.join(names) or 'none'})"
        )
    metrics.Scanner(given["AlgorithmSpecification"].get("MetricDefinitions", []))  # refuses what does not compile
    training_checks.check(definition, call.region)
    permissions.check_training(Actor(cloud=call.cloud, role=definition["RoleArn"], region=call.region), definition)
    return definition


def _metrics(definition: Mapping[str, Any]) -> list[str]:
    return [item["Name"] for item in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]


def _resources(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """ResourceConfig, or the same from HyperParameterTuningResourceConfig, which AWS's SDK sends."""
    plain, own = definition.get("ResourceConfig"), definition.get("HyperParameterTuningResourceConfig")
    if (plain is None) == (own is None):
        raise validation("Exactly one of ResourceConfig and HyperParameterTuningResourceConfig must be given.")
    if plain is not None:
        found: Mapping[str, Any] = plain
        return found
    assert own is not None
    choice = {**own, **own.get("InstanceConfigs", [{}])[0]}
    kept = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    return {name: choice[name] for name in kept if name in choice}


def _check_search(config: Mapping[str, Any], static: Mapping[str, str]) -> None:
    strategy, limits = config["Strategy"], config["ResourceLimits"]
    ranges, most = config.get("ParameterRanges", {}), limits.get("MaxNumberOfTrainingJobs")
    if "HyperParameterTuningJobObjective" not in config:
        raise validation("HyperParameterTuningJobObjective is required.")
    sampling.check(strategy, ranges, static)
    _check_hyperband(config, static)
    possible = sampling.combinations(ranges)
    if strategy == "Grid":
        if most is not None and most != possible:
            raise validation(
                f"MaxNumberOfTrainingJobs is {most}; for Grid search it must be left out or equal the number of "
                f"combinations of the categorical hyperparameters, {possible:.0f}."
            )
        return
    if most is None:
        raise validation(f"MaxNumberOfTrainingJobs is required for the strategy {strategy}.")
    if possible < most:
        raise validation(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{possible}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{most}]. Provide additional ranges."
        )


def _check_hyperband(config: Mapping[str, Any], static: Mapping[str, str]) -> None:
    """Hyperband stops jobs by a mechanism of its own: it needs to know the epochs, and nothing else may stop them."""
    if config["Strategy"] != "Hyperband":
        if "StrategyConfig" in config:
            raise validation(f"StrategyConfig is for the strategy Hyperband only, not for {config['Strategy']}.")
        return
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise validation("TrainingJobEarlyStoppingType must be Off for the strategy Hyperband: it stops jobs itself.")
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    most = given.get("MaxResource") or next((static[name] for name in EPOCH_PARAMETERS if name in static), None)
    if most is None or not str(most).isdecimal():
        raise validation(
            f"Hyperband needs MaxResource in HyperbandStrategyConfig, or a whole number in one of the static "
            f"hyperparameters {', '.join(EPOCH_PARAMETERS)}; found: {most}."
        )
    least = given.get("MinResource", 1)
    if not least <= int(most) <= MAX_RESOURCE:
        raise validation(
            f"Hyperband's MaxResource is {most}; it must lie between MinResource, {least}, and {MAX_RESOURCE}."
        )
