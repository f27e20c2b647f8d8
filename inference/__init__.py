"""The `serve` entrypoint and the artifact format: one folder in, an HTTP server on port 8080 out.

Knows no AWS, no Pulumi and no training. `python -m inference --check FOLDER` prints what an artifact holds.
"""
