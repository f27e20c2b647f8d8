"""A small transformer encoder: learned positions, pre-norm blocks, and the mean over the tokens that are no padding."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from training.errors import ConfigError
from training.models.registry import ModelSpec
from training.models.tokens import PADDING, embedding, mean_over_tokens

EMBEDDING_DEVIATION = 0.02  # of fresh embeddings, as in BERT and GPT-2
FEED_FORWARD_RATIO = 4  # units between the two linear layers of a block over its width ("Attention is all you need")


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)): the order that trains without a long warm-up."""

    def __init__(self, width: int, heads: int, dropped: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, FEED_FORWARD_RATIO * width), nn.GELU(), nn.Linear(FEED_FORWARD_RATIO * width, width)
        )
        self.dropout = nn.Dropout(dropped)

    def forward(self, states: Tensor, seen: Tensor) -> Tensor:
        """(N, T, width) -> the same; `seen` bool (N, 1, 1, T) is where attention may look."""
        split = self.queries_keys_values(self.attention_norm(states)).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
        states = states + self.dropout(self.joined(mixed.transpose(1, 2).flatten(2)))
        result: Tensor = states + self.dropout(self.feed_forward(self.forward_norm(states)))
        return result


class Transformer(nn.Module):
    """`depth` blocks over embeddings of tokens and places."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        width, dropped = spec.options.width, spec.options.dropout
        self.tokens = embedding(spec.vocabulary, width, EMBEDDING_DEVIATION)
        self.places = nn.Parameter(torch.randn(spec.shape[0], width) * EMBEDDING_DEVIATION)
        self.dropout = nn.Dropout(dropped)
        self.blocks = nn.ModuleList(Block(width, spec.options.heads, dropped) for _ in range(spec.options.depth))
        self.norm = nn.LayerNorm(width)
        self.classes = nn.Linear(width, spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Ids int64 (N, T), 0 = padding -> logits (N, outputs)."""
        real = tokens != PADDING
        # The first place is always looked at: a softmax over no place at all would be NaN for an empty text.
        seen = real | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        states = self.dropout(self.tokens(tokens) + self.places)
        for block in self.blocks:
            states = block(states, seen[:, None, None, :])
        logits: Tensor = self.classes(self.dropout(mean_over_tokens(self.norm(states), real)))
        return logits


def transformer(spec: ModelSpec) -> nn.Module:
    """int64 (N, T) -> logits (N, outputs). Raises ConfigError where `heads` does not divide `width`."""
    width, heads = spec.options.width, spec.options.heads
    if width % heads:
        fits = [count for count in range(1, width + 1) if width % count == 0]
        nearest = min(fits, key=lambda count: abs(count - heads))
        raise ConfigError(f"heads: {heads} does not divide width {width}; use heads={nearest}")
    return Transformer(spec)
