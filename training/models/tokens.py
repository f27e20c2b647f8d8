"""What the text models share: embeddings, and sums over the tokens that are no padding."""

import torch
from torch import Tensor, nn

PADDING = 0  # token id, as inference.artifact.Tokenizer gives it
# Of fresh embeddings. PyTorch's own 1 drowns what little a short training adds to rare words.
EMBEDDING_DEVIATION = 0.1


def embedding(rows: int, width: int, deviation: float = EMBEDDING_DEVIATION) -> nn.Embedding:
    """Fresh embeddings of `rows` ids."""
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=deviation)
    return table


class SameForAllTokens(nn.Module):
    """Dropout of channels, one draw for all tokens of a text (Gal and Ghahramani, arXiv 1512.05287).

    Drawing for each token by itself is as accurate on the docstrings and takes a quarter of the LSTM's step: PyTorch
    draws Bernoulli numbers on one thread of the CPU.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout1d(share)

    def forward(self, states: Tensor) -> Tensor:
        """(N, T, width) -> the same shape."""
        if not self.training:
            return states
        kept: Tensor = self.dropout(states.new_ones(states.shape[0], states.shape[2], 1))
        return states * kept.transpose(1, 2)


def mean_over_tokens(states: Tensor, real: Tensor) -> Tensor:
    """Mean of (N, T, width) over the places where `real` bool (N, T) is true; zeros for a text without any."""
    weights = real.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp_min(1.0)


def maximum_over_tokens(states: Tensor, real: Tensor) -> Tensor:
    """Largest of (N, T, width), each channel by itself, over the same places; zeros for a text without any."""
    lowest = torch.finfo(states.dtype).min
    largest = states.masked_fill(~real.unsqueeze(-1), lowest).amax(1)
    return torch.where(real.any(1, keepdim=True), largest, torch.zeros_like(largest))
