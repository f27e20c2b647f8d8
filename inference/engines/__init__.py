"""What runs a model: the exported program in PyTorch or ONNX Runtime, its proof, and the batches it is given."""
