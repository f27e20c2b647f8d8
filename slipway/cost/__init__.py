"""What a stack will cost before it is deployed: `slipway cost`.

A plan (`slipway.cost.planned`) becomes priced lines by a table of resource types (`slipway.cost.table`) under stated
assumptions (`slipway.cost.usage`); every line says which, and what would lower it.
"""
