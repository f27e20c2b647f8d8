"""The models, as a table of functions from a ModelSpec to a module. Importing this package does not import torch."""

from training.models.registry import ModelEntry, ModelSpec, get, load_user_models, model, names

__all__ = ["ModelEntry", "ModelSpec", "get", "load_user_models", "model", "names"]
