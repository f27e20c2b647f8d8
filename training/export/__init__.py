"""From a trained model to the files that are served: torch.export and ONNX programs, smaller precisions, their proof.

`training.export.publish` is the way in; what runs in the process beside the training is in `training.export.exporter`.
"""
