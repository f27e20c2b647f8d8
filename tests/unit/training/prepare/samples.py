"""Small sources for the data step, and a call of it."""

import random
from pathlib import Path

import numpy as np
from PIL import Image

from training.prepare.__main__ import main


def picture(seed: int, height: int = 12, width: int = 12, *, grey: bool = False) -> Image.Image:
    """Noise that no other seed gives."""
    shape = (height, width) if grey else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def photos(root: Path, *, shuffled: int | None = None, each: int = 10) -> Path:
    """A folder with `each` images of cats and of dogs; `shuffled`: created in another order."""
    files = [
        (f"{label}/{number:03}.png", number + 1000 * place)
        for place, label in enumerate(("cat", "dog"))
        for number in range(each)
    ]
    if shuffled is not None:
        random.Random(shuffled).shuffle(files)
    for name, seed in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(path)
    return root


def prepare(out: Path, *sources: Path, task: str = "image-classification", **options: object) -> Path:
    """Run the program in this process; it has to succeed."""
    words = [str(source) for source in sources] + ["--out", str(out), "--task", task]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    assert main(words) == 0
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
