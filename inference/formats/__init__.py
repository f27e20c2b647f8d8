"""What clients send and get: bodies to batches, outputs to bodies, KServe's V2 protocol."""
