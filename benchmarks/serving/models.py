"""The three models that are served: random weights with a fixed seed, for speed says nothing about quality.

| name | model | input | parameters |
| --- | --- | --- | --- |
| m1 | two convolutions, two linear layers | 28x28 pixels, grey | 99,550 |
| m2 | ResNet-9 with batch norm | 32x32 pixels, colour | 6,573,130 |
| m3 | embedding and two LSTM layers of 128 | 64 token ids of 10,000 | 1,544,708 |
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference import artifact

CLASSES, CLASSES_OF_TEXTS, WORDS, TOKENS = 10, 4, 10_000, 64


class SmallCnn(nn.Module):
    """float32 (N, 28, 28) -> logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, 60), nn.ReLU(), nn.Linear(60, CLASSES)),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.body(images.unsqueeze(1))
        return logits


def _convolution(inputs: int, outputs: int, *, pool: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
    return [*layers, nn.MaxPool2d(2)] if pool else layers


class ResNet9(nn.Module):
    """float32 (N, 32, 32, 3) -> logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(3, 64), *_convolution(64, 128, pool=True))
        self.second = nn.Sequential(*_convolution(128, 128), *_convolution(128, 128))
        self.third = nn.Sequential(*_convolution(128, 256, pool=True), *_convolution(256, 512, pool=True))
        self.fourth = nn.Sequential(*_convolution(512, 512), *_convolution(512, 512))
        self.head = nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Linear(512, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images.permute(0, 3, 1, 2).contiguous())
        maps = maps + self.second(maps)
        maps = self.third(maps)
        logits: Tensor = self.head(maps + self.fourth(maps))
        return logits


class TwoLayerLstm(nn.Module):
    """int64 (N, 64) -> logits (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 128)
        self.layers = nn.LSTM(128, 128, 2, batch_first=True)
        self.head = nn.Linear(128, CLASSES_OF_TEXTS)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.layers(self.embedding(tokens))
        logits: Tensor = self.head(states[:, -1])
        return logits


MODELS: dict[str, Callable[[], nn.Module]] = {"m1": SmallCnn, "m2": ResNet9, "m3": TwoLayerLstm}
SHAPES: dict[str, tuple[int, ...]] = {"m1": (28, 28), "m2": (32, 32, 3), "m3": (TOKENS,)}


def model(name: str) -> nn.Module:
    """With softmax, as the artifacts have it and as every peer serves it."""
    torch.manual_seed(0)
    return nn.Sequential(MODELS[name](), nn.Softmax(dim=-1)).eval()


def inputs(name: str, count: int, seed: int = 0) -> NDArray[np.float32] | NDArray[np.int64]:
    """`count` instances: float32 pixels of 0 to 1, or int64 token ids."""
    generator = np.random.default_rng(seed)
    if name == "m3":
        return generator.integers(2, WORDS, (count, TOKENS))
    return generator.random((count, *SHAPES[name]), dtype=np.float32)


def write_artifact(name: str, folder: Path) -> Path:
    """The artifact with torch.export and ONNX programs; serving them needs nothing of this file."""
    served, example = model(name), torch.from_numpy(inputs(name, 2))
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(served, (example,), dynamic_shapes=({0: batch},))
    folder.mkdir(parents=True)
    torch.export.save(exported, str(folder / "model.pt2"))
    torch.onnx.export(exported, dynamo=True, optimize=True, verbose=False).save(str(folder / "model.onnx"))
    files = {"model.pt2": folder / "model.pt2", "model.onnx": folder / "model.onnx"}
    if name == "m3":
        words = {f"word{number}": number for number in range(2, WORDS)}
        tokenizer = artifact.Tokenizer({"[PAD]": 0, "[UNK]": 1, **words})
        tokenizer.save(folder / artifact.TOKENIZER_NAME)
        files[artifact.TOKENIZER_NAME] = folder / artifact.TOKENIZER_NAME
    artifact.write(folder / "ml" / "model", _manifest(name, served), files)
    return folder / "ml"


def _manifest(name: str, served: nn.Module) -> artifact.Manifest:
    check = artifact.GateCheck(metric="speed", rule=">=", value=1.0, limit=0.0, passed=True)
    files = ("model.pt2", "model.onnx")
    labels = tuple(str(number) for number in range(CLASSES_OF_TEXTS if name == "m3" else CLASSES))
    return artifact.Manifest(
        task="text-classification" if name == "m3" else "image-classification",
        programs={"predict": files[0]},
        input=_schema(name),
        labels=labels,
        preprocessing={},
        metrics={},
        gate=artifact.GateVerdict(passed=True, checks=(check,)),
        code_sha256="0" * 64,
        data_sha256="0" * 64,
        versions={"torch": torch.__version__},
        examples=(_example(name, served, labels),),
        files={},
        exports={file: _facts(file) for file in files},
    )


def _schema(name: str) -> artifact.InputSchema:
    if name == "m3":
        return artifact.InputSchema(
            kind="text", name="text", dtype="int64", shape=(TOKENS,), tokenizer=artifact.TOKENIZER_NAME
        )
    return artifact.InputSchema(
        kind="image", name="image", dtype="float32", shape=SHAPES[name], minimum=0.0, maximum=1.0
    )


def _example(name: str, served: nn.Module, labels: tuple[str, ...]) -> artifact.Example:
    instance = inputs(name, 1, seed=1)
    with torch.inference_mode():
        scores = served(torch.from_numpy(instance))[0]
    best = int(scores.argmax())
    return artifact.Example(
        instance=text(instance[0]) if name == "m3" else instance[0].tolist(),
        target=labels[best],
        prediction=artifact.Prediction(label=labels[best], score=float(scores[best])),
    )


def text(tokens: NDArray[np.generic]) -> str:
    """The text whose token ids these are."""
    return " ".join(f"word{token}" for token in tokens)


def _facts(file: str) -> artifact.ExportFacts:
    return artifact.ExportFacts(
        format="onnx" if file.endswith(".onnx") else "torch.export",
        precision="fp32",
        max_difference=0.0,
        agreement=1.0,
        tolerance=1e-4,
        seconds_per_example=1e-4 if file.endswith(".onnx") else 1e-3,  # SLIPWAY_ENGINE decides in the benchmark
        size_bytes=0,
    )
