"""The best of scikit-learn's stock models on a sample's own split: every estimator with its defaults, best test value.

Choosing by the test part flatters the stock models a little; they are the bar, so that is the right side to err on.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data import Host, load
from training.data.split import stratified_split
from training.data.types import Part
from training.options import DataOptions

LATENT = 8  # of training.options


@dataclass(frozen=True, kw_only=True)
class Stock:
    """The best model's name and its value: accuracy, R2, or reconstruction error."""

    name: str
    value: float


def best_stock(channel: Path, options: dict[str, str]) -> Stock:
    """Fit each and keep the best on the test part of `channel`, divided as `train` divides it."""
    task = options["task"]
    if task == "text-classification":
        return max(_texts(channel), key=lambda stock: stock.value)
    data = load(channel, DataOptions(task=task), Host())
    train, test = _rows(data.train), _rows(data.test)
    if task == "image-generation":
        return _pca(train[0], test[0], data.input.value_range)
    models = _regressors() if task == "tabular-regression" else _classifiers()
    found = (Stock(name=name, value=float(model.fit(*train).score(*test))) for name, model in models)
    return max(found, key=lambda stock: stock.value)


def _rows(part: Part) -> tuple[Any, Any]:
    windows = [window.read() for window in part.plan(None)]
    inputs = np.concatenate([rows.numpy() for rows, _ in windows]).astype(np.float64)
    return inputs.reshape(len(inputs), -1), np.concatenate([targets.numpy() for _, targets in windows])


def _classifiers() -> Iterator[tuple[str, Any]]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    yield "RandomForest", RandomForestClassifier(random_state=0)
    for model in (SVC(), LogisticRegression(max_iter=1000), KNeighborsClassifier(), MLPClassifier(random_state=0)):
        yield f"scaled {type(model).__name__}", make_pipeline(StandardScaler(), model)
    yield "SVC", SVC()


def _regressors() -> Iterator[tuple[str, Any]]:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LassoCV, LinearRegression, RidgeCV
    from sklearn.svm import SVR

    for model in (LinearRegression(), RidgeCV(), LassoCV(), SVR(), HistGradientBoostingRegressor()):
        yield type(model).__name__, model
    yield "RandomForest", RandomForestRegressor(random_state=0)


def _texts(channel: Path) -> Iterator[Stock]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    with next(channel.glob("*.csv")).open(encoding="utf-8", newline="") as stream:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(stream)]
    texts, labels = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    train, test = stratified_split(np.unique(labels.astype(str), return_inverse=True)[1], DataOptions().test_fraction)
    vectors = TfidfVectorizer(ngram_range=(1, 2))
    inputs, held_out = vectors.fit_transform(texts[train]), vectors.transform(texts[test])
    for model in (LogisticRegression(max_iter=1000), LinearSVC(), ComplementNB()):
        value = model.fit(inputs, labels[train].astype(str)).score(held_out, labels[test].astype(str))
        yield Stock(name=f"TF-IDF of words and pairs, {type(model).__name__}", value=float(value))


def _pca(train: Any, test: Any, value_range: tuple[float, float]) -> Stock:
    from sklearn.decomposition import PCA

    model = PCA(LATENT).fit(train)
    error = model.inverse_transform(model.transform(test)) - test
    return Stock(
        name=f"PCA, {LATENT} components", value=float(np.square(error / (value_range[1] - value_range[0])).mean())
    )
