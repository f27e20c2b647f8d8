"""What a stack has cost, from the Cost Explorer, beside what was estimated: `slipway bill`."""
