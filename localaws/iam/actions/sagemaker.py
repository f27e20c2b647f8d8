"""SageMaker and its runtime."""

from localaws.iam.rules import ANY, Rule, Service, on

TO_SAGEMAKER = "sagemaker.amazonaws.com"


def _create(*resources: str, role: str = "", **conditions: str) -> Rule:
    return Rule(
        resources=resources,
        passes={role: TO_SAGEMAKER} if role else {},
        tags="Tags",
        tag_action="AddTags",
        conditions={f"sagemaker:{key}": path for key, path in conditions.items()},
    )


JOB, MODEL, CONFIG, ENDPOINT = (
    "training-job/{TrainingJobName}",
    "model/{ModelName}",
    "endpoint-config/{EndpointConfigName}",
    "endpoint/{EndpointName}",
)
TUNING = "hyper-parameter-tuning-job/{HyperParameterTuningJobName}"
TRANSFORM = "transform-job/{TransformJobName}"
GROUP, PACKAGE = "model-package-group/{ModelPackageGroupName}", "model-package/{ModelPackageName}"
_JOB_CONDITIONS = {
    "InstanceTypes": "ResourceConfig.InstanceType",
    "VolumeKmsKey": "ResourceConfig.VolumeKmsKeyId",
    "OutputKmsKey": "OutputDataConfig.KmsKeyId",
    "VpcSubnets": "VpcConfig.Subnets[]",
    "VpcSecurityGroupIds": "VpcConfig.SecurityGroupIds[]",
    "NetworkIsolation": "EnableNetworkIsolation",
    "InterContainerTrafficEncryption": "EnableInterContainerTrafficEncryption",
}

SERVICE = Service(
    client="sagemaker",
    prefix="sagemaker",
    lower=True,
    rules={
        "CreateTrainingJob": _create(JOB, role="RoleArn", **_JOB_CONDITIONS),
        **on(JOB, "DescribeTrainingJob", "StopTrainingJob", "DeleteTrainingJob", "UpdateTrainingJob"),
        "CreateHyperParameterTuningJob": _create(TUNING, role="TrainingJobDefinition.RoleArn"),
        **on(TUNING, "DescribeHyperParameterTuningJob", "StopHyperParameterTuningJob"),
        **on(TUNING, "DeleteHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
        "CreateTransformJob": _create(
            TRANSFORM,
            InstanceTypes="TransformResources.InstanceType",
            VolumeKmsKey="TransformResources.VolumeKmsKeyId",
            OutputKmsKey="TransformOutput.KmsKeyId",
        ),
        **on(TRANSFORM, "DescribeTransformJob", "StopTransformJob"),
        **on(ANY, "ListTransformJobs", "ListProcessingJobs"),
        "CreateModel": _create(
            MODEL,
            role="ExecutionRoleArn",
            NetworkIsolation="EnableNetworkIsolation",
            VpcSubnets="VpcConfig.Subnets[]",
            VpcSecurityGroupIds="VpcConfig.SecurityGroupIds[]",
        ),
        **on(MODEL, "DescribeModel", "DeleteModel"),
        "CreateEndpointConfig": _create(
            CONFIG,
            role="ExecutionRoleArn",
            InstanceTypes="ProductionVariants[].InstanceType",
            VolumeKmsKey="KmsKeyId",
        ),
        **on(CONFIG, "DescribeEndpointConfig", "DeleteEndpointConfig"),
        "CreateEndpoint": _create(ENDPOINT, CONFIG),
        **on((ENDPOINT, CONFIG), "UpdateEndpoint"),
        **on(ENDPOINT, "DescribeEndpoint", "DeleteEndpoint", "UpdateEndpointWeightsAndCapacities"),
        "CreateModelPackageGroup": _create(GROUP),
        **on(GROUP, "DescribeModelPackageGroup", "DeleteModelPackageGroup"),
        "CreateModelPackage": _create(GROUP),
        **on(PACKAGE, "DescribeModelPackage", "DeleteModelPackage"),
        **on("model-package/{ModelPackageArn}", "UpdateModelPackage"),
        "ListModelPackages": Rule(resources=("model-package/{ModelPackageGroupName}/*",)),
        "AddTags": Rule(resources=("training-job/{ResourceArn}",), tags="Tags"),
        "DeleteTags": Rule(resources=("training-job/{ResourceArn}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("training-job/{ResourceArn}", "ListTags"),
        **on(ANY, "ListTrainingJobs", "ListModels", "ListEndpointConfigs", "ListEndpoints"),
        **on(ANY, "ListHyperParameterTuningJobs", "ListModelPackageGroups"),
        **on("model-package/{ModelPackageArnList[]}", "BatchDescribeModelPackage"),
    },
)
RUNTIME = Service(
    client="sagemaker-runtime",
    prefix="sagemaker",
    lower=True,
    rules={
        "InvokeEndpoint": Rule(
            resources=(ENDPOINT,),
            conditions={"sagemaker:TargetModel": "TargetModel"},
        ),
        **on(ENDPOINT, "InvokeEndpointAsync"),
        "InvokeEndpointWithResponseStream": Rule(resources=(ENDPOINT,)),
    },
)
