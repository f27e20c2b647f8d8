"""One small model of each kind that is exported, and batches for it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

TOKENS, WORDS = 6, 20


class Recurrent(nn.Module):
    """Token ids -> scores: two directions, two layers, a mean over the words that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, ids: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(ids))
        there = (ids != 0).unsqueeze(-1).to(hidden.dtype)
        return torch.softmax(self.head((hidden * there).sum(1) / there.sum(1).clamp(min=1)), dim=-1)


class Attention(nn.Module):
    """Token ids -> scores: a class token, padding masked with minus infinity, positions in a unsaved buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 8)
        self.places = nn.Embedding(TOKENS, 8)
        self.register_buffer("numbers", torch.arange(TOKENS), persistent=False)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.embedding(ids) + self.places(self.numbers)
        sequence = torch.cat([self.first.expand(ids.shape[0], -1, -1), words], dim=1)
        mask = torch.cat([torch.zeros_like(ids[:, :1], dtype=torch.bool), ids == 0], dim=1)
        return torch.softmax(self.head(self.encoder(sequence, src_key_padding_mask=mask)[:, 0]), dim=-1)


class Residual(nn.Module):
    """Colour pixels -> scores; `dtype` of the products."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 4)
        self.to(memory_format=torch.channels_last).to(dtype)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem((pixels / 255).permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean)
        x = nn.functional.adaptive_max_pool2d(nn.functional.max_pool2d(x + self.block(x), 2), 1).flatten(1)
        return torch.softmax(self.head(x).float(), dim=-1)


class Encoder(nn.Module):
    """Grey pixels -> the mean of a latent, the first of two outputs of one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.SiLU(), nn.Linear(16, 8))

    def forward(self, pixels: Tensor) -> Tensor:
        mean, _ = self.body(pixels / 16).chunk(2, dim=-1)
        return mean


class Decoder(nn.Module):
    """Latents -> grey pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, 16),
            nn.Unflatten(1, (4, 2, 2)),
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(4, 2, 2, 2),
            nn.Conv2d(2, 1, 3, padding=1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return torch.sigmoid(self.body(latents)).squeeze(1) * 16


class Table(nn.Module):
    """Rows with missing values -> a value: imputed, one-hot, scaled by a constant that is no buffer, picked by row."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fill", torch.tensor([1.0, -2.0, 0.5]))
        self.register_buffer("empty", torch.zeros(0))
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        self.scale = torch.tensor([[2.0, 0.5, 1.0]])

    def forward(self, rows: Tensor) -> Tensor:
        missing = torch.isnan(rows)
        numbers = torch.where(missing[:, :3], self.fill, rows[:, :3]) * self.scale
        places = torch.where(missing[:, 3], torch.full_like(rows[:, 3], 3.0), rows[:, 3]).long()
        hot = nn.functional.one_hot(places, 4).to(rows.dtype)
        values = self.body(torch.cat([numbers, hot, missing[:, :1].float()], dim=1))
        return values[torch.arange(rows.shape[0]), (places == 3).long()].unsqueeze(1)


def ids(count: int) -> Tensor:
    values = torch.randint(1, WORDS, (count, TOKENS))
    values[:, TOKENS // 2 :] *= torch.randint(0, 2, (count, 1))
    return values


def rows(count: int) -> Tensor:
    values = torch.cat([torch.randn(count, 3), torch.randint(0, 4, (count, 1))], dim=1)
    values[0, :] = torch.nan
    return values


def colour(count: int) -> Tensor:
    return torch.rand(count, 8, 8, 3) * 255


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "lstm": (Recurrent, ids),
    "transformer": (Attention, ids),
    "resnet": (lambda: Residual(torch.float32), colour),
    "resnet-bf16": (lambda: Residual(torch.bfloat16), colour),
    "encoder": (Encoder, lambda count: torch.rand(count, 8, 8) * 16),
    "decoder": (Decoder, lambda count: torch.randn(count, 4)),
    "table": (Table, rows),
}
