"""The stages of CI/CD, each a verb that a laptop runs too: `slipway ci preview|deploy|pull-request|nightly`."""
