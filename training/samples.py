"""Real data sets out of installed packages, written in the raw formats that users have: nothing is downloaded.

    python -m training.samples digits /tmp/digits

| name | format | what |
| --- | --- | --- |
| digits | digits.csv.gz, pixels and label | 1,797 handwritten digits of 8x8 pixels (scikit-learn, UCI) |
| digit_images | <label>/<number>.png, grey | the same, enlarged to 28x28 |
| photographs | train and test/<photograph>/<number>.png, colour | patches of 100x100 pixels of three photographs |
| docstrings | docstrings.csv: text, label | beginnings of docstrings of four packages; the label is the package |
| breast_cancer, wine, diabetes | <name>.csv with a header | tables of scikit-learn; the last column is the target |
"""

import ast
import csv
import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

PATCH_SIDE, PATCH_STRIDE = 100, 20  # pixels
TRAIN_SHARE = 0.65  # of a photograph's breadth; no patch reaches across
ENLARGED_SIDE = 28  # pixels
PHOTOGRAPHS = {
    "china": ("sklearn.datasets.images", "china.jpg"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
PACKAGES = ("numpy", "scipy", "sklearn", "torch")
TELLING_WORDS = frozenset({*PACKAGES, "np", "pytorch", "scikit"})  # left out: they name the label
PASSAGE_WORDS = 64
LEAST_WORDS = 16


def digits(folder: Path) -> None:
    """scikit-learn's own file, as it is."""
    with as_file(files("sklearn.datasets.data") / "digits.csv.gz") as source:
        (folder / "digits.csv.gz").write_bytes(source.read_bytes())


def digit_images(folder: Path) -> None:
    """One PNG for each digit."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    for number, (row, label) in enumerate(zip(pixels, labels, strict=True)):
        image = Image.fromarray((row.reshape(8, 8) * (255 / 16)).round().astype(np.uint8))
        path = folder / str(label) / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        image.resize((ENLARGED_SIDE, ENLARGED_SIDE), Image.Resampling.BILINEAR).save(path)


def photographs(folder: Path) -> None:
    """Patches of each photograph; those for the test lie to the right of all for the training."""
    from PIL import Image

    for label, (package, name) in PHOTOGRAPHS.items():
        with as_file(files(package) / name) as source, Image.open(source) as opened:
            image = opened.convert("RGB")
        border = int(image.width * TRAIN_SHARE)
        for part, left, right in (("train", 0, border), ("test", border, image.width)):
            target = folder / part / label
            target.mkdir(parents=True)
            for number, box in enumerate(_boxes(left, right, image.height)):
                image.crop(box).save(target / f"{number:03}.png")


def docstrings(folder: Path) -> None:
    """As many passages of each package as the smallest one has; which ones, their hashes decide."""
    by_label = {package: sorted(set(_passages(package)), key=_hash) for package in PACKAGES}
    seen: dict[str, int] = {}
    for passages in by_label.values():
        for passage in passages:
            seen[passage] = seen.get(passage, 0) + 1
    own = {label: [passage for passage in found if seen[passage] == 1] for label, found in by_label.items()}
    count = min(len(passages) for passages in own.values())
    with (folder / "docstrings.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows((passage, label) for label, found in own.items() for passage in found[:count])


def _boxes(left: int, right: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    for top in range(0, height - PATCH_SIDE + 1, PATCH_STRIDE):
        for start in range(left, right - PATCH_SIDE + 1, PATCH_STRIDE):
            yield start, top, start + PATCH_SIDE, top + PATCH_SIDE


def _passages(package: str) -> Iterator[str]:
    """The first words of each docstring, lower-case, without the packages' names."""
    spec = find_spec(package)
    assert spec and spec.origin, f"{package} is not installed"
    folder = Path(spec.origin).parent
    for path in sorted(folder.rglob("*.py")):
        if any(word.startswith("test") for word in path.relative_to(folder).parts):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
                words = re.findall(r"[a-z]+|\d+|[^\w\s]", (ast.get_docstring(node) or "").lower())
                kept = [word for word in words if word not in TELLING_WORDS][:PASSAGE_WORDS]
                if len(kept) >= LEAST_WORDS:
                    yield " ".join(kept)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _table(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow([*bunch.feature_names, "target"])
            names = getattr(bunch, "target_names", None)
            for row, target in zip(bunch.data, bunch.target, strict=True):
                writer.writerow([*row.tolist(), target if names is None else names[target]])

    return write


SAMPLES: dict[str, Callable[[Path], None]] = {
    "digits": digits,
    "digit_images": digit_images,
    "photographs": photographs,
    "docstrings": docstrings,
    **{name: _table(name) for name in ("breast_cancer", "wine", "diabetes")},
}


def write(name: str, folder: Path) -> None:
    """Write the sample into `folder`, which is made and has to be empty; raises ValueError otherwise."""
    if name not in SAMPLES:
        raise ValueError(f"{name!r} is no sample; there are {', '.join(SAMPLES)}")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name another folder, or empty it first")
    SAMPLES[name](folder)


def main(arguments: list[str]) -> int:
    """`python -m training.samples NAME FOLDER`; returns the exit code."""
    if len(arguments) != 2:
        print(f"usage: python -m training.samples NAME FOLDER, with NAME one of {', '.join(SAMPLES)}", file=sys.stderr)
        return 2
    try:
        write(arguments[0], Path(arguments[1]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
