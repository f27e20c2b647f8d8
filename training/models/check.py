"""Whether a user's network keeps to what its task needs, found out before any data is read."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from training.errors import ConfigError

if TYPE_CHECKING:
    from training.models.registry import ModelEntry, ModelSpec

GENERATION = "image-generation"
ROWS = 2


def check(entry: "ModelEntry", model: Any, spec: "ModelSpec") -> None:
    """Run `model` on two rows of zeros; raises ConfigError, with file and line, where it fails or answers wrongly."""
    where = f"{entry.place}: model {entry.name!r}"
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{where} gave an object of type {type(model).__name__}; return a torch.nn.Module")
    inputs = torch.zeros(ROWS, *spec.shape, dtype=torch.int64 if spec.vocabulary else torch.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            problem = _generator(model, inputs, spec) if spec.task == GENERATION else _answer(model, inputs, spec)
    except Exception as error:  # a user's forward may raise anything
        kind = type(error).__name__
        raise ConfigError(f"{where} fails on {inputs.dtype} {tuple(inputs.shape)}: {kind}: {error}") from error
    finally:
        model.train(was_training)
    if problem:
        raise ConfigError(f"{where}, given {inputs.dtype} {tuple(inputs.shape)}: {problem}")


def _answer(model: nn.Module, inputs: Tensor, spec: "ModelSpec") -> str:
    return _unlike("the output", model(inputs), (ROWS, spec.outputs))


def _generator(model: nn.Module, inputs: Tensor, spec: "ModelSpec") -> str:
    missing = [name for name in ("encode", "decode") if not callable(getattr(model, name, None))]
    if missing:
        return f"no method {' and '.join(missing)}; training.models.vae shows what image-generation needs"
    output: Any = model(inputs)
    mean, log_variance = model.encode(inputs)
    codes = (ROWS, spec.outputs)
    return (
        _unlike("the first result of encode", mean, codes)
        or _unlike("the second result of encode", log_variance, codes)
        or _unlike("the result of decode", model.decode(mean), tuple(inputs.shape))
        or _unlike("the output's `images`", getattr(output, "images", None), tuple(inputs.shape))
        or _unlike("the output's `mean`", getattr(output, "mean", None), codes)
        or _unlike("the output's `log_variance`", getattr(output, "log_variance", None), codes)
        or _unlike("the output's `log_deviation`", getattr(output, "log_deviation", None), ())
    )


def _unlike(what: str, value: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with `value`; empty where it is a floating-point tensor of `shape`."""
    if not isinstance(value, Tensor):
        return f"{what} is of type {type(value).__name__}; it has to be a float tensor of shape {shape}"
    if tuple(value.shape) != shape or not value.is_floating_point():
        return f"{what} is {value.dtype} {tuple(value.shape)}; it has to be float of shape {shape}"
    return ""
