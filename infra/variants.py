"""What an endpoint configuration holds: the production variant, the shadow, asynchronous calls and data capture.

Pure functions from settings to inputs. The instance's driver and the start-up timeouts are chosen here: a GPU image on
an instance whose driver is too old starts no container and writes no log (aws/deep-learning-containers#6187).
"""

import re
from typing import Any

from pulumi import Input, Output

from infra.serving_section import Serving, has_local_disk

Inputs = dict[str, Any]
OWN_IMAGE = "build"
"""The setting `image` of a stack that builds its image from this checkout."""
CUDA_13_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
"""The newest driver; the default one refuses CUDA 13, and this one CUDA 12 images."""
CUDA_OF_TAG = re.compile(r"cu(?P<major>\d{2})\d")
GPU = re.compile(r"ml\.(g|p)[0-9]")
ONE_ACCELERATOR_SECONDS = (900, 1200)
"""Start-up and download: a CUDA image of several GB is unpacked first, and the model goes to the device."""
MANY_ACCELERATORS_SECONDS = (1800, 3600)
MANY_ACCELERATORS = re.compile(r"\.(12|24|32|36|48)xlarge$")
CAPTURED, ASYNC_OUTPUT, ASYNC_FAILURES = "captured", "async/output", "async/failures"
"""Prefixes in the data bucket; the serving role may write below them."""


def variant_name(serving: Serving) -> str:
    """The instance type, or serverless: SageMaker cannot change the type of a variant that scales, while a new variant
    replaces the old one (SageMaker guide, "Update endpoints that use auto scaling")."""
    if serving.mode == "serverless":
        return "serverless"
    return serving.instance_type.removeprefix("ml.").replace(".", "-")


def production(serving: Serving, model: Input[str], count: Input[int], image: str) -> Inputs:
    """The variant that answers. `image` is the setting, not the URI: the choice must be known in a preview."""
    return {
        "variant_name": variant_name(serving),
        "model_name": model,
        "initial_variant_weight": 1,
    } | (_serverless(serving) if serving.mode == "serverless" else _instances(serving, count, image))


def shadow(serving: Serving, model: Input[str], image: str) -> Inputs:
    """The variant that gets copies; SageMaker reads the share as its weight against the production variant's 1."""
    assert serving.shadow is not None
    like = serving.model_copy(update={"instance_type": serving.shadow.instance_type, "volume_gb": None})
    return {
        "variant_name": f"shadow-{variant_name(like)}",
        "model_name": model,
        "initial_variant_weight": serving.shadow.percent / 100,
    } | _instances(like, serving.shadow.instances, image)


def _serverless(serving: Serving) -> Inputs:
    config: Inputs = {
        "memory_size_in_mb": serving.serverless.memory_mb,
        "max_concurrency": serving.serverless.max_concurrency,
    }
    if serving.serverless.provisioned_concurrency:
        config["provisioned_concurrency"] = serving.serverless.provisioned_concurrency
    return {"serverless_config": config}


def _instances(serving: Serving, count: Input[int], image: str) -> Inputs:
    startup, download = timeouts_seconds(serving)
    given = {
        "inference_ami_version": ami_version(serving, image),
        "container_startup_health_check_timeout_in_seconds": startup,
        "model_data_download_timeout_in_seconds": download,
        "volume_size_in_gb": serving.volume_gb,
    }
    return {
        "instance_type": serving.instance_type,
        "initial_instance_count": count,
    } | {name: value for name, value in given.items() if value is not None}


def ami_version(serving: Serving, image: str) -> str | None:
    """The InferenceAmiVersion that fits the image's CUDA, or None for SageMaker's default.

    Our own image carries PyTorch's CUDA 13 wheels. Of another image the tag tells (`...-cu130-...`); a tag that does
    not is left to the default, and `serving.ami_version` overrules all of it.
    """
    if serving.ami_version != "auto":
        return None if serving.ami_version == "none" else serving.ami_version
    if not GPU.match(serving.instance_type):
        return None
    if image == OWN_IMAGE:
        return CUDA_13_AMI
    cuda = CUDA_OF_TAG.search(image.rsplit("/", 1)[-1])
    return CUDA_13_AMI if cuda and int(cuda["major"]) >= 13 else None


def timeouts_seconds(serving: Serving) -> tuple[int | None, int | None]:
    """(container start-up, model download); None is SageMaker's default, which is right for a CPU instance."""
    startup, download = None, None
    if serving.accelerated:
        many = MANY_ACCELERATORS.search(serving.instance_type)
        startup, download = MANY_ACCELERATORS_SECONDS if many else ONE_ACCELERATOR_SECONDS
    return serving.startup_timeout_seconds or startup, serving.model_download_timeout_seconds or download


def volume_key(serving: Serving, key: Output[str] | None) -> Output[str] | None:
    """The key of the instances' EBS volumes. CreateEndpointConfig refuses one where any instance has a disk of its own,
    which the instance encrypts itself; serverless has no volume."""
    types = [serving.instance_type] + ([serving.shadow.instance_type] if serving.shadow else [])
    return None if serving.mode == "serverless" or any(map(has_local_disk, types)) else key


def capture(serving: Serving, bucket: Output[str], key: Output[str] | None) -> Inputs | None:
    if serving.capture is None:
        return None
    return {
        "enable_capture": True,
        "initial_sampling_percentage": serving.capture.percent,
        "destination_s3_uri": Output.concat("s3://", bucket, "/", CAPTURED),
        "capture_options": [{"capture_mode": "Input"}, {"capture_mode": "Output"}],
        "capture_content_type_header": {"json_content_types": ["application/json"], "csv_content_types": ["text/csv"]},
    } | _with_key(key)


def asynchronous(
    serving: Serving, bucket: Output[str], key: Output[str] | None, topic: Output[str] | None
) -> Inputs | None:
    if serving.mode != "async":
        return None
    output: Inputs = {
        "s3_output_path": Output.concat("s3://", bucket, "/", ASYNC_OUTPUT),
        "s3_failure_path": Output.concat("s3://", bucket, "/", ASYNC_FAILURES),
    }
    if serving.async_.notify and topic is not None:
        output["notification_config"] = {"success_topic": topic, "error_topic": topic}
    return {
        "client_config": {"max_concurrent_invocations_per_instance": serving.async_.max_concurrent_per_instance},
        "output_config": output | _with_key(key),
    }


def _with_key(key: Output[str] | None) -> Inputs:
    return {} if key is None else {"kms_key_id": key}
