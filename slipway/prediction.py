"""An endpoint's prediction against the one that the artifact records: the same fields, the same within a tolerance.

A classification answers {"label", "score"}, a regression {"value"}, an autoencoder {"latent"}. Another instance type
adds numbers up in another order, so numbers may differ by a hundredth of their scale; another model differs by more.
"""

import math
from collections.abc import Mapping
from typing import Any

SHARE = 0.01
SHOWN_NUMBERS = 3


def tolerance(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Field -> how far a number may be off, from what the artifact says of its model.

    Of a score in [0, 1] a hundredth; of a value a hundredth of the model's own error; never less than what the artifact
    itself found between its program and the model.
    """
    exports = manifest.get("exports", {}).values()
    declared = max((float(facts.get("tolerance", 0)) for facts in exports), default=0.0)
    error = float(manifest.get("metrics", {}).get("test_rmse", 0))
    return {"score": max(SHARE, declared), "value": max(SHARE * error, declared), "latent": max(SHARE, declared)}


def differing(prediction: Mapping[str, Any], recorded: Mapping[str, Any], allowed: Mapping[str, float]) -> list[str]:
    """The recorded fields that the prediction lacks or in which it differs; what it has besides does not matter."""
    return [
        name
        for name, value in recorded.items()
        if name not in prediction or not _alike(prediction[name], value, allowed.get(name, SHARE))
    ]


def _alike(found: Any, recorded: Any, allowed: float) -> bool:
    """Numbers within `allowed` or a hundredth of themselves; lists number by number; all else exactly."""
    if isinstance(recorded, list):
        return (
            isinstance(found, list)
            and len(found) == len(recorded)
            and all(_alike(*pair, allowed) for pair in zip(found, recorded, strict=True))
        )
    if isinstance(recorded, bool) or not isinstance(recorded, (int, float)):
        return bool(found == recorded)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return False
    return math.isclose(found, recorded, rel_tol=SHARE, abs_tol=allowed)


def shown(prediction: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    """The recorded fields of a prediction, as `label 7, score 0.9983`."""
    return ", ".join(f"{name} {_text(prediction.get(name, 'missing'))}" for name in recorded)


def _text(value: Any) -> str:
    if isinstance(value, list):
        numbers = ", ".join(map(_text, value[:SHOWN_NUMBERS]))
        return f"[{numbers}{', ...' if len(value) > SHOWN_NUMBERS else ''}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
