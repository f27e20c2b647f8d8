"""The `train` entrypoint: reads /opt/ml, trains, checks the gate, exports an artifact. Knows no AWS and no Pulumi.

SAGEMAKER_BASE_DIR=/tmp/job python -m training
"""
