"""ECR."""

from localaws.iam.rules import ANY, Rule, Service, on

REPOSITORY = "repository/{repositoryName}"
PULL = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
PUSH = ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")

SERVICE = Service(
    client="ecr",
    prefix="ecr",
    rules={
        "CreateRepository": Rule(resources=(REPOSITORY,), tags="tags", tag_action="TagResource"),
        **on(REPOSITORY, *PULL, *PUSH),
        **on(REPOSITORY, "DeleteRepository", "ListImages", "DescribeImages", "BatchDeleteImage"),
        **on(REPOSITORY, "PutLifecyclePolicy", "GetLifecyclePolicy", "DeleteLifecyclePolicy"),
        **on(REPOSITORY, "SetRepositoryPolicy", "GetRepositoryPolicy", "DeleteRepositoryPolicy"),
        **on(REPOSITORY, "PutImageTagMutability", "PutImageScanningConfiguration"),
        **on(REPOSITORY, "StartImageScan", "DescribeImageScanFindings"),
        **on("repository/{repositoryNames[]}", "DescribeRepositories"),
        "TagResource": Rule(resources=("repository/{resourceArn}",), tags="tags"),
        "UntagResource": Rule(resources=("repository/{resourceArn}",), conditions={"aws:TagKeys": "tagKeys[]"}),
        **on("repository/{resourceArn}", "ListTagsForResource"),
        **on(ANY, "GetAuthorizationToken", "DescribeRegistry"),
    },
)
