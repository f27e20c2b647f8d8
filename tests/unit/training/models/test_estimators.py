"""scikit-learn's estimators: what is served as ONNX is what was fitted, also for rows with missing cells."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.unit.training.made_up import COLUMNS, LABELS, config, table_data
from training.config import TrainingConfig
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.errors import DataError
from training.models import get
from training.models.estimators import FittedEstimator

CASES = [
    (name, task)
    for task in ("tabular-classification", "tabular-regression")
    for name in ("logistic", "linear", "svm", "random_forest")
    if task in get(name).tasks
]


def _fitted(name: str, data: DataSet, **values: object) -> FittedEstimator:
    settings: TrainingConfig = config(name, **{"trees": 10, "threads": 1, **values})
    return get(name).fit(data, settings)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_onnx_program_answers_as_the_fitted_pipeline(name: str, task: str) -> None:
    data = table_data(task, rows=90)
    fitted = _fitted(name, data)
    program = fitted.to_onnx()
    onnx.checker.check_model(onnx.load_from_string(program))
    session = onnxruntime.InferenceSession(program, providers=["CPUExecutionProvider"])
    (source,), (result,) = session.get_inputs(), session.get_outputs()
    assert (source.type, source.shape) == ("tensor(float)", [None, len(COLUMNS)])
    assert result.shape == [None, len(LABELS) if data.labels else 1]
    judged, targets = fitted.quality_inputs(data.test)
    rows = data.test.plan(None)[0].read()[0].numpy()
    assert np.isnan(rows).any()
    for count in (1, len(rows)):
        answers = session.run(None, {source.name: rows[:count]})[0]
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, judged[:count], rtol=1e-5, atol=1e-5)
    if data.labels:
        np.testing.assert_allclose(judged.sum(1), 1.0, atol=1e-6)
        assert (judged.argmax(1) == targets).mean() > 0.6
    else:
        assert np.square(judged[:, 0] - targets).mean() < np.var(targets)


def test_the_same_fit_gives_the_same_bytes() -> None:
    data = table_data()
    assert _fitted("random_forest", data).to_onnx() == _fitted("random_forest", data).to_onnx()
    assert _fitted("random_forest", data).to_onnx() != _fitted("random_forest", data, seed=1).to_onnx()


def test_an_empty_column_and_a_table_of_categories_alone_are_fitted() -> None:
    data = table_data()
    rows, targets = data.train.plan(None)[0].read()
    empty = rows.clone()
    empty[:, 0] = torch.nan
    part = MemoryPart(inputs=empty, targets=targets)
    assert np.isfinite(_fitted("logistic", dataclasses.replace(data, train=part)).predict(empty.numpy())).all()
    assert np.isfinite(_fitted("random_forest", dataclasses.replace(data, train=part)).predict(empty.numpy())).all()
    schema = dataclasses.replace(data.input, columns=(COLUMNS[1], COLUMNS[5]), shape=(2,))
    part = MemoryPart(inputs=rows[:, [1, 5]], targets=targets)
    fitted = _fitted("logistic", dataclasses.replace(data, input=schema, train=part))
    assert np.isfinite(fitted.predict(rows[:, [1, 5]].numpy())).all()


def test_balanced_weights_call_a_rare_class_more_often() -> None:
    data = table_data(rows=90, missing=0.0)
    rows, targets = data.train.plan(None)[0].read()
    kept = (targets != 0) | (torch.arange(len(targets)) < 9)
    part = MemoryPart(inputs=rows[kept], targets=targets[kept])
    rare = dataclasses.replace(data, train=part)
    shares = [
        (_fitted("logistic", rare, class_weights=weights).predict(rows.numpy()).argmax(1) == 0).sum()
        for weights in ("none", "balanced")
    ]
    assert shares[0] < shares[1]


def test_a_label_without_rows_is_named() -> None:
    data = table_data()
    rows, targets = data.train.plan(None)[0].read()
    without = MemoryPart(inputs=rows[targets != 1], targets=targets[targets != 1])
    with pytest.raises(DataError, match="labels b have no training row"):
        _fitted("logistic", dataclasses.replace(data, train=without))
    once = (targets != 1) | (torch.arange(len(targets)) == 1)
    single = MemoryPart(inputs=rows[once], targets=targets[once])
    with pytest.raises(DataError, match="label 'b' has 1 training row, and its scores need 2 or more"):
        _fitted("svm", dataclasses.replace(data, train=single))
