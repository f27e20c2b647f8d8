"""The real Pulumi engine drives S3, IAM, CloudWatch Logs and ECR through this provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from localaws.pulumi_provider.install import install, installed_script, script
from tests.e2e.provider.conftest import Project

PROGRAM = """
provider = aws.Provider("aws", region="us-east-1", default_tags={"tags": {"team": "ml"}},
                        allowed_account_ids=["123456789012"])
opts = pulumi.ResourceOptions(provider=provider)
bucket = aws.s3.Bucket("Data", force_destroy=True, tags={"name": "data"}, opts=opts)
aws.s3.BucketVersioning("versioning", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=opts)
aws.s3.BucketPublicAccessBlock("private", bucket=bucket.bucket, block_public_acls=True, block_public_policy=True,
                               ignore_public_acls=True, restrict_public_buckets=True, opts=opts)
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=bucket.bucket, opts=opts, rules=[
    {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}])
aws.s3.BucketOwnershipControls("owner", bucket=bucket.bucket, opts=opts,
                               rule={"object_ownership": "BucketOwnerEnforced"})
aws.s3.BucketLifecycleConfiguration("lifecycle", bucket=bucket.bucket, opts=opts, rules=[
    {"id": "old", "status": "Enabled", "filter": {"and_": {"prefix": "tmp/", "tags": {"a": "b"}}},
     "expiration": {"days": EXPIRY}}])
aws.s3.BucketPolicy("tls", bucket=bucket.bucket, opts=opts, policy=bucket.arn.apply(lambda arn: json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": [arn],
     "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]})))
item = aws.s3.BucketObjectv2("item", bucket=bucket.bucket, key="data/item.txt", content_type="text/plain",
                             source=pulumi.FileAsset("item.txt"), opts=opts)
aws.s3.BucketObjectv2("note", bucket=bucket.bucket, key="note.txt", content=pulumi.Output.secret("hidden"), opts=opts)
role = aws.iam.Role("worker", description="DESCRIPTION", opts=opts, assume_role_policy=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
     "Principal": {"Service": ["sagemaker.amazonaws.com"]}}]}))
