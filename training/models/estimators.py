"""scikit-learn's estimators for tables: fitted in one go, served as ONNX.

    fitted = registry.get("random_forest").fit(data, config)
    program = fitted.to_onnx()          # float32 (N, columns) in, scores (N, labels) or values (N, 1) out

The whole training part is held in memory. scikit-learn is imported when a function here is called, which takes seconds.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError
from training.options import LoopOptions, ModelOptions, OptimizerOptions

if TYPE_CHECKING:
    from training.data.types import DataSet, Part

Floats = NDArray[np.float32]
REGRESSION = "tabular-regression"
MAX_ITERATIONS = 1000  # of the logistic regression's solver; its own 100 end early on some tables
CALIBRATION_FOLDS = 5
SVR_TUBE = 0.1  # epsilon of scikit-learn's SVR, in deviations of the target


class EstimatorConfig(Protocol):
    """The sections of training.config.TrainingConfig that are read here."""

    @property
    def model(self) -> ModelOptions:
        """trees, regularization."""

    @property
    def optimizer(self) -> OptimizerOptions:
        """class_weights."""

    @property
    def loop(self) -> LoopOptions:
        """seed, threads."""


@dataclass(frozen=True, kw_only=True)
class FittedEstimator:
    """A scikit-learn pipeline that is fitted; `columns` wide rows go in, `labels` is 0 for a regression."""

    pipeline: Any
    columns: int
    labels: int

    def predict(self, rows: Floats) -> Floats:
        """float32 (n, columns), a category as its index, missing as NaN -> scores (n, labels) or values (n, 1)."""
        pipeline = self.pipeline
        found = pipeline.predict_proba(rows) if self.labels else pipeline.predict(rows).reshape(-1, 1)
        return np.asarray(found, np.float32)

    def quality_inputs(self, part: "Part") -> tuple[NDArray[Any], NDArray[Any]]:
        """(scores (n, labels) or values (n, 1), targets) of a whole part, for training.quality.evaluate."""
        rows, targets = _gathered(part)
        return self.predict(rows), targets

    def to_onnx(self) -> bytes:
        """The pipeline as an ONNX model; the same pipeline gives the same bytes."""
        from training.models.estimator_onnx import to_onnx

        return to_onnx(self.pipeline, columns=self.columns, labels=self.labels)


def logistic(data: "DataSet", config: EstimatorConfig) -> FittedEstimator:
    """Logistic regression, `regularization` being the strength of its L2 term."""
    from sklearn.linear_model import LogisticRegression

    rows, targets = _classes(data)
    estimator = LogisticRegression(
        C=1.0 / config.model.regularization, max_iter=MAX_ITERATIONS, class_weight=_class_weight(config)
    )
    return _fitted(data, estimator, rows, targets)


def linear(data: "DataSet", config: EstimatorConfig) -> FittedEstimator:
    """Ridge regression, `regularization` being the strength of its L2 term."""
    from sklearn.linear_model import Ridge

    return _fitted(data, Ridge(alpha=config.model.regularization), *_gathered(data.train))


def svm(data: "DataSet", config: EstimatorConfig) -> FittedEstimator:
    """Support vectors with a radial kernel; `regularization` is C.

    A support vector machine gives no probabilities. For its scores a sigmoid over each class's decision value is fitted
    to predictions of held-out fifths (Platt, 1999; the machine that is served learns from all rows).
    The regression's C and tube are in deviations of the target: the same as standardising it.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC, SVR

    strength = config.model.regularization
    if data.task == REGRESSION:
        rows, targets = _gathered(data.train)
        deviation = float(targets.std()) or 1.0
        return _fitted(data, SVR(C=strength * deviation, epsilon=SVR_TUBE * deviation), rows, targets)
    rows, targets = _classes(data)
    rarest = int(np.bincount(targets).min())
    if rarest < 2:
        label = data.labels[int(np.bincount(targets).argmin())]
        raise DataError(
            f"svm: label {label!r} has {rarest} training row, and its scores need 2 or more; add rows, or use logistic"
        )
    machine = SVC(C=strength, class_weight=_class_weight(config))
    folds = min(CALIBRATION_FOLDS, rarest)
    return _fitted(data, CalibratedClassifierCV(machine, ensemble=False, cv=folds), rows, targets)


def random_forest(data: "DataSet", config: EstimatorConfig) -> FittedEstimator:
    """A forest of `trees` trees; scores are the mean of the trees' shares."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    common = {
        "n_estimators": config.model.trees,
        "random_state": config.loop.seed,
        "n_jobs": config.loop.threads or -1,
    }
    # A tree asks only which side of a threshold a value is on; scaling would only add rounding to the question.
    if data.task == REGRESSION:
        return _fitted(data, RandomForestRegressor(**common), *_gathered(data.train), scaled=False)
    rows, targets = _classes(data)
    forest = RandomForestClassifier(**common, class_weight=_class_weight(config))
    return _fitted(data, forest, rows, targets, scaled=False)


def _fitted(
    data: "DataSet", estimator: Any, rows: Floats, targets: NDArray[Any], *, scaled: bool = True
) -> FittedEstimator:
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("columns", _columns(data, scaled=scaled)), ("estimator", estimator)])
    with np.errstate(invalid="ignore"):  # the mean of a column without any value
        pipeline.fit(rows, targets)
    return FittedEstimator(pipeline=pipeline, columns=rows.shape[1], labels=len(data.labels))


def _columns(data: "DataSet", *, scaled: bool) -> Any:
    """Numbers imputed by their mean (and standardised), categories one-hot; a missing or unknown one is all zeros."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = data.input.columns
    numbers = [index for index, column in enumerate(columns) if not column.categories]
    categories = [index for index, column in enumerate(columns) if column.categories]
    # The scaler leaves NaN out of its statistics, and 0 is then the mean.
    zeros = SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True)
    means = SimpleImputer(strategy="mean", keep_empty_features=True)
    codes = [np.arange(len(columns[index].categories), dtype=np.float32) for index in categories]
    encoder = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    parts = [
        ("numbers", make_pipeline(StandardScaler(), zeros) if scaled else means, numbers),
        ("categories", encoder, categories),
    ]
    return ColumnTransformer([part for part in parts if part[2]])


def _classes(data: "DataSet") -> tuple[Floats, NDArray[np.int64]]:
    """Rows and class numbers of the training part; raises DataError where a label has no row there."""
    rows, targets = _gathered(data.train)
    counts = np.bincount(targets, minlength=len(data.labels))
    missing = [label for label, count in zip(data.labels, counts, strict=True) if count == 0]
    if missing:
        raise DataError(f"labels {', '.join(missing[:5])} have no training row; add rows of them, or split anew")
    return rows, targets


def _gathered(part: "Part") -> tuple[Floats, NDArray[Any]]:
    windows = [window.read() for window in part.plan(None)]
    inputs, targets = zip(*windows, strict=True)
    return np.concatenate([rows.numpy() for rows in inputs]), np.concatenate([found.numpy() for found in targets])


def _class_weight(config: EstimatorConfig) -> str | None:
    return "balanced" if config.optimizer.class_weights == "balanced" else None
