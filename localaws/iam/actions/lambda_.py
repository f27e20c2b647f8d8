"""Lambda."""

from localaws.iam.rules import ANY, Rule, Service, on

FUNCTION = "function:{FunctionName}"
TO_LAMBDA = "lambda.amazonaws.com"

SERVICE = Service(
    client="lambda",
    prefix="lambda",
    rules={
        "CreateFunction": Rule(
            resources=(FUNCTION,), passes={"Role": TO_LAMBDA}, tags="Tags", tag_action="TagResource"
        ),
        "UpdateFunctionConfiguration": Rule(resources=(FUNCTION,), passes={"Role": TO_LAMBDA}),
        "Invoke": Rule(resources=(FUNCTION,), action="InvokeFunction"),
        "AddPermission": Rule(resources=(FUNCTION,), conditions={"lambda:Principal": "Principal"}),
        **on(FUNCTION, "GetFunction", "GetFunctionConfiguration", "DeleteFunction", "UpdateFunctionCode"),
        **on(FUNCTION, "RemovePermission", "GetPolicy", "ListVersionsByFunction", "PublishVersion"),
        **on(FUNCTION, "PutFunctionConcurrency", "DeleteFunctionConcurrency", "GetFunctionConcurrency"),
        **on(FUNCTION, "GetFunctionCodeSigningConfig", "ListFunctionEventInvokeConfigs"),
        **on(FUNCTION, *(f"{verb}FunctionEventInvokeConfig" for verb in ("Put", "Update", "Get", "Delete"))),
        "TagResource": Rule(resources=("function:{Resource}",), tags="Tags"),
        "UntagResource": Rule(resources=("function:{Resource}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("function:{Resource}", "ListTags"),
        **on(ANY, "ListFunctions", "GetAccountSettings"),
    },
)
