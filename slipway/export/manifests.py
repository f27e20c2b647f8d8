"""All objects of an export, in the order in which they are applied."""

from slipway.export.plan import Plan
from slipway.export.scaling import autoscaler, disruption_budget
from slipway.export.workload import METRICS, PORT_NAME, Manifest, deployment, labels, metadata

SERVICE_PORT = 80
SCRAPE_INTERVAL = "15s"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"


def manifests(plan: Plan) -> list[Manifest]:
    """The same plan gives the same objects."""
    monitors = {"pod-monitor": pod_monitor, "service-monitor": service_monitor}
    return [
        service_account(plan),
        deployment(plan),
        service(plan),
        *([autoscaler(plan)] if plan.scales else []),
        disruption_budget(plan),
        *([monitors[plan.monitor](plan)] if plan.monitor in monitors else []),
    ]


def service_account(plan: Plan) -> Manifest:
    """On EKS the annotation gives the pods a role, for the model's bucket (IRSA)."""
    more = {"annotations": {ROLE_ANNOTATION: plan.role}} if plan.role else {}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(plan, **more),
        "automountServiceAccountToken": False,
    }


def service(plan: Plan) -> Manifest:
    """One address inside the cluster for all pods that are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(plan),
        "spec": {
            "type": "ClusterIP",
            "selector": labels(plan),
            "ports": [
                {"name": PORT_NAME, "port": SERVICE_PORT, "targetPort": PORT_NAME, "protocol": "TCP"},
            ],
        },
    }


def pod_monitor(plan: Plan) -> Manifest:
    """For the Prometheus operator."""
    return _monitor(plan, "PodMonitor", "podMetricsEndpoints")


def service_monitor(plan: Plan) -> Manifest:
    """For the Prometheus operator, where it selects services only."""
    return _monitor(plan, "ServiceMonitor", "endpoints")


def _monitor(plan: Plan, kind: str, endpoints: str) -> Manifest:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": kind,
        "metadata": metadata(plan),
        "spec": {
            "selector": {"matchLabels": labels(plan)},
            endpoints: [{"port": PORT_NAME, "path": METRICS, "interval": SCRAPE_INTERVAL}],
        },
    }
