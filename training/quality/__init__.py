"""What a trained model is worth, said honestly: metrics with intervals, a gate, a paired test, a report.

    quality = evaluate(task, outputs, targets, labels)       # outputs of the served program on the test part
    print(quality.log_line())                                # test_accuracy=0.9972 test_accuracy_low=0.9845 ...
    baseline = paired_test(quality, quality_of_the_served_model)
    verdict = judge(quality, config.gate, baseline)          # and gate.log_line, gate.refusal
    document = metrics_document(quality, verdict, ...)       # metrics.json
    write_report(folder, ReportData(...))                    # report.html and its plots

Only numpy is needed, and matplotlib for the report, which imports it on first use.
"""

from training.quality.cases import Case, Shown, hardest_cases
from training.quality.document import example_ids, metrics_document
from training.quality.evaluation import evaluate
from training.quality.gate import judge
from training.quality.intervals import Metric
from training.quality.limits import check_limits
from training.quality.paired import PairedTest, paired_test
from training.quality.pictures import Pictures, to_pixels
from training.quality.record import Quality
from training.quality.report import ReportData, warm, write_report

__all__ = [
    "Case",
    "Metric",
    "PairedTest",
    "Pictures",
    "Quality",
    "ReportData",
    "Shown",
    "check_limits",
    "evaluate",
    "example_ids",
    "hardest_cases",
    "judge",
    "metrics_document",
    "paired_test",
    "to_pixels",
    "warm",
    "write_report",
]
