"""AWS's rules for a training job's network, channels and updates."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, wait_for
from tests.unit.localaws.test_training import TRAIN, channel, unpack

ENVIRONMENT = """#!/usr/bin/env python3
import json, os, pathlib
names = ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "GIVEN")
found = {name: os.environ.get(name, "") for name in names}
pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "model/env.json").write_text(json.dumps(found))
"""
WRITING = """#!/usr/bin/env python3
import os, pathlib
folder = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "input/data/train")
try:
    (folder / "new").write_text("x")
    print("written")
except OSError:
    print("read-only")
"""
WAITING = "#!/usr/bin/env python3\nimport threading\nprint('on', flush=True)\nthreading.Event().wait()\n"


@pytest.fixture(scope="module")
def trainer(aws: Aws) -> str:
    return aws.image({"train": TRAIN})


@pytest.fixture(scope="module")
def network(aws: Aws) -> dict[str, str]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)["GroupId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return {"vpc": vpc, "subnet": subnet, "group": group, "table": table}


def inside(network: dict[str, str], **changes: str) -> dict[str, Any]:
    where = {**network, **changes}
    return {"VpcConfig": {"Subnets": [where["subnet"]], "SecurityGroupIds": [where["group"]]}}


def test_a_job_in_a_vpc_reaches_s3_through_a_gateway_endpoint_only(
    aws: Aws, trainer: str, network: dict[str, str]
) -> None:
    lost = aws.job_done(aws.train(trainer, **inside(network)))
    assert lost["TrainingJobStatus"] == "Failed"
    assert "route table has a route to an S3 VPC endpoint or a NAT device" in lost["FailureReason"]
    service = "com.amazonaws.us-east-1.s3"
    aws.client("ec2").create_vpc_endpoint(
        VpcId=network["vpc"], ServiceName=service, VpcEndpointType="Gateway", RouteTableIds=[network["table"]]
    )
    job = aws.job_done(aws.train(trainer, EnableInterContainerTrafficEncryption=True, **inside(network)))
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["VpcConfig"] == inside(network)["VpcConfig"]
    assert job["EnableInterContainerTrafficEncryption"] is True


def test_subnets_and_groups_exist_and_are_of_one_vpc(aws: Aws, trainer: str, network: dict[str, str]) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.43.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    for changes, message in (
        ({"subnet": "subnet-12345678"}, "The subnet ID 'subnet-12345678' does not exist"),
        ({"group": "sg-12345678"}, "The security group ID 'sg-12345678' does not exist"),
        ({"group": elsewhere}, "belong to different networks"),
    ):
        with pytest.raises(ClientError, match=rf"ValidationException.*{message}"):
            aws.train(trainer, **inside(network, **changes))


def test_an_isolated_container_has_no_credentials(aws: Aws) -> None:
    image = aws.image({"train": ENVIRONMENT})
    for isolated in (False, True):
        job = aws.job_done(aws.train(image, EnableNetworkIsolation=isolated, Environment={"GIVEN": "yes"}))
        assert job["EnableNetworkIsolation"] is isolated
        seen = json.loads(unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))["env.json"])
        assert (bool(seen["AWS_ACCESS_KEY_ID"]), bool(seen["AWS_SESSION_TOKEN"])) == (not isolated, not isolated)
        assert seen["GIVEN"] == "yes"


def test_a_fastfile_channel_is_a_read_only_folder(aws: Aws) -> None:
    aws.put("fast/a", "A")
    fast = {**channel("train", f"s3://{aws.bucket}/fast"), "InputMode": "FastFile"}
    file = channel("train", f"s3://{aws.bucket}/fast")
    image = aws.image({"train": WRITING})
    lines = []
    for mode in (fast, file):
        name = aws.train(image, InputDataConfig=[mode])
        assert aws.job_done(name)["TrainingJobStatus"] == "Completed"
        lines += aws.job_log(name)
    assert lines == ["read-only", "written"]


def test_fastfile_takes_whole_folders_and_no_manifests(aws: Aws, trainer: str) -> None:
    aws.put("whole/train.csv", "1")
    manifest = aws.put("fast-manifest", json.dumps([{"prefix": f"s3://{aws.bucket}/whole/"}, "train.csv"]))
    part = {**channel("train", f"s3://{aws.bucket}/whole/tra"), "InputMode": "FastFile"}
    with pytest.raises(ClientError, match="No S3 objects found under S3 URL"):
        aws.train(trainer, InputDataConfig=[part])
    listed = {**channel("train", manifest, S3DataType="ManifestFile"), "InputMode": "FastFile"}
    with pytest.raises(ClientError, match=r"FastFile supports S3DataType S3Prefix only, not ManifestFile"):
        aws.train(trainer, InputDataConfig=[listed])


def test_channel_names_are_unique(aws: Aws, trainer: str) -> None:
    aws.put("twice/a", "A")
    with pytest.raises(ClientError, match="Channel names must be unique"):
        aws.train(trainer, InputDataConfig=[channel("train", f"s3://{aws.bucket}/twice/")] * 2)


def test_the_retry_strategy_is_described(aws: Aws, trainer: str) -> None:
    job = aws.job_done(aws.train(trainer, RetryStrategy={"MaximumRetryAttempts": 3}))
    assert job["RetryStrategy"] == {"MaximumRetryAttempts": 3}


def test_remote_debug_can_be_switched_while_the_container_runs_only(aws: Aws) -> None:
    sagemaker, name = aws.client("sagemaker"), aws.train(aws.image({"train": WAITING}))
    wait_for(lambda: bool(aws.job_log(name)), "the first line")
    debug = {"EnableRemoteDebug": True}
    sagemaker.update_training_job(TrainingJobName=name, RemoteDebugConfig=debug)
    assert aws.job(name)["RemoteDebugConfig"] == debug
    sagemaker.stop_training_job(TrainingJobName=name)
    aws.job_done(name)
    with pytest.raises(ClientError, match=r"RemoteDebugConfig can be updated when .* it is Stopped"):
        sagemaker.update_training_job(TrainingJobName=name, RemoteDebugConfig=debug)
