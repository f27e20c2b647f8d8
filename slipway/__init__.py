"""The `slipway` command: what an operator does besides `pulumi up`."""
