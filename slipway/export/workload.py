"""The Deployment: pods that run the image as SageMaker does, with `serve`, and lose no request when they go.

A pod that must go is taken from the Service's endpoints while its preStop waits; then the server gets SIGTERM, answers
what it has, and ends. terminationGracePeriodSeconds covers both. The pods meet the pod security standard "restricted".
"""

from pathlib import Path
from typing import Any

from slipway.export import rules
from slipway.export.plan import Plan

Manifest = dict[str, Any]
PORT, PORT_NAME, PING, METRICS = 8080, "http", "/ping", "/metrics"
MODEL_FOLDER = "/opt/ml/model"
PRE_STOP_SECONDS = 15
"""Until kube-proxies and load balancers have heard that the pod is gone."""
MARGIN_SECONDS = 10
STARTUP_SECONDS = 600
"""From the server's start until its model has answered its examples; SageMaker's default is 900 on a GPU instance."""
PROGRESS_SECONDS = 1800
"""Pulling an image with CUDA, fetching the model and the start, before a rollout counts as stuck."""
FETCH_SCRIPT = Path(__file__).with_name("fetch_model.py")


def labels(plan: Plan) -> dict[str, str]:
    """What a selector asks for: it can never be changed, so it names nothing that changes."""
    return {"app.kubernetes.io/name": "slipway", "app.kubernetes.io/instance": plan.name}


def metadata(plan: Plan, **more: Any) -> Manifest:
    """Name, namespace and labels of an object."""
    every = {**labels(plan), "app.kubernetes.io/component": "serving", "app.kubernetes.io/managed-by": "slipway"}
    return {"name": plan.name, "namespace": plan.namespace, "labels": every, **more}


def deployment(plan: Plan) -> Manifest:
    """The pods and how they are replaced: a new one is ready before an old one goes."""
    count = plan.replicas if plan.scales else plan.replicas or plan.fewest
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(plan),
        "spec": {
            # With an autoscaler a count here would be put back to by every `kubectl apply`.
            **({} if count is None else {"replicas": count}),
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": PROGRESS_SECONDS,
            "selector": {"matchLabels": labels(plan)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": _pod_metadata(plan), "spec": _pod(plan)},
        },
    }


def _pod_metadata(plan: Plan) -> Manifest:
    found: Manifest = {"labels": metadata(plan)["labels"]}
    if plan.monitor == "annotations":
        scrape = {"scrape": "true", "port": str(PORT), "path": METRICS}
        found["annotations"] = {f"prometheus.io/{key}": value for key, value in scrape.items()}
    return found


def _pod(plan: Plan) -> Manifest:
    pod: Manifest = {
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": False,  # the server asks Kubernetes for nothing
        "enableServiceLinks": False,  # a Service called slipway would set SLIPWAY_PORT and others in every pod
        "terminationGracePeriodSeconds": PRE_STOP_SECONDS + plan.drain_seconds + MARGIN_SECONDS,
        "nodeSelector": _node_selector(plan),
        "topologySpreadConstraints": [
            _spread(plan, key) for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        "securityContext": _pod_security(plan),
    }
    if plan.gpus:
        pod["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    if plan.model.fetched:
        pod["initContainers"] = [_fetch(plan)]
    return {**pod, "containers": [_server(plan)], "volumes": [_model_volume(plan), {"name": "tmp", "emptyDir": {}}]}


def _node_selector(plan: Plan) -> Manifest:
    arch = {} if plan.arch == "any" else {"kubernetes.io/arch": plan.arch}
    return {"kubernetes.io/os": "linux", **arch}


def _spread(plan: Plan, key: str) -> Manifest:
    """Over zones and nodes where that is possible, each revision by itself."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels(plan)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _pod_security(plan: Plan) -> Manifest:
    user = {"runAsUser": plan.user, "runAsGroup": plan.user}
    safe = {"runAsNonRoot": True} if plan.user else {}
    return {**safe, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def _container_security() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _server(plan: Plan) -> Manifest:
    secret = [{"secretRef": {"name": plan.env_secret}}] if plan.env_secret else None
    gpus = {"nvidia.com/gpu": str(plan.gpus)} if plan.gpus else {}
    return {
        "name": "serve",
        "image": plan.image,
        "args": ["serve"],
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(plan),
        **({"envFrom": secret} if secret else {}),
        "resources": _resources({**_size(plan), **gpus}),
        "startupProbe": _probe(period_seconds=2, failures=STARTUP_SECONDS // 2),
        "readinessProbe": _probe(period_seconds=5, failures=2),
        # Patient: under load a ping waits for a batch, and a restart would make the load worse.
        "livenessProbe": _probe(period_seconds=10, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "securityContext": _container_security(),
        "volumeMounts": [_model_mount(plan, read_only=True), {"name": "tmp", "mountPath": "/tmp"}],
    }


def _environment(plan: Plan) -> list[Manifest]:
    own = {
        "HOME": "/tmp",  # the only folder that can be written
        "USER": "serve",  # torch asks for a name, which a bare user id has not
        rules.DRAIN: str(plan.drain_seconds),
    }
    return [{"name": name, "value": value} for name, value in {**own, **plan.environment}.items()]


def _size(plan: Plan) -> dict[str, str]:
    return {"cpu": plan.cpu, "memory": plan.memory}


def _resources(size: dict[str, str]) -> Manifest:
    """Limits as requested: the server makes as many threads as its CPU limit has CPUs."""
    return {"requests": dict(size), "limits": dict(size)}


def _probe(*, period_seconds: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": PING, "port": PORT_NAME},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def _fetch(plan: Plan) -> Manifest:
    """The init container: fetch_model.py as an argument, run by the image's own Python."""
    region = [{"name": "AWS_DEFAULT_REGION", "value": plan.region}] if plan.region else []
    return {
        "name": "fetch-model",
        "image": plan.fetch_image or plan.image,
        "command": ["python3", "-c"],
        "args": [FETCH_SCRIPT.read_text(), plan.model.uri, MODEL_FOLDER],
        "env": [{"name": "HOME", "value": "/tmp"}, *region],
        "resources": _resources(_size(plan)),
        "securityContext": _container_security(),
        "volumeMounts": [_model_mount(plan, read_only=False), {"name": "tmp", "mountPath": "/tmp"}],
    }


def _model_volume(plan: Plan) -> Manifest:
    if plan.model.fetched:
        return {"name": "model", "emptyDir": {}}
    return {"name": "model", "persistentVolumeClaim": {"claimName": plan.model.claim, "readOnly": True}}


def _model_mount(plan: Plan, *, read_only: bool) -> Manifest:
    folder = {"subPath": plan.model.folder} if plan.model.folder else {}
    return {"name": "model", "mountPath": MODEL_FOLDER, **folder, **({"readOnly": True} if read_only else {})}
