"""Metrics against scikit-learn's."""

import numpy as np
import torch
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from training.evaluate import evaluate


def test_metrics_are_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.softmax(torch.randn(300, 4, generator=generator, dtype=torch.float64), 1)
    targets = torch.randint(0, 3, (300,), generator=generator)  # class 3 never occurs
    result = evaluate(scores, targets, ("a", "b", "c", "d"))
    called = scores.argmax(1)
    assert result.accuracy == float((called == targets).double().mean())
    assert abs(result.loss - log_loss(targets, scores, labels=range(4))) < 1e-9
    np.testing.assert_array_equal(result.confusion, confusion_matrix(targets, called, labels=range(4)))
    expected = precision_recall_fscore_support(targets, called, labels=range(4), zero_division=0)
    for row, label in enumerate("abcd"):
        ours = result.per_class()[label]
        np.testing.assert_allclose(list(ours.values()), [column[row] for column in expected])
