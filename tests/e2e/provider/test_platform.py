"""The types of a whole platform through the real engine: keys, trails, topics, alarms, a private network, SageMaker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.provider.conftest import Project
from tests.unit.localaws.aws import running

PROGRAM = """
provider = aws.Provider("aws", region="us-east-1", default_tags={"tags": {"team": "ml"}})
opts = pulumi.ResourceOptions(provider=provider)
zones = aws.get_availability_zones_output(state="available", opts=pulumi.InvokeOptions(provider=provider))
key = aws.kms.Key("data", description="DESCRIPTION", enable_key_rotation=True, rotation_period_in_days=180,
                  deletion_window_in_days=7, opts=opts)
aws.kms.Alias("name", target_key_id=key.arn, opts=opts)
logs = aws.s3.Bucket("logs", force_destroy=True, opts=opts)
rule = {"bucket_key_enabled": True, "apply_server_side_encryption_by_default":
        {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}}
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=logs.bucket, rules=[rule], opts=opts)
data = aws.s3.Bucket("lake", force_destroy=True, opts=opts)
allow = aws.s3.BucketPolicy("writers", bucket=logs.bucket, opts=opts, policy=logs.arn.apply(lambda arn: json.dumps(
    {"Version": "2012-10-17", "Statement": [
        *({"Effect": "Allow", "Action": "s3:PutObject", "Resource": arn + "/*", "Principal": {"Service": service}}
          for service in ("cloudtrail.amazonaws.com", "logging.s3.amazonaws.com")),
        {"Effect": "Allow", "Action": "s3:GetBucketAcl", "Resource": arn,
         "Principal": {"Service": "cloudtrail.amazonaws.com"}}]})))
aws.s3.BucketLogging("access", bucket=data.bucket, target_bucket=logs.bucket, target_prefix="PREFIX/",
                     opts=pulumi.ResourceOptions(provider=provider, depends_on=[allow]))
trail = aws.cloudtrail.Trail("audit", s3_bucket_name=logs.bucket, enable_logging=LOGGING,
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[allow]),
    advanced_event_selectors=[{"name": "objects", "field_selectors": [
        {"field": "eventCategory", "equals": ["Data"]},
        {"field": "resources.ARN", "starts_withs": [data.arn.apply(lambda arn: arn + "/")]}]}])
topic = aws.sns.Topic("alarms", kms_master_key_id=key.key_id, display_name="DISPLAY", opts=opts)
aws.sns.TopicPolicy("publishers", arn=topic.arn, opts=opts, policy=topic.arn.apply(lambda arn: json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": arn,
     "Principal": {"Service": "cloudwatch.amazonaws.com"}}]})))
aws.sns.TopicSubscription("mail", topic=topic.arn, protocol="email", endpoint="MAIL@example.com", opts=opts)
metric = {"namespace": "AWS/SageMaker", "metric_name": "Invocation5XXErrors", "dimensions": {"EndpointName": "e"}}
aws.cloudwatch.MetricAlarm("errors", **metric, statistic="Sum", period=60, evaluation_periods=1, threshold=THRESHOLD,
    comparison_operator="GreaterThanThreshold", alarm_actions=[topic.arn], opts=opts)
aws.cloudwatch.MetricAlarm("share", evaluation_periods=1, threshold=5, opts=opts,
    comparison_operator="GreaterThanThreshold", metric_queries=[
        {"id": "e", "metric": {**metric, "period": 60, "stat": "Sum"}},
        {"id": "r", "expression": "100 * e", "label": "errors", "return_data": True}])
aws.cloudwatch.Dashboard("board", dashboard_name="demo", opts=opts, dashboard_body=json.dumps(
    {"widgets": [{"type": "text", "width": WIDTH, "properties": {"markdown": "hello"}}]}))
ci = aws.iam.OpenIdConnectProvider("ci", url="https://token.actions.githubusercontent.com",
                                   client_id_lists=["sts.amazonaws.com"], thumbprint_lists=["THUMB" * 10], opts=opts)
vpc = aws.ec2.Vpc("net", cidr_block="10.42.0.0/16", enable_dns_hostnames=HOSTNAMES, opts=opts)
subnet = aws.ec2.Subnet("zone", vpc_id=vpc.id, cidr_block="10.42.0.0/24", availability_zone=zones.names[0], opts=opts)
tables = [aws.ec2.RouteTable(f"table-{index}", vpc_id=vpc.id, opts=opts) for index in (0, 1)]
aws.ec2.RouteTableAssociation("route", subnet_id=subnet.id, route_table_id=tables[TABLE].id, opts=opts)
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="jobs", opts=opts)
aws.vpc.SecurityGroupIngressRule("in", security_group_id=group.id, ip_protocol="-1",
                                 referenced_security_group_id=group.id, opts=opts)
aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, ip_protocol="tcp", from_port=443, to_port=PORT,
                                cidr_ipv4="0.0.0.0/0", opts=opts)
aws.ec2.VpcEndpoint("s3", vpc_id=vpc.id, service_name="com.amazonaws.us-east-1.s3", route_table_ids=[tables[TABLE].id],
                    opts=opts)
