"""Every hyperparameter of `train`, typed, in sections: name, default, range and what it is for.

SageMaker hands hyperparameters over as a flat map of strings, so a name is unique across the sections. The sections say
who reads an option: the data, the model, the optimizer, the loop, the augmentation, the gate, the export. Nothing here
imports torch: a mistyped option costs a tenth of a second, not a start. docs/hyperparameters.md is generated from here.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

TASKS = (
    "image-classification",
    "text-classification",
    "tabular-classification",
    "tabular-regression",
    "image-generation",
)


def number(default: float, minimum: float, maximum: float, about: str, **extra: Any) -> Any:
    """An int or float option (its annotation says which) from `minimum` to `maximum`, both allowed."""
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum, "about": about, **extra})


def choice(default: str, allowed: tuple[str, ...], about: str, **extra: Any) -> Any:
    """One of several words."""
    return field(default=default, metadata={"allowed": allowed, "about": about, **extra})


def switch(default: bool, about: str, **extra: Any) -> Any:
    """true or false."""
    return field(default=default, metadata={"about": about, **extra})


def text(default: str, about: str, **extra: Any) -> Any:
    """Any string; an empty one means what `about` says."""
    return field(default=default, metadata={"about": about, **extra})


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What the channel holds and how it is split."""

    task: str = choice("image-classification", TASKS, "what is learnt")
    target: str = text("", "table: column to predict; empty: the last one. Text: column of the label; empty: `label`")
    text_column: str = text("", "text: column of the text; empty: `text`")
    image_size: int = number(0, 0, 1024, "images are resized to this height and width, in pixels; 0: as they are")
    channels: int = number(0, 0, 3, "1 grey, 3 colour, 0: as the images are")
    max_tokens: int = number(64, 1, 4096, "text: tokens that are read of each example")
    vocabulary_size: int = number(10_000, 10, 1_000_000, "text: words and marks the tokenizer knows")
    test_fraction: float = number(0.2, 0.01, 0.9, "held out for the test, where the data set has no test part")
    validation_fraction: float = number(0.0, 0.0, 0.9, "held out of the training part, for early stopping and tuning")
    stream_above_mb: int = number(1024, 0, 2**20, "training parts above this many MiB are streamed from their shards")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and its size. Models have defaults of their own: see the table of models."""

    model: str = text("cnn", "a model of the registry, or of the `code` channel's files")
    width: int = number(24, 1, 8192, "channels of the first layer, hidden units, or embedding size")
    depth: int = number(2, 1, 48, "blocks or layers")
    heads: int = number(4, 1, 64, "attention heads of a transformer; divides width")
    dropout: float = number(0.0, 0.0, 0.9, "share of activations dropped while training")
    latent: int = number(8, 1, 4096, "vae: size of the code")
    trees: int = number(200, 1, 10_000, "random_forest: trees")
    regularization: float = number(1.0, 1e-6, 1e6, "linear, logistic: strength; svm: its inverse, C")


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """How the weights move."""

    optimizer: str = choice("adamw", ("adamw", "sgd"), "update rule; sgd has Nesterov momentum")
    learning_rate: float = number(0.01, 1e-7, 10.0, "the schedule's peak")
    weight_decay: float = number(0.01, 0.0, 1.0, "decoupled from the gradient with adamw, added to it with sgd")
    momentum: float = number(0.9, 0.0, 0.999, "sgd: momentum")
    schedule: str = choice("one_cycle", ("one_cycle", "cosine", "linear", "constant"), "learning rate over the run")
    warmup_fraction: float = number(0.3, 0.0, 0.9, "share of the steps in which the learning rate rises")
    clip_norm: float = number(0.0, 0.0, 1e6, "longest gradient, as its norm; 0: no clipping")
    label_smoothing: float = number(0.1, 0.0, 0.9, "classification: share of the target spread over all classes")
    class_weights: str = choice("none", ("none", "balanced"), "balanced: rare classes weigh more in the loss")


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How the steps are run. None of these changes what is learnt, except for rounding, where it says `exact`."""

    epochs: int = number(
        20,
        1,
        100_000,
        "passes over the training part",
    )
    batch_size: int = number(64, 1, 1_048_576, "examples of one update, over all processes")
    accumulate: int = number(1, 1, 1024, "parts that a batch is computed in, for less memory")
    seed: int = number(0, 0, 2**31 - 1, "weights, order and augmentation are drawn from it")
    precision: str = choice("fp32", ("auto", "fp32", "bf16", "fp16"), "of the arithmetic; auto: bf16 where it is fast")
    channels_last: bool = switch(True, "convolutions keep the channels innermost in memory, which is faster")
    compile: bool = switch(False, "torch.compile: pays on GPUs for long runs")
    deterministic: bool = switch(False, "only algorithms that give the same bits each time; slower on a GPU")
    ema_decay: float = number(
        0.0, 0.0, 0.99999, "serve a moving average of the weights, with this decay; 0: the last ones"
    )
    early_stopping_epochs: int = number(0, 0, 10_000, "stop after so many epochs without a better loss; 0: never")
    distributed: str = choice("ddp", ("ddp", "fsdp"), "several processes: each has all weights, or a share of them")
    processes: int = number(0, 0, 64, "on each host; 0: one for each GPU, or one")
    threads: int = number(0, 0, 1024, "of the arithmetic, in each process; 0: the cores, less one for the helpers")
    log_every_steps: int = number(
        0,
        0,
        10**9,
        "steps between log lines; 0: one line an epoch",
    )
    checkpoint_every_seconds: float = number(30.0, 0.0, 86_400.0, "between checkpoints; 0: after every epoch")


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """New views of training images, drawn anew for each epoch."""

    shift_pixels: int = number(1, 0, 64, "moved by up to so many whole pixels each way")
    flip: bool = switch(False, "half of them mirrored left to right")
    brightness: float = number(0.0, 0.0, 0.9, "pixel values scaled by up to this share either way")
    word_dropout: float = number(0.0, 0.0, 0.9, "text: share of tokens replaced by the unknown token")


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """What a model has to reach; below it no artifact leaves the job. The values 0 (or inf) ask for nothing."""

    min_accuracy: float = number(0.0, 0.0, 1.0, "classification: share of test examples called right")
    min_f1: float = number(0.0, 0.0, 1.0, "classification: mean F1 of the classes")
    min_auc: float = number(0.0, 0.0, 1.0, "classification: mean area under the ROC curve, one class against the rest")
    max_calibration_error: float = number(1.0, 0.0, 1.0, "classification: expected calibration error")
    min_r2: float = number(-1e9, -1e9, 1.0, "regression: share of the variance explained")
    max_rmse: float = number(1e30, 0.0, 1e30, "regression: root of the mean squared error, in units of the target")
    max_reconstruction: float = number(1e30, 0.0, 1e30, "generation: mean squared error, of pixels scaled to 0..1")
    baseline_significance: float = number(
        0.05, 0.0, 0.5, "refused if worse than the `baseline` channel's model at this level"
    )


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """In what forms the model leaves the job."""

    formats: str = choice("pt2", ("pt2", "onnx", "pt2+onnx"), "torch.export, ONNX or both; the first named is served")
    served_precision: str = choice("fp32", ("fp32", "bf16", "int8"), "of the weights that are served; int8 is ONNX")
    max_export_difference: float = number(0.0, 0.0, 1.0, "of a score from the trained model's; 0: by precision")
    report: bool = switch(True, "report.html with its plots in the job's output")


SECTIONS = {
    "data": DataOptions,
    "model": ModelOptions,
    "optimizer": OptimizerOptions,
    "loop": LoopOptions,
    "augment": AugmentOptions,
    "gate": GateOptions,
    "export": ExportOptions,
}


def options() -> "dict[str, tuple[str, dataclasses.Field[Any]]]":
    """Name -> (section, field) of every hyperparameter; names are unique."""
    found: dict[str, tuple[str, dataclasses.Field[Any]]] = {}
    for section, kind in SECTIONS.items():
        for option in dataclasses.fields(kind):
            assert option.name not in found, f"{option.name} is in two sections"
            found[option.name] = (section, option)
    return found
