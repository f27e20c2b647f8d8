"""The mean of the embeddings of words and of pairs of neighbours, and one linear layer.

Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text classification" (arXiv 1607.01759): on a few
thousand texts as good as larger networks, and trained in seconds. Pairs share a fixed number of embeddings by a hash.
"""

from torch import Tensor, nn

from training.models.registry import ModelSpec
from training.models.tokens import PADDING, embedding

PAIRS = 2**15  # embeddings of pairs
FIRST_FACTOR, SECOND_FACTOR = 7919, 104_729  # primes: the order of a pair counts


class FastText(nn.Module):
    """Words and pairs weigh alike in the mean; a pair with padding is none."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.words = embedding(spec.vocabulary, spec.options.width)
        self.pairs = embedding(PAIRS, spec.options.width)
        self.dropout = nn.Dropout(spec.options.dropout)
        self.classes = nn.Linear(spec.options.width, spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Ids int64 (N, T), 0 = padding -> logits (N, outputs)."""
        hashed = (tokens[:, :-1] * FIRST_FACTOR + tokens[:, 1:] * SECOND_FACTOR) % PAIRS
        words, pairs = self.dropout(self.words(tokens)), self.dropout(self.pairs(hashed))
        real = (tokens != PADDING).unsqueeze(-1).to(words.dtype)
        total = (words * real).sum(1) + (pairs * real[:, 1:]).sum(1)
        count = (real.sum(1) + real[:, 1:].sum(1)).clamp_min(1.0)
        logits: Tensor = self.classes(self.dropout(total / count))
        return logits


def fasttext(spec: ModelSpec) -> nn.Module:
    """int64 (N, T) -> logits (N, outputs): embeddings of `width`."""
    return FastText(spec)
