"""Every resource type of the program: the estimator that prices it, or why it costs nothing.

A type that is in neither table is said by every estimate, so that nothing is free by being forgotten.
"""

from collections.abc import Mapping

from slipway.cost import guarding, hosting, standing, training
from slipway.cost.asking import Estimator

PRICED: Mapping[str, Estimator] = {
    "aws:cloudtrail/trail:Trail": standing.trail,
    "aws:cloudwatch/dashboard:Dashboard": standing.dashboard,
    "aws:cloudwatch/logGroup:LogGroup": standing.log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": standing.alarm,
    "aws:codebuild/project:Project": standing.build,
    "aws:ec2/vpc:Vpc": standing.vpc,
    "aws:ec2/vpcEndpoint:VpcEndpoint": standing.vpc_endpoint,
    "aws:ecr/repository:Repository": standing.repository,
    "aws:kms/key:Key": standing.key,
    "aws:lambda/function:Function": guarding.function,
    "aws:s3/bucket:Bucket": standing.bucket,
    "aws:sagemaker/endpoint:Endpoint": hosting.endpoint,
    "aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob": training.tuning_job,
    "aws:sagemaker/trainingJob:TrainingJob": training.training_job,
    "aws:scheduler/schedule:Schedule": guarding.schedule,
    "aws:secretsmanager/secret:Secret": standing.secret,
    "aws:sns/topic:Topic": standing.topic,
    "aws:sns/topicSubscription:TopicSubscription": standing.subscription,
}
NO_LINE = "nothing of it bills by itself here"
"""The reason where an estimator finds nothing: a bucket of logs, S3's gateway, a log group of builds."""

_IAM = "IAM is free of charge"
_NETWORK = "AWS charges nothing for it; interface endpoints are what bills in a VPC"
_BUCKET_SETTING = "a setting of its bucket"
_SCALING = "free; the instances that it starts are in the endpoint's lines"
FREE: Mapping[str, str] = {
    "aws:appautoscaling/policy:Policy": f"{_SCALING}; its alarms are AWS's own",
    "aws:appautoscaling/scheduledAction:ScheduledAction": _SCALING,
    "aws:appautoscaling/target:Target": _SCALING,
    "aws:budgets/budget:Budget": "budgets without actions are free",
    "aws:cloudwatch/eventRule:EventRule": "rules over AWS's own events are free",
    "aws:cloudwatch/eventTarget:EventTarget": "part of its rule",
    "aws:ec2/routeTable:RouteTable": _NETWORK,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _NETWORK,
    "aws:ec2/securityGroup:SecurityGroup": _NETWORK,
    "aws:ec2/subnet:Subnet": _NETWORK,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "a setting of its repository",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _IAM,
    "aws:iam/policy:Policy": _IAM,
    "aws:iam/role:Role": _IAM,
    "aws:iam/rolePolicy:RolePolicy": _IAM,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _IAM,
    "aws:kms/alias:Alias": "a name of its key",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "a setting of its function",
    "aws:lambda/permission:Permission": "a setting of its function",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": f"{_BUCKET_SETTING}; expiring objects is free",
    "aws:s3/bucketLogging:BucketLogging": f"{_BUCKET_SETTING}; the logs' storage is in the data bucket's assumption",
    "aws:s3/bucketObjectv2:BucketObjectv2": "its storage is in the bucket's assumption",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _BUCKET_SETTING,
    "aws:s3/bucketPolicy:BucketPolicy": _BUCKET_SETTING,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _BUCKET_SETTING,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _BUCKET_SETTING,
    "aws:s3/bucketVersioning:BucketVersioning": f"{_BUCKET_SETTING}; old versions are in its assumption",
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": "bills only as the endpoint that uses it",
    "aws:sagemaker/model:Model": "bills only as the endpoint that uses it; its artifact lies in the data bucket",
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": "the registry is free of charge",
    "aws:scheduler/scheduleGroup:ScheduleGroup": "a name for schedules",
    "aws:sns/topicPolicy:TopicPolicy": "a setting of its topic",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _NETWORK,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _NETWORK,
}

SECTIONS: Mapping[str, str] = {
    "sagemaker/endpoint": "endpoint",
    "sagemaker/": "training",
    "ec2/": "network",
    "ecr/": "image",
    "codebuild/": "image",
    "s3/": "storage",
    "kms/": "storage",
    "cloudtrail/": "storage",
    "cloudwatch/": "monitoring",
    "sns/": "monitoring",
    "scheduler/": "spending",
    "lambda/": "spending",
}
"""Under which heading a resource is shown, by the beginning of its type; the first that fits."""
NOUNS: Mapping[str, str] = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": "alarms",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "interface endpoints",
    "aws:scheduler/schedule:Schedule": "schedules",
}
"""What several of a type are called where they are shown as one row."""


def section(kind: str) -> str:
    """The heading of a type."""
    name = kind.removeprefix("aws:")
    return next((heading for beginning, heading in SECTIONS.items() if name.startswith(beginning)), "other")