aws.ec2.VpcEndpoint("sts", vpc_id=vpc.id, service_name="com.amazonaws.us-east-1.sts", vpc_endpoint_type="Interface",
                    subnet_ids=[subnet.id], security_group_ids=[group.id], private_dns_enabled=True, opts=opts)
role = aws.iam.Role("worker", opts=opts, assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codebuild.amazonaws.com"}}]}))
aws.codebuild.Project("build", service_role=role.arn, artifacts={"type": "NO_ARTIFACTS"}, encryption_key=key.arn,
    source={"type": "NO_SOURCE", "buildspec": "version: 0.2"}, opts=opts, environment={
        "type": "LINUX_CONTAINER", "compute_type": "BUILD_GENERAL1_SMALL", "image": "aws/codebuild/standard:7.0",
        "environment_variables": [{"name": "TOKEN", "value": pulumi.Output.secret("SECRET")}]})
aws.sagemaker.ModelPackageGroup("shelf", model_package_group_name="demo", model_package_group_description="SHELF",
                                opts=pulumi.ResourceOptions(provider=provider, delete_before_replace=True))
target = aws.appautoscaling.Target("target", service_namespace="dynamodb", resource_id="table/demo", opts=opts,
    scalable_dimension="dynamodb:table:ReadCapacityUnits", min_capacity=1, max_capacity=2)
aws.appautoscaling.ScheduledAction("night", service_namespace=target.service_namespace, opts=opts,
    resource_id=target.resource_id, scalable_dimension=target.scalable_dimension, schedule="cron(0 20 * * ? *)",
    start_time="2030-01-01T00:00:00Z", scalable_target_action={"min_capacity": 0, "max_capacity": NIGHT})
"""
FIRST = {
    "DESCRIPTION": "data at rest",
    "DISPLAY": "first",
    "HOSTNAMES": "True",
    "LOGGING": "True",
    "MAIL": "one",
    "NIGHT": "1",
    "PORT": "443",
    "PREFIX": "access",
    "SECRET": "hunter2",
    "SHELF": "of models",
    "TABLE": "0",
    "THRESHOLD": "1",
    "THUMB": "aaaa",
    "WIDTH": "6",
}
SECOND = {
    "DESCRIPTION": "data of runs",
    "DISPLAY": "second",
    "HOSTNAMES": "False",
    "LOGGING": "False",
    "MAIL": "two",
    "NIGHT": "2",
    "PORT": "444",
    "PREFIX": "entry",
    "SECRET": "hunter3",
    "SHELF": "of better models",
    "TABLE": "1",
    "THRESHOLD": "2",
    "THUMB": "bbbb",
    "WIDTH": "12",
}
REPLACED = {"mail", "shelf"}
UPDATED = {"data", "access", "audit", "alarms", "build", "errors", "board", "ci", "net", "route", "out", "s3", "night"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An embedded AWS of its own: some of these types are not moto's."""
    with running("--mounts", "off") as (url, _):
        yield url


def _write(project: Project, values: dict[str, str]) -> None:
    text = PROGRAM
    for name, value in values.items():
        text = text.replace(name, value)
    project.program(text)


@pytest.mark.rehearsal
def test_life_of_a_platform(project: Project) -> None:
    _write(project, FIRST)
    made = project.up()
    assert {step["op"] for step in made.values()} == {"create"}
    state = project.state()
    assert state["name"]["id"].startswith("alias/name-")
    assert state["group"]["outputs"]["tagsAll"] == {"team": "ml"}
    assert state["s3"]["outputs"]["prefixListId"].startswith("pl-")
    assert "hunter" not in json.dumps(state)  # secret inside a list inside an input

    assert project.up() == {}

    _write(project, SECOND)
    changed = project.up()
    operations = {name: step["op"] for name, step in changed.items()}
    assert {name for name, operation in operations.items() if operation == "update"} == UPDATED
    assert operations.keys() - UPDATED == REPLACED
    assert project.state()["ci"]["outputs"]["url"] == "token.actions.githubusercontent.com"

    state = project.state()
    project.client("kms").disable_key_rotation(KeyId=state["data"]["id"])
    project.client("cloudwatch").delete_alarms(AlarmNames=[state["share"]["id"]])
    project.client("sns").set_topic_attributes(
        TopicArn=state["alarms"]["id"], AttributeName="DisplayName", AttributeValue="by hand"
    )
    repaired = project.steps("up", "--refresh", "--yes", "--skip-preview")
    changed_by_hand = {name: step["op"] for name, step in repaired.items() if step["op"] != "refresh"}
    assert changed_by_hand == {"alarms": "update", "data": "update", "share": "create"}

    project.steps("destroy", "--yes", "--skip-preview")
    assert project.state() == {}
    vpcs = project.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    assert vpcs == []
    metadata = project.client("kms").describe_key(KeyId=state["data"]["id"])["KeyMetadata"]
    assert metadata["KeyState"] == "PendingDeletion"
