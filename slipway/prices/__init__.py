"""What things cost: a dated book of AWS's list prices, and its refresh from the Pricing API.

The only part of `slipway` that the Pulumi program imports, so it imports nothing of the rest.
"""
