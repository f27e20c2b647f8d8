"""The one place where `train` itself talks to AWS: the source archive that the SageMaker SDK has put into S3.

Nobody else brings it: it is named by a hyperparameter, not by a channel. boto3 is imported here and only then.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from training.errors import ConfigError


def download(uri: str, target: Path, region: str) -> None:
    """Write the object `uri` (s3://bucket/key) to `target`. Raises ConfigError when that cannot be done.

    boto3 finds the job role's credentials and AWS_ENDPOINT_URL by itself; `region` is used where the environment has
    none (AWS_REGION, which SageMaker sets, comes first as in the toolkit).
    """
    where = urlsplit(uri)
    bucket, key = where.netloc, where.path.lstrip("/")
    if not bucket or not key:
        raise ConfigError(f"sagemaker_submit_directory is {uri!r}; expected s3://bucket/path/sourcedir.tar.gz")
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise ConfigError(
            f"sagemaker_submit_directory is {uri!r}, and boto3, which fetches it, is not installed in this image; "
            "install boto3 in the image, or give the source as a channel named `code` (slipway:training.code)"
        ) from error
    try:
        s3 = boto3.client("s3", region_name=os.environ.get("AWS_REGION") or region or None)
        s3.download_file(bucket, key, str(target))
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(
            f"sagemaker_submit_directory is {uri!r} and cannot be read: {error}. The object must exist, and the job's "
            "role must allow s3:GetObject on it"
        ) from error
