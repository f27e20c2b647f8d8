"""Many models in one container: loading, unloading and asking each by its name."""
