"""The manifests against Kubernetes' own API schemas, strictly: a property that the API does not know is an error."""

import kubernetes_validate
import pytest

from tests.unit.slipway.exports import objects
from tests.unit.slipway.test_export import VARIANTS

OLDEST = "1.30"  # the first with preStop.sleep: docs/kubernetes.md
VERSIONS = (OLDEST, kubernetes_validate.latest_version())
WITHOUT_SCHEMA = ("PodMonitor", "ServiceMonitor")  # of the Prometheus operator
MONITOR_ENDPOINT = {"port", "path", "interval"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_api_knows_every_property(version: str, options: dict[str, str]) -> None:
    for kind, found in objects("SLIPWAY_MAX_BATCH=64", **options).items():
        if kind not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_property_that_it_does_not_know_is_found(version: str) -> None:
    deployment = objects()["Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"] = {"nap": {"seconds": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="nap"):
        kubernetes_validate.validate(deployment, version, strict=True)
