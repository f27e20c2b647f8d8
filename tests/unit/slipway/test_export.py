"""`slipway export kubernetes`: what the manifests say, and that every bad option is told at once."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.errors import SlipwayError
from slipway.export.documents import document, stream, write
from slipway.export.plan import DRAIN_SECONDS, read_plan
from slipway.export.scaling import QUEUE_METRIC, adapter_rule
from slipway.export.workload import FETCH_SCRIPT
from tests.unit.slipway.exports import GIVEN, MODEL, OPTIONS, Object, objects, pod, slipway

VARIANTS: dict[str, dict[str, str]] = {
    "plain": {},
    "gpu": {"gpu": "1", "arch": "any", "scale_on": "queue"},
    "fixed": {"min": "2", "max": "2", "monitor": "none"},
    "claim": {"model": "pvc://models/digits/3", "replicas": "2", "scale_on": "cpu"},
    "operator": {"monitor": "pod-monitor", "env_secret": "keys", "user": "0"},
    "services": {"monitor": "service-monitor", "service_account_role": "arn:aws:iam::123456789012:role/read-models"},
    "https": {"model": "https://example.com/m/model.tar.gz", "fetch_image": "python:3.12-slim"},
}
PORT = 8080


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def found(request: pytest.FixtureRequest) -> dict[str, Object]:
    return objects("SLIPWAY_MAX_BATCH=64", **request.param)


def test_every_selector_meets_the_pods(found: dict[str, Object]) -> None:
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in pod(found)["topologySpreadConstraints"]),
    ]
    if "PodMonitor" in found:
        selectors.append(found["PodMonitor"]["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert selector and selector.items() <= labels
    if "ServiceMonitor" in found:
        wanted = found["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
        assert wanted <= found["Service"]["metadata"]["labels"].items()


def test_everybody_means_the_port_that_the_server_listens_on(found: dict[str, Object]) -> None:
    server = pod(found)["containers"][0]
    (port,) = server["ports"]
    assert port["containerPort"] == PORT
    assert "SAGEMAKER_BIND_TO_PORT" not in [one["name"] for one in server["env"]]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == {"path": "/ping", "port": port["name"]}
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    annotations = found["Deployment"]["spec"]["template"]["metadata"].get("annotations")
    if annotations:
        assert annotations["prometheus.io/port"] == str(PORT)


def test_the_autoscaler_means_the_deployment_and_leaves_it_the_count(found: dict[str, Object]) -> None:
    deployment, autoscaler = found["Deployment"], found.get("HorizontalPodAutoscaler")
    count = deployment["spec"].get("replicas")
    if autoscaler is None:
        assert count == 2
        return
    target = autoscaler["spec"]["scaleTargetRef"]
    assert [target["apiVersion"], target["kind"]] == [deployment["apiVersion"], deployment["kind"]]
    assert target["name"] == deployment["metadata"]["name"]
    assert autoscaler["spec"]["minReplicas"] < autoscaler["spec"]["maxReplicas"]
    assert count in (None, 2)  # 2: was asked for


def test_the_grace_period_is_longer_than_what_happens_in_it() -> None:
    for environment, drain in (((), DRAIN_SECONDS), (("SLIPWAY_DRAIN_TIMEOUT_SECONDS=90",), 90)):
        spec = pod(objects(*environment))
        server = spec["containers"][0]
        pre_stop = server["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > pre_stop + drain
        assert {"name": "SLIPWAY_DRAIN_TIMEOUT_SECONDS", "value": str(drain)} in server["env"]


def test_the_drain_is_the_servers_own_default() -> None:
    from inference.settings import Settings

    assert Settings(model_folder=Path()).drain_timeout == DRAIN_SECONDS
    assert Settings(model_folder=Path()).port == PORT


def test_no_service_of_the_namespace_sets_a_variable_of_the_server() -> None:
    assert pod(objects())["enableServiceLinks"] is False


def test_the_queue_is_a_metric_of_the_server() -> None:
    from inference.metrics import METRIC_NAMES

    assert QUEUE_METRIC in METRIC_NAMES


def test_a_rollout_never_has_fewer_pods_than_before(found: dict[str, Object]) -> None:
    assert found["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_the_pods_meet_the_pod_security_standard_restricted() -> None:
    spec = pod(objects())
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {kind for volume in spec["volumes"] for kind in volume} <= {"name", "emptyDir", "persistentVolumeClaim"}
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert "runAsNonRoot" not in pod(objects(user="0"))["securityContext"]


def test_every_mount_has_its_volume_and_the_model_is_where_the_server_looks(found: dict[str, Object]) -> None:
    spec = pod(found)
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"] + spec.get("initContainers", []):
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    (mount,) = (one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "model")
    assert mount["mountPath"] == "/opt/ml/model" and mount["readOnly"]


def test_an_archive_is_fetched_and_a_claim_is_mounted() -> None:
    (fetch,) = pod(objects())["initContainers"]
    assert fetch["command"] == ["python3", "-c"]
    assert fetch["args"] == [FETCH_SCRIPT.read_text(), MODEL, "/opt/ml/model"]
    spec = pod(objects(model="pvc://models/digits/3"))
    assert "initContainers" not in spec
    assert {"name": "model", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}} in spec["volumes"]
    assert spec["containers"][0]["volumeMounts"][0]["subPath"] == "digits/3"


def test_gpus_are_limits_and_the_pod_may_go_to_their_nodes() -> None:
    spec = pod(objects(gpu="2"))
    resources = spec["containers"][0]["resources"]
    assert resources["limits"] == resources["requests"] == {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "2"}
    assert "nvidia.com/gpu" not in spec["initContainers"][0]["resources"]["limits"]
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("scale_on", "kinds"), [("queue", ["Pods"]), ("cpu", ["Resource"]), ("both", ["Pods", "Resource"])]
)
def test_what_the_autoscaler_looks_at(scale_on: str, kinds: list[str]) -> None:
    metrics = objects(scale_on=scale_on, queue_target="8")["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert [metric["type"] for metric in metrics] == kinds
    for metric in metrics:
        if metric["type"] == "Pods":
            (rule,) = adapter_rule()["rules"]["custom"]
            assert metric["pods"]["metric"]["name"] == rule["name"]["as"] == QUEUE_METRIC
            assert metric["pods"]["target"]["averageValue"] == "8"


def test_the_same_options_give_the_same_bytes(found: dict[str, Object]) -> None:
    text = stream(list(found.values()))
    assert text == stream(list(found.values()))
    assert list(yaml.safe_load_all(text)) == list(found.values())


@pytest.mark.parametrize(
    "value", ["1e3", "0x1F", "012", "0o17", "y", "n", "on", "null", "~", "1_000", "12:30", "", ".5"]
)
def test_no_parser_takes_a_text_for_a_number_or_a_boolean(value: str) -> None:
    assert document({"value": value}) == f'value: "{value}"\n'.replace('"on"', "'on'").replace('"null"', "'null'")


def test_the_script_stays_readable() -> None:
    first, *_ = FETCH_SCRIPT.read_text().splitlines()
    text = document(objects()["Deployment"])
    assert re.search(rf"^( +)- \|\n\1  {re.escape(first)}\n", text, re.MULTILINE)


def test_a_folder_holds_one_file_an_object_and_none_of_an_earlier_export(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("kind: ConfigMap\n")
    write(list(objects().values()), tmp_path)
    assert (tmp_path / "horizontalpodautoscaler.yaml").exists()
    written = write(list(objects(min="1", max="1").values()), tmp_path)
    names = ["deployment.yaml", "own.yaml", "poddisruptionbudget.yaml", "service.yaml", "serviceaccount.yaml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert sorted(path.name for path in written) == [name for name in names if name != "own.yaml"]


def test_a_place_that_cannot_be_written_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"give a folder, FILE\.yaml or -") as caught:
        write([], tmp_path / "missing" / "all.yaml")
    assert caught.value.exit_code == 2


BAD: dict[str, tuple[str, str]] = {
    "name": ("2fast", "a letter first"),
    "namespace": ("a_b", "1 to 63 of a-z"),
    "image": ("no spaces here", "REGISTRY/NAME:TAG"),
    "model": ("s3://bucket/model.zip", "s3://BUCKET/KEY.tar.gz, https://"),
    "replicas": ("0", "from 1 to 1000"),
    "min": ("-1", "from 1 to 1000"),
    "max": ("many", "from 1 to 1000"),
    "cpu": ("2 cores", "2, 0.5 or 1500m"),
    "memory": ("400m", "for example 4Gi"),
    "gpu": ("one", "from 0 to 16"),
    "arch": ("x86", "amd64, arm64, any"),
    "user": ("root", "0 for root"),
    "scale-on": ("load", "queue, cpu, both"),
    "queue-target": ("0", "from 1 to 100000"),
    "monitor": ("statsd", "annotations, pod-monitor, service-monitor, none"),
    "service-account-role": ("reader", "arn:aws:iam::ACCOUNT:role/NAME"),
    "fetch-image": ("A B", "REGISTRY/NAME:TAG"),
    "env-secret": ("My_Secret", "name of a Secret"),
}


def test_every_bad_option_is_told_at_once_with_what_is_allowed() -> None:
    with pytest.raises(SlipwayError) as caught:
        read_plan({option: text for option, (text, _) in BAD.items()}, ["SLIPWAY_MAX_BATCH"])
    assert caught.value.exit_code == 2
    first, *lines = str(caught.value).splitlines()
    assert first == f"{len(BAD) + 1} of the options cannot be used:"
    told = dict(zip([*BAD, "env"], sorted(lines, key=lambda line: "--env is" in line), strict=True))
    for option, (text, allowed) in BAD.items():
        assert told[option].startswith(f"  - --{option} is {text!r}; allowed: ") and allowed in told[option]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"min": "3", "max": "2"}, "--min is 3, --max is 2"),
        ({"min": "2", "max": "4", "replicas": "1"}, "--min is 2, --replicas is 1"),
        ({"replicas": "5", "max": "4"}, "--replicas is 5, --max is 4"),
    ],
)
def test_the_counts_are_in_order(counts: dict[str, str], told: str) -> None:
    with pytest.raises(SlipwayError, match=f"{told}; allowed: min <= replicas <= max"):
        read_plan(GIVEN | counts, [])


@pytest.mark.parametrize(
    "variable", ["DB_PASSWORD=hunter2", "SAGEMAKER_BIND_TO_PORT=1", "SAGEMAKER_BASE_DIR=/x", "1A=hunter2"]
)
def test_a_variable_that_cannot_be_set_is_named_and_its_value_is_not_repeated(variable: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        read_plan(GIVEN, [variable])
    name, _, value = variable.partition("=")
    assert f"--env is {name!r}" in str(caught.value) and f"={value}" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        "s3://b/x.tar.gz",
        "s3://bucket",
        "http://h/m.tar.gz",
        "https://u:p@h/m.tar.gz",
        "pvc://claim/../x",
        "m.tar.gz",
        "s3://[b/m.tar.gz",
    ],
)
def test_models_from_elsewhere_are_refused(model: str) -> None:
    with pytest.raises(SlipwayError, match="--model is"):
        read_plan(GIVEN | {"model": model}, [])


def test_a_signature_is_not_repeated() -> None:
    with pytest.raises(SlipwayError) as caught:
        read_plan(GIVEN | {"model": "https://host/model.zip?X-Amz-Signature=hunter2"}, [])
    assert "hunter2" not in str(caught.value)


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, ["export", *words])


def test_the_command_writes_to_standard_output_and_notes_beside_it() -> None:
    done = slipway("export", "kubernetes", *OPTIONS)
    assert done.returncode == 0, done.stderr
    kinds = [found["kind"] for found in yaml.safe_load_all(done.stdout)]
    assert kinds == ["ServiceAccount", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
    assert (
        done.stderr
        == "note: the autoscaler's queue metric comes from prometheus-adapter: slipway export adapter-rule\n"
    )


def test_facts_for_programs(tmp_path: Path) -> None:
    done = invoke("kubernetes", *OPTIONS, "--json", "--output", str(tmp_path / "all.yaml"))
    facts = json.loads(done.stdout)
    assert facts["stack"] is None and facts["written"] == [str(tmp_path / "all.yaml")]
    assert facts["manifests"] == list(yaml.safe_load_all((tmp_path / "all.yaml").read_text()))
    assert json.loads(invoke("adapter-rule", "--json").stdout) == yaml.safe_load(invoke("adapter-rule").stdout)


def test_what_no_stack_can_tell_must_be_given() -> None:
    done = slipway("export", "kubernetes", "--stack", "nope", "--cpu", "x")
    assert done.returncode == 2
    assert "not given: --image, --model, --memory; stack nope cannot tell: no stack 'nope'" in done.stderr
    assert "--cpu is 'x'" in done.stderr
