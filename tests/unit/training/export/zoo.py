"""Small models of each kind that the exporter meets, as served modules: raw rows in, final outputs out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.export.exporter import Untrained

TOKENS = 12
VOCABULARY = 300


class Convolutions(nn.Module):
    """Grey images (N, 8, 8) -> scores (N, 10); batch norm, dropout, a 0-dimensional constant."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(4),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(64, 10),
        )
        self.register_buffer("scale", torch.tensor(1 / 16))

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.softmax(self.layers((pixels * self.scale).unsqueeze(1)), dim=-1)


class Recurrent(nn.Module):
    """Ids (N, TOKENS) -> scores (N, 3): an LSTM, its maximum where there is no padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 16, padding_idx=0)
        self.layers = nn.LSTM(16, 48, batch_first=True)  # larger than what is folded into a constant by default
        self.classes = nn.Linear(48, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.layers(self.embedding(tokens))
        masked = states.masked_fill((tokens == 0).unsqueeze(-1), torch.finfo(states.dtype).min)
        return torch.softmax(self.classes(masked.amax(1)), dim=-1)


class Attention(nn.Module):
    """Ids (N, TOKENS) -> scores (N, 3): learned places, masked attention, layer norm, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 16)
        self.places = nn.Parameter(torch.randn(TOKENS, 16) / 4)
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.classes = nn.Linear(16, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.norm(self.embedding(tokens) + self.places)
        mixed, _ = self.attention(states, states, states, key_padding_mask=tokens == 0, need_weights=False)
        real = (tokens != 0).float().unsqueeze(-1)
        return torch.softmax(self.classes(((states + mixed) * real).sum(1) / real.sum(1)), dim=-1)


class Line(nn.Module):
    """Table rows (N, 4) with NaN where missing -> values (N, 1) far from zero; has weights that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
        self.unread = nn.Linear(300, 300)
        self.register_buffer("mean", torch.tensor([1000.0, -3.0, 0.0, 50.0]))
        self.register_buffer("scale", torch.tensor([100.0, 2.0, 1.0, 10.0]))

    def forward(self, rows: Tensor) -> Tensor:
        standard = torch.where(rows.isnan(), 0.0, (rows - self.mean) / self.scale)
        return self.layers(standard) * 77.0 + 2000.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    make: Callable[[], nn.Module]
    dtype: torch.dtype
    shape: tuple[int, ...]


KINDS = {
    "convolutions": Kind(make=Convolutions, dtype=torch.float32, shape=(8, 8)),
    "recurrent": Kind(make=Recurrent, dtype=torch.int64, shape=(TOKENS,)),
    "attention": Kind(make=Attention, dtype=torch.int64, shape=(TOKENS,)),
    "line": Kind(make=Line, dtype=torch.float32, shape=(4,)),
}


def build(names: tuple[str, ...]) -> Mapping[str, Untrained]:
    """What the exporter's child builds: each kind as a program of its own name, with weights of no meaning."""
    return {name: _untrained(KINDS[name]) for name in names}


def _untrained(kind: Kind) -> Untrained:
    module = kind.make().to(memory_format=torch.channels_last)
    return Untrained(module=module, dtype=kind.dtype, shape=kind.shape)


def trained(name: str) -> nn.Module:
    """A module in evaluation mode with weights and running statistics that are not the initial ones."""
    torch.manual_seed(7)
    module = KINDS[name].make()
    for buffer in module.buffers():
        if buffer.is_floating_point() and buffer.dim() == 1 and name == "convolutions":
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return module.eval()


def batch(name: str, count: int) -> NDArray[np.generic]:
    """`count` rows of the kind, the last of a table with a missing value, texts of several lengths."""
    random = np.random.default_rng(count)
    if name == "convolutions":
        return random.integers(0, 17, (count, 8, 8)).astype(np.float32)
    if name == "line":
        rows = random.normal([1000.0, -3.0, 0.0, 50.0], [100.0, 2.0, 1.0, 10.0], (count, 4)).astype(np.float32)
        rows[-1, 2] = np.nan
        return rows
    tokens = random.integers(1, VOCABULARY, (count, TOKENS))
    lengths = random.integers(1, TOKENS + 1, (count, 1))
    return np.where(np.arange(TOKENS) < lengths, tokens, 0)
