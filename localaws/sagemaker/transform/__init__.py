"""Batch transform: a model's server reads the records of S3 objects and its answers become S3 objects."""
