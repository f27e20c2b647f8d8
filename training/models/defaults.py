"""What each model wants other defaults for than the general ones (training.options), with how they were found.

All were chosen by cross-validation inside the training part of real data sets (training.samples), never on a test
part. The figures are means over held-out folds: four of the digits and the docstrings, five of the tables, and a single
one for the slow resnet9, lstm and transformer. For comparison, scikit-learn's LinearSVC of TF-IDF words and pairs has
0.880 on the docstrings (0.875 on that single fold).

The large networks train in bf16 where the hardware multiplies it (`precision` auto): 1.5 to 2.4 times the speed on two
cores at the same accuracy. Small ones gain nothing from it; a cnn does from images of some 28x28 pixels on.
"""

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # Digits 0.995; enlarged to 28x28 0.996 (of two folds). The general defaults are this model's.
    "cnn": {},
    # Digits 0.990; the general width 24 and 20 epochs give 0.981.
    "mlp": {"width": 64, "epochs": 40},
    # Digits as 32x32 colour images 0.997; at a peak of 0.01 0.992, in three epochs 0.969.
    "resnet9": {"width": 64, "epochs": 5, "learning_rate": 0.003, "precision": "auto"},
    # Docstrings 0.884; with dropout 0.3 0.883, in half the epochs 0.881.
    "fasttext": {"width": 64, "epochs": 30, "dropout": 0.5, "word_dropout": 0.2},
    # Docstrings 0.864; two layers give 0.849.
    "lstm": {
        "width": 128,
        "depth": 1,
        "epochs": 10,
        "learning_rate": 0.003,
        "dropout": 0.4,
        "word_dropout": 0.2,
        "precision": "auto",
    },
    # Docstrings 0.864; the texts are too few for attention to gain anything.
    "transformer": {
        "width": 128,
        "depth": 2,
        "heads": 4,
        "epochs": 10,
        "learning_rate": 0.001,
        "dropout": 0.3,
        "word_dropout": 0.2,
        "precision": "auto",
    },
    # breast_cancer 0.981, wine 0.972, diabetes R2 0.485; without dropout 0.981, 0.958 and 0.367.
    "tabular_mlp": {"width": 64, "depth": 2, "epochs": 50, "batch_size": 32, "learning_rate": 0.003, "dropout": 0.4},
    "logistic": {},
    # Diabetes R2 0.509; 1 gives 0.507, 100 gives 0.497.
    "linear": {"regularization": 30.0},
    # C of 3 is better for breast_cancer (0.982, 0.980) and wine, and of 0.3 for diabetes (R2 0.48, 0.45).
    "svm": {},
    "random_forest": {},
    # Digits, mean squared error 0.0117 with 8 numbers for each image; a PCA of 8 components has 0.0243.
    "vae": {"epochs": 100, "learning_rate": 0.003, "shift_pixels": 0},
}
