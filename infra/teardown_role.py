"""What CI's roles may do besides deploying: see what of a stack still exists, anywhere, and end what runs.

`slipway down` proves that nothing is left by asking every service for what bears the stack's name or tags, so it must
see lists of the whole account: names, and no content. A managed policy of its own, because IAM counts a role's inline
policies together and they are nearly full (`infra.deploy_role`).
"""

from infra.deploy_role import Scope
from infra.documents import ANY, Statement, allow

LISTS = {
    "cloudtrail": "ListTrails",
    "cloudwatch": "ListDashboards",
    "codebuild": "ListProjects",
    "ec2": "DescribeAddresses DescribeNatGateways DescribeNetworkInterfaces DescribeRouteTables DescribeSecurityGroups "
    "DescribeSubnets DescribeVpcEndpoints DescribeVpcs",
    "events": "ListRules",
    "iam": "ListOpenIDConnectProviders ListPolicies ListRoles",
    "kms": "ListAliases ListKeys",
    "lambda": "ListFunctions",
    "s3": "ListAllMyBuckets",
    "sagemaker": "ListEndpointConfigs ListEndpoints ListHyperParameterTuningJobs ListModels ListProcessingJobs "
    "ListTrainingJobs ListTransformJobs",
    "scheduler": "ListScheduleGroups ListSchedules",
    "secretsmanager": "ListSecrets",
    "sns": "ListSubscriptions ListTopics",
}
"""Actions that take no resource."""


def teardown_permissions(scope: Scope) -> list[Statement]:
    """The searches of the leak check, and what `slipway down` does before and after `pulumi destroy`."""
    return [*_searches(scope), *_ends(scope)]


def _searches(scope: Scope) -> list[Statement]:
    def all_of(service: str, *resources: str) -> list[str]:
        return [scope.known.arn(service, resource) for resource in resources]

    jobs = all_of("sagemaker", "transform-job/*", "processing-job/*")
    return [
        allow([f"{service}:{word}" for service, words in LISTS.items() for word in words.split()], ANY),
        allow(["cloudwatch:DescribeAlarms"], all_of("cloudwatch", "alarm:*")),
        allow(["ecr:DescribeRepositories"], all_of("ecr", "repository/*")),
        allow(["kms:DescribeKey"], all_of("kms", "key/*")),
        allow(["budgets:ViewBudget"], scope.everywhere("budgets", "budget/*")),
        allow(["iam:ListOpenIDConnectProviderTags"], scope.everywhere("iam", "oidc-provider/*")),
        allow(["sagemaker:ListTags"], jobs, **scope.tagged("ResourceTag")),
    ]


def _ends(scope: Scope) -> list[Statement]:
    jobs = [f"sagemaker:{verb}{kind}Job" for verb in ("Describe", "Stop") for kind in ("Processing", "Transform")]
    streams = scope.named("logs", "log-group:/aws/sagemaker/TrainingJobs:log-stream:{}-*")
    return [
        allow(jobs, scope.named("sagemaker", "processing-job/{}-*", "transform-job/{}-*")),
        allow(["codebuild:ListBuildsForProject", "codebuild:StopBuild"], scope.named("codebuild", "project/{}-build")),
        allow(["ecr:BatchDeleteImage", "ecr:ListImages"], scope.named("ecr", "repository/{}-*")),
        allow(["logs:DeleteLogStream"], streams),
        # To compare the policy with the program: to change it takes a person.
        allow(["iam:GetPolicy", "iam:GetPolicyVersion"], scope.everywhere("iam", "policy/{}-deploy-*")),
        allow(["s3:ListBucketMultipartUploads"], [f"arn:aws:s3:::{scope.prefix}-*"]),
        allow(["s3:ListMultipartUploadParts"], [f"arn:aws:s3:::{scope.prefix}-*/*"]),
    ]