rights = aws.iam.RolePolicy("rights", role=role.name, opts=opts, policy=bucket.arn.apply(lambda arn: json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": arn + "/*"}]})))
group = aws.cloudwatch.LogGroup("log", name="/demo/GROUP", retention_in_days=14, opts=opts)
repository = aws.ecr.Repository("images", force_delete=True, opts=opts,
                                image_scanning_configuration={"scan_on_push": True})
aws.ecr.LifecyclePolicy("expire", repository=repository.name, opts=opts, policy=json.dumps({"rules": [
    {"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
     "action": {"type": "expire"}}]}))
pulumi.export("bucket", bucket.bucket)
pulumi.export("role", role.arn)
pulumi.export("account", aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider)).account_id)
pulumi.export("region", aws.get_region_output(opts=pulumi.InvokeOptions(provider=provider)).region)
pulumi.export("etag", item.etag)
"""


def _write(project: Project, **replacements: str) -> None:
    text = PROGRAM
    for name, value in {"EXPIRY": "7", "DESCRIPTION": "does the work", "GROUP": "one", **replacements}.items():
        text = text.replace(name, value)
    project.program(text)


@pytest.mark.rehearsal
def test_life_of_a_stack(project: Project) -> None:
    item = project.folder / "item.txt"
    item.write_text("first")
    _write(project)

    planned = project.steps("preview")
    assert {step["op"] for step in planned.values()} == {"create"}

    made = project.up()
    assert made.keys() == planned.keys()
    state = project.state()
    bucket = state["Data"]["outputs"]["bucket"]
    assert bucket.startswith("data-") and len(bucket) == len("data-") + 7
    assert state["Data"]["outputs"]["tagsAll"] == {"name": "data", "team": "ml"}
    assert state["worker"]["outputs"]["arn"] == f"arn:aws:iam::123456789012:role/{state['worker']['id']}"
    s3 = project.client("s3")
    assert s3.get_object(Bucket=bucket, Key="data/item.txt")["Body"].read() == b"first"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert "hidden" not in str(state["note"])

    assert project.up() == {}

    item.write_text("second")
    _write(project, EXPIRY="9", DESCRIPTION="works", GROUP="two")
    changed = project.up()
    assert {name: step["op"] for name, step in changed.items() if name != "log"} == {
        "item": "update",
        "lifecycle": "update",
        "worker": "update",
    }
    assert changed["lifecycle"]["detailedDiff"] == {
        "rules[0].expiration.days": {"diffKind": "update", "inputDiff": True}
    }
    assert changed["log"]["op"] in ("replace", "delete-replaced")
    groups = project.client("logs").describe_log_groups(logGroupNamePrefix="/demo/")["logGroups"]
    assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [("/demo/two", 14)]
    assert s3.get_object(Bucket=bucket, Key="data/item.txt")["Body"].read() == b"second"

    project.client("logs").put_retention_policy(logGroupName="/demo/two", retentionInDays=30)
    project.client("ecr").delete_repository(repositoryName=state["images"]["id"], force=True)
    drift = project.steps("refresh", "--yes", "--skip-preview")
    assert drift["log"]["op"] == "refresh"
    assert project.state()["log"]["inputs"]["retentionInDays"] == 30
    assert "images" not in project.state()
    repaired = project.up()
    assert repaired.keys() == {"log", "images", "expire"}
    assert repaired["log"]["detailedDiff"] == {"retentionInDays": {"diffKind": "update", "inputDiff": True}}

    project.steps("destroy", "--yes", "--skip-preview")
    assert bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert project.state() == {}


def test_import_takes_over_what_exists_and_errors_are_exact(project: Project) -> None:
    project.client("s3").create_bucket(Bucket="older-bucket")
    project.client("s3").put_bucket_tagging(Bucket="older-bucket", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    project.program("""
aws.s3.Bucket("adopted", bucket="older-bucket", tags={"a": "b"}, opts=pulumi.ResourceOptions(import_="older-bucket"))
""")
    assert project.up()["adopted"]["op"] == "import"
    assert project.state()["adopted"]["outputs"]["arn"] == "arn:aws:s3:::older-bucket"
    project.program("""
aws.s3.Bucket("adopted", bucket="older-bucket", tags={"a": "b"})
""")
    assert project.up() == {}

    project.client("s3").put_object(Bucket="older-bucket", Key="a")
    printed = project.run("destroy", "--yes", "--skip-preview", fails=True)
    assert "deleting aws:s3/bucket:Bucket (adopted): DeleteBucket: BucketNotEmpty: " in printed


def test_faults_are_named_before_anything_is_called(project: Project) -> None:
    project.program("""
pulumi.CustomResource("aws:s3/bucket:Bucket", "one", {"forceDestory": True, "bucket": "No Capitals"})
""")
    printed = project.run("preview", fails=True)
    assert "aws:s3/bucket:Bucket has no property 'forceDestory'; did you mean 'forceDestroy'?" in printed
    assert "'No Capitals' does not match" in printed


def test_an_address_elsewhere_is_refused(project: Project) -> None:
    project.program('aws.s3.Bucket("data")')
    printed = project.run("preview", fails=True, AWS_ENDPOINT_URL="https://s3.us-east-1.amazonaws.com")
    assert "only talks to an embedded AWS on this machine" in printed


def test_install_again_is_cheap_and_follows_a_moved_checkout(
    pulumi_bin: Path, pulumi_home: Path, project: Project
) -> None:
    install(Path("/nonexistent/pulumi"), pulumi_home, "7.51.1")  # nothing to do, so the CLI is not even started
    home = project.folder / "home"
    moved = home / "plugins" / "resource-aws-v7.51.1" / "pulumi-resource-aws"
    moved.parent.mkdir(parents=True)
    moved.write_text("#!/bin/sh\nexec /elsewhere/python\n")
    install(pulumi_bin / "pulumi", home, "7.51.1")
    assert installed_script(home, "7.51.1") == script()
