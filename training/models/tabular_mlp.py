"""Tables: plain hidden layers over standardised, imputed, one-hot columns."""

import itertools

from torch import nn

from training.models.layers import dropout
from training.models.registry import ModelSpec


def tabular_mlp(spec: ModelSpec) -> nn.Module:
    """float32 (N, features) -> logits or a value (N, outputs), through `depth` hidden layers of `width` units."""
    sizes = [spec.shape[0], *[spec.options.width] * spec.options.depth]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), *dropout(spec.options.dropout)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], spec.outputs))
