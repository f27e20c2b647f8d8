"""What SageMaker reads out of a run's log: train:loss, validation:*, test:*, by regular expressions.

`train` prints `epoch=3/20 step=69/460 loss=0.5123 ... examples_per_second=3456`, then `validation_accuracy=...`, and at
its end `test_accuracy=... test_loss=...`. What a task does not have is not printed, and SageMaker then knows no such
metric.
"""

NUMBER = r"([0-9.eE+-]+)"
METRIC_LIMIT = 40  # metric definitions of one job, from the API model
TRAIN = ("loss", "examples_per_second")
VALIDATION = ("accuracy", "loss", "rmse", "r2", "reconstruction")
TEST = (
    *("accuracy", "loss", "precision", "recall", "f1", "auc", "calibration_error"),
    *("rmse", "mae", "r2", "reconstruction"),
)
METRICS = {
    **{f"train:{name}": rf"\b{name}={NUMBER}" for name in TRAIN},
    **{f"validation:{name}": rf"\bvalidation_{name}={NUMBER}" for name in VALIDATION},
    **{f"test:{name}": rf"\btest_{name}={NUMBER}" for name in TEST},
}
"""Name as in CloudWatch and in `slipway runs` (there with `_`) -> regular expression with the number in its group."""
