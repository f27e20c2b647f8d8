"""The environment of a script: SM_* and what else the toolkit and its PyTorch half export.

Rule of PyPI `sagemaker-training` 5.1.4 (mapping.py, environment.py): SM_<NAME IN CAPITALS>; strings as they are, None
empty, anything else JSON with sorted keys and no spaces. A `-` in the name of a hyperparameter or channel stays.
Left out are facts of AWS's own launchers (smddp, model parallelism); Neuron cores are 0, this image cannot use them.
"""

import importlib.metadata
import json
import logging
import os
from typing import Any

from training.script_mode import PROGRAM
from training.script_mode.rendezvous import rendezvous
from training.script_mode.request import OWN_NAMES, SUBMITTED
from training.script_mode.setting import Setting

TOOLKIT_NAMES = (
    PROGRAM,
    SUBMITTED,
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "sagemaker_s3_output",
    *OWN_NAMES,
)
"""The toolkit's own hyperparameters; further sagemaker_* ones are SM_FRAMEWORK_PARAMS."""


def variables(setting: Setting) -> dict[str, str]:
    """The whole environment of the script's process: the job's, and the toolkit's variables over it."""
    given = setting.environ
    return {
        **given,
        **{f"SM_{name.upper()}": _text(value) for name, value in _facts(setting).items()},
        **_platform(setting),
        **rendezvous(setting),
        "PYTHONPATH": os.pathsep.join(part for part in (str(setting.code), given.get("PYTHONPATH", "")) if part),
        "PYTHONUNBUFFERED": given.get("PYTHONUNBUFFERED", "1"),  # a metric that waits in a buffer comes too late
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _facts(setting: Setting) -> dict[str, Any]:
    described = _job(setting) | _folders(setting) | _instances(setting)
    more = {name: value for name, value in setting.script.platform.items() if name not in TOOLKIT_NAMES}
    own = setting.script.hyperparameters
    return {
        **described,
        "framework_params": more,
        "hps": own,
        "channels": sorted(setting.cluster.channels),
        "training_env": described | _training_env(setting) | {"additional_framework_parameters": more},
        "user_args": setting.arguments,
        **{f"channel_{name}": path for name, path in _channels(setting).items()},
        **{f"hp_{name}": value for name, value in own.items()},
        **_versions(),
    }


def _training_env(setting: Setting) -> dict[str, Any]:
    """What stands in SM_TRAINING_ENV only."""
    return {
        "channel_input_dirs": _channels(setting),
        "distribution_hosts": setting.hosts,
        "hyperparameters": setting.script.hyperparameters,
        "is_master": setting.cluster.current == setting.hosts[0],
        "job_name": setting.environ.get("TRAINING_JOB_NAME"),
        "master_hostname": setting.hosts[0],
    }


def _job(setting: Setting) -> dict[str, Any]:
    script = setting.script
    return {
        "user_entry_point": script.program,
        "module_name": script.program.removesuffix(".py"),
        "module_dir": script.submitted or str(setting.code),
        "log_level": script.platform.get("sagemaker_container_log_level", logging.INFO),
        "framework_module": setting.environ.get("SAGEMAKER_TRAINING_MODULE"),
        "resource_config": setting.cluster.resources,
        "input_data_config": setting.cluster.channels,
    }


def _folders(setting: Setting) -> dict[str, str]:
    base = setting.paths.base
    return {
        "input_dir": str(base / "input"),
        "input_config_dir": str(base / "input" / "config"),
        "model_dir": str(setting.paths.model),
        "output_dir": str(base / "output"),
        "output_data_dir": str(setting.paths.output_data),
        "output_intermediate_dir": str(base / "output" / "intermediate"),
    }


def _instances(setting: Setting) -> dict[str, Any]:
    cluster = setting.cluster
    found = {
        "hosts": cluster.hosts,
        "current_host": cluster.current,
        "current_instance_type": cluster.instance_type,
        "current_instance_group": cluster.group,
        "current_instance_group_hosts": cluster.groups.get(cluster.group, {}).get("hosts", []),
        "instance_groups": list(cluster.groups),
        "instance_groups_dict": cluster.groups,
        "distribution_instance_groups": cluster.distributed_groups(setting.script.platform),
        "is_hetero": len(cluster.groups) > 1,
        "network_interface_name": cluster.interface,
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": setting.gpus,
        "num_neurons": 0,
    }
    return found | ({"topology": cluster.resources["topology"]} if cluster.resources.get("topology") else {})


def _channels(setting: Setting) -> dict[str, str]:
    return {name: str(setting.paths.base / "input" / "data" / name) for name in setting.cluster.channels}


def _platform(setting: Setting) -> dict[str, str]:
    named, given = setting.script.platform, setting.environ
    return {
        "CURRENT_HOST": setting.cluster.current,
        "SAGEMAKER_REGION": str(named.get("sagemaker_region") or given.get("AWS_REGION", "")),
        "SAGEMAKER_JOB_NAME": str(named.get("sagemaker_job_name") or given.get("TRAINING_JOB_NAME", "")),
    }


def _versions() -> dict[str, str]:
    try:
        return {"dlc_torch_version": importlib.metadata.version("torch")}
    except importlib.metadata.PackageNotFoundError:
        return {}
