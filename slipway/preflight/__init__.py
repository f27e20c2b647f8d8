"""What can be known to be in the way before anything starts, all of it in one report: `slipway preflight`."""
