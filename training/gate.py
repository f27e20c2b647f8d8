"""The quality gate: below it, no artifact leaves the job."""

from inference.artifact import GateVerdict


def judge(accuracy: float, min_accuracy: float) -> GateVerdict:
    """The verdict that goes into the manifest; equal to the minimum passes."""
    return GateVerdict(passed=accuracy >= min_accuracy, metric="test_accuracy", value=accuracy, minimum=min_accuracy)


def log_line(verdict: GateVerdict) -> str:
    """One line for the log and for metric regexes."""
    word = "passed" if verdict.passed else "refused"
    return f"gate={word} min_accuracy={verdict.minimum:g} test_accuracy={verdict.value:.4f}"


def refusal(verdict: GateVerdict) -> str:
    """The reason a user reads in FailureReason."""
    return (
        f"accuracy {verdict.value:.4f} is below the gate {verdict.minimum:g} (hyperparameter min_accuracy); "
        "no artifact was written; train longer or wider, or lower the gate"
    )
