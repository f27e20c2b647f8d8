"""A user's own code/inference.py, as AWS's containers call it."""
