"""The container definitions of a model's record."""

from collections.abc import Iterator, Mapping
from typing import Any


def containers(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What runs: the containers of the request, or those of the model packages that it names."""
    if "ResolvedContainers" in model:
        return list(model["ResolvedContainers"])
    primary = [model["PrimaryContainer"]] if "PrimaryContainer" in model else []
    return [*primary, *model.get("Containers", [])]


def is_multi_model(container: Mapping[str, Any]) -> bool:
    """Whether the container's ModelDataUrl is a prefix of many models, loaded when they are asked for."""
    return container.get("Mode") == "MultiModel"


def model_data(container: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """(address, whether it is an archive) of a container's model, if it has one."""
    if "ModelDataUrl" in container:
        yield container["ModelDataUrl"], not is_multi_model(container)
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source:
        yield source["S3Uri"], source["CompressionType"] == "Gzip"
