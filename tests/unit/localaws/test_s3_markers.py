"""Emptying a bucket whose versioning has been suspended, as a teardown does."""

from tests.unit.localaws.aws import Aws, unique


def test_versions_and_markers_go_one_by_one_after_versioning_was_suspended(aws: Aws) -> None:
    s3, bucket = aws.client("s3"), unique("suspended")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    found = s3.list_object_versions(Bucket=bucket)
    listed = [*found["DeleteMarkers"], *found["Versions"]]
    objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]
    assert len(objects) == 2
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=bucket)
