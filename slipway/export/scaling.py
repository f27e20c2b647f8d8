"""The autoscaler, and what prometheus-adapter must know for it to see the queue.

Kubernetes itself knows of CPU and memory only; `slipway_queue_instances` comes from the server's /metrics by way of
Prometheus and prometheus-adapter. With both metrics the larger count wins, and while one of them cannot be read the
autoscaler still adds pods by the other, and removes none (KEP-117 and the HPA guide, "Algorithm details").
"""

from slipway.export.plan import Plan
from slipway.export.workload import Manifest, labels, metadata

QUEUE_METRIC = "slipway_queue_instances"
QUEUE_WINDOW = "1m"  # a gauge read at one moment says little of a queue
CPU_TARGET_PERCENT = 70
SCALE_IN_WINDOW_SECONDS = 300  # as on SageMaker: infra/serving_section.py
SCALE_IN_PERIOD_SECONDS = 60


def autoscaler(plan: Plan) -> Manifest:
    """Adds pods at once, and takes one a minute after five quiet minutes."""
    kinds = {"queue": ("queue",), "cpu": ("cpu",), "both": ("queue", "cpu")}[plan.scale_on]
    metrics = {"queue": _queue(plan), "cpu": _cpu()}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(plan),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
            "minReplicas": plan.fewest,
            "maxReplicas": plan.most,
            "metrics": [metrics[kind] for kind in kinds],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": SCALE_IN_WINDOW_SECONDS,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": SCALE_IN_PERIOD_SECONDS}],
                }
            },
        },
    }


def _queue(plan: Plan) -> Manifest:
    target = {"type": "AverageValue", "averageValue": str(plan.queue_target)}
    return {"type": "Pods", "pods": {"metric": {"name": QUEUE_METRIC}, "target": target}}


def _cpu() -> Manifest:
    target = {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def disruption_budget(plan: Plan) -> Manifest:
    """A drained node takes one pod at a time; one that never became ready holds nobody up."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(plan),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels(plan)},
        },
    }


def adapter_rule() -> Manifest:
    """Values of the Helm chart prometheus-community/prometheus-adapter: the metric, by the labels of its pod."""
    names = ("namespace", "pod")
    return {
        "rules": {
            "custom": [
                {
                    "seriesQuery": f'{QUEUE_METRIC}{{namespace!="",pod!=""}}',
                    "resources": {"overrides": {name: {"resource": name} for name in names}},
                    "name": {"matches": f"^{QUEUE_METRIC}$", "as": QUEUE_METRIC},
                    "metricsQuery": (
                        f"sum(avg_over_time(<<.Series>>{{<<.LabelMatchers>>}}[{QUEUE_WINDOW}])) by (<<.GroupBy>>)"
                    ),
                }
            ]
        }
    }
