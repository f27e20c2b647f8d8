"""Preprocessing against scikit-learn's, and the layouts of images."""

import numpy as np
import torch

from tests.unit.training.made_up import COLUMNS, image_data, table_data, text_data
from training.tasks import create_preprocess, measure


def test_a_table_is_scaled_imputed_and_encoded_as_by_scikit_learn() -> None:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    data = table_data(rows=50)
    rows = data.train.plan(None)[0].read()[0]
    numbers = [index for index, column in enumerate(COLUMNS) if not column.categories]
    categories = [index for index, column in enumerate(COLUMNS) if column.categories]
    codes = [np.arange(len(COLUMNS[index].categories), dtype=np.float64) for index in categories]
    theirs = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.0)), numbers),
            ("categories", OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False), categories),
        ]
    )
    expected = theirs.fit_transform(rows.double().numpy())
    preprocess = create_preprocess(data.input, measure(data, class_counts=False))
    found = preprocess(rows)
    assert found.dtype == torch.float32 and found.shape[1:] == preprocess.shape == (9,)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)  # float32 of values near 1000: 6e-5 each


def test_missing_numbers_are_the_mean_and_missing_categories_none() -> None:
    data = table_data()
    preprocess = create_preprocess(data.input, measure(data, class_counts=False))
    assert preprocess(torch.full((1, len(COLUMNS)), torch.nan)).eq(0.0).all()
    beyond = torch.tensor([[0.0, 9.0, 0.0, 0.0, 0.0, -1.0]])  # no index of a category
    assert preprocess(beyond)[0, 4:].eq(0.0).all()


def test_images_come_out_channels_first_from_0_to_1() -> None:
    grey, colour = image_data((8, 8), maximum=16.0), image_data((9, 10, 3))
    for data, shape in ((grey, (1, 8, 8)), (colour, (3, 9, 10))):
        preprocess = create_preprocess(data.input, measure(data, class_counts=False))
        rows = data.train.plan(None)[0].read()[0]
        found = preprocess(rows)
        assert found.dtype == torch.float32 and found.shape[1:] == preprocess.shape == shape
        assert torch.equal(found, preprocess(rows.float()))
    assert found[2, 1, 3, 4] == rows[2, 3, 4, 1] / 255
    assert preprocess(torch.full((1, 9, 10, 3), 255, dtype=torch.uint8)).eq(1.0).all()


def test_an_image_range_that_does_not_begin_at_0_is_moved() -> None:
    from training.tasks.preprocess import ImagePreprocess

    assert ImagePreprocess((1, 3), -1.0, 1.0)(torch.tensor([[[-1.0, 0.0, 1.0]]])).flatten().tolist() == [0.0, 0.5, 1.0]


def test_texts_become_int64() -> None:
    data = text_data()
    rows = data.train.plan(None)[0].read()[0]
    found = create_preprocess(data.input, measure(data, class_counts=False))(rows)
    assert rows.dtype == torch.int32 and found.dtype == torch.int64 and torch.equal(found, rows.long())
