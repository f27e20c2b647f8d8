"""Token embeddings, LSTM layers, and mean and maximum of their outputs over the tokens that are no padding."""

import torch
from torch import Tensor, nn

from training.models.registry import ModelSpec
from training.models.tokens import PADDING, SameForAllTokens, embedding, maximum_over_tokens, mean_over_tokens


class Lstm(nn.Module):
    """The layers run over the padding too, and mean and maximum leave it out: no shape depends on the data.

    Padding comes last, so the tokens before it do not see it.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        width, depth, dropped = spec.options.width, spec.options.depth, spec.options.dropout
        self.embedding = embedding(spec.vocabulary, width)
        self.channels = SameForAllTokens(dropped)
        self.layers = nn.LSTM(width, width, depth, batch_first=True, dropout=dropped if depth > 1 else 0.0)
        self.dropout = nn.Dropout(dropped)
        self.classes = nn.Linear(2 * width, spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Ids int64 (N, T), 0 = padding -> logits (N, outputs)."""
        states, _ = self.layers(self.channels(self.embedding(tokens)))
        real = tokens != PADDING
        pooled = torch.cat([mean_over_tokens(states, real), maximum_over_tokens(states, real)], dim=1)
        logits: Tensor = self.classes(self.dropout(pooled))
        return logits


def lstm(spec: ModelSpec) -> nn.Module:
    """int64 (N, T) -> logits (N, outputs): `depth` layers of `width` units over embeddings of `width`."""
    return Lstm(spec)
