"""Preflight's checks on plans made by hand, against an embedded AWS: no engine runs here."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from slipway.ci import events
from slipway.cost.planned import Change, Planned, Resource
from slipway.errors import REFUSED, SlipwayError
from slipway.preflight import inputs, lock, money, names, offers, permissions, quotas
from slipway.preflight.finding import Finding, worst
from slipway.preflight.gate import hold
from slipway.preflight.plan import CONFIGURATION, ENDPOINT, TARGET, TRAINING, TUNING, Plan, of_file
from slipway.preflight.quota_book import FILE, load
from slipway.preflight.run import CHECKS, counts, judge
from slipway.preflight.view import lines
from slipway.project import Stack
from slipway.view import Steps
from tests.unit.localaws.aws import ACCOUNT, ECHO_SERVER, REGION, Aws, running, unique
from tests.unit.localaws.hosting import config, model, serving, variant

G5, M5 = "ml.g5.xlarge", "ml.m5.large"
BOOK = load()


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running("--quotas", str(FILE)) as (url, _):
        yield Aws(url)


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """Of the administrator, shared by all tests: a client takes a tenth of a second to make."""
    return {}


@pytest.fixture
def stack(aws: Aws, clients: dict[str, Any], tmp_path: Path) -> Stack:
    """A stack of a name of its own."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {"AWS_ENDPOINT_URL": aws.url, "PULUMI_BACKEND_URL": f"file://{tmp_path}", **keys}
    name = unique("local")
    (tmp_path / f"Pulumi.{name}.yaml").write_text("config:\n  slipway:owner: me\n")
    made = Stack(root=tmp_path, project="slipway", name=name, region=REGION, environment=environment)
    made.__dict__["_clients"] = clients
    return made


@pytest.fixture
def limit(aws: Aws) -> Iterator[Any]:
    changed: dict[str, Any] = {}

    def set_to(code: str, value: int) -> None:
        changed[code] = None
        aws.post("/_localaws/quotas", {code: value})

    yield set_to
    aws.post("/_localaws/quotas", changed)


def training(kind: str = G5, count: int = 1, spot: bool = False, **resources: Any) -> Resource:
    wanted = {"instanceType": kind, "instanceCount": count, **resources}
    limits = {"maxRuntimeInSeconds": 3600}
    inputs_ = {"resourceConfig": wanted, "enableManagedSpotTraining": spot, "stoppingCondition": limits}
    return Resource(type=TRAINING, name="run", inputs=inputs_)


def hosting(count: int = 1, most: int = 1, kind: str = M5, **endpoint: Any) -> tuple[Resource, ...]:
    made = {"variantName": "m5-large", "instanceType": kind, "initialInstanceCount": count}
    target = {"resourceId": "endpoint/slipway-x/variant/m5-large", "minCapacity": count, "maxCapacity": most}
    return (
        Resource(type=CONFIGURATION, name="config", inputs={"productionVariants": [made]}),
        Resource(type=ENDPOINT, name="endpoint", inputs={"name": "slipway-x", **endpoint}),
        Resource(type=TARGET, name="target", inputs=target),
    )


def plan(*resources: Resource, change: str = "create", unchanged: tuple[str, ...] = (), **written: Any) -> Plan:
    changes = {(one.type, one.name): change for one in resources if one.type not in unchanged}
    return Plan(planned=Planned(region=REGION, resources=tuple(resources)), changes=changes, config=written)


def bad(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.level != "ok"]


def test_a_quota_of_zero_is_a_problem_with_name_code_and_command(stack: Stack, limit: Any) -> None:
    quota = BOOK.types["Training", G5]
    limit(quota.code, 0)
    (problem,) = bad(quotas.check(stack, plan(training())))
    assert problem.level == "problem" and problem.needed == "1 for the run"
    assert problem.found == f"'ml.g5.xlarge for training job usage' ({quota.code}) is 0 instances"
    assert problem.mend == (
        f"aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code {quota.code} "
        f"--desired-value 1 --region {REGION}"
    )


def test_the_command_that_mends_it_can_be_sent_and_is_shown_the_next_time(stack: Stack, aws: Aws, limit: Any) -> None:
    quota = BOOK.types["SpotTraining", G5]
    limit(quota.code, 1)
    wish = {"ServiceCode": "sagemaker", "QuotaCode": quota.code, "DesiredValue": 3.0}
    aws.client("service-quotas").request_service_quota_increase(**wish)
    (problem,) = bad(quotas.check(stack, plan(training(count=3, spot=True))))
    assert problem.found.endswith("is 1 instances; 3 asked for, PENDING")


def test_what_others_use_counts(stack: Stack, aws: Aws, limit: Any) -> None:
    image = aws.image({"train": "#!/bin/sh\nexec sleep 600\n"})
    name = aws.train(image, resources={"InstanceType": M5, "InstanceCount": 2})
    limit(BOOK.types["Training", M5].code, 3)
    try:
        (problem,) = bad(quotas.check(stack, plan(training(M5, count=2))))
        assert problem.level == "problem" and "is 3 instances, 2 in use" in problem.found
        assert "--desired-value 4 " in problem.mend
        assert bad(quotas.check(stack, plan(training(M5)))) == []
    finally:
        aws.client("sagemaker").stop_training_job(TrainingJobName=name)
        aws.job_done(name)


def test_a_run_that_is_there_already_needs_nothing(stack: Stack, limit: Any) -> None:
    limit(BOOK.types["Training", G5].code, 0)
    assert bad(quotas.check(stack, plan(training(), unchanged=(TRAINING,)))) == []


def test_too_few_for_scalings_maximum_is_a_warning(stack: Stack, limit: Any) -> None:
    limit(BOOK.types["Hosting", M5].code, 2)
    (warning,) = bad(quotas.check(stack, plan(*hosting(1, 3))))
    assert warning.level == "warning"
    assert warning.needed == "1 for the endpoint's variant m5-large, 3 as scaling may start"
    (problem,) = bad(quotas.check(stack, plan(*hosting(3, 3))))
    assert problem.level == "problem"


def test_a_blue_green_move_needs_both_fleets_and_a_rolling_one_does_not(stack: Stack, aws: Aws, limit: Any) -> None:
    made = config(aws, variant(model(aws, aws.image({"serve": ECHO_SERVER})), count=2))
    aws.client("sagemaker").create_endpoint(EndpointName=stack.prefix, EndpointConfigName=made)
    aws.settled(stack.prefix)
    limit(BOOK.types["Hosting", M5].code, 3)
    moving = plan(*hosting(2, 2), unchanged=(ENDPOINT, TARGET))
    (warning,) = bad(quotas.check(stack, moving))
    assert warning.level == "warning"
    assert warning.needed.endswith("4 while the old fleet runs beside the new one")
    rolling = hosting(2, 2, deploymentConfig={"rollingUpdatePolicy": {"waitIntervalInSeconds": 0}})
    assert bad(quotas.check(stack, plan(*rolling, unchanged=(ENDPOINT, TARGET)))) == []
    stays = plan(*hosting(2, 2), unchanged=(CONFIGURATION, ENDPOINT, TARGET))
    assert bad(quotas.check(stack, stays)) == [], "its own instances are not somebody else's"


def test_the_rungs_of_a_ladder_only_warn(stack: Stack, limit: Any) -> None:
    limit(BOOK.types["Training", "ml.g4dn.xlarge"].code, 0)
    ladder = {"fallbacks": [{"instance_type": "ml.g4dn.xlarge"}]}
    (warning,) = bad(quotas.check(stack, plan(training(), training=ladder)))
    assert warning.level == "warning" and warning.needed == "1 for rung 2 of the run's capacity ladder"


def test_warm_pools_tuning_time_and_serverless_have_quotas_too(stack: Stack, limit: Any) -> None:
    limit(BOOK.types["WarmPool", G5].code, 0)
    (pool,) = bad(quotas.check(stack, plan(training(keepAlivePeriodInSeconds=600))))
    assert pool.level == "problem" and pool.needed == "1 for the warm pool of the run"
    job = {"resourceConfig": {"instanceType": M5, "instanceCount": 3}}
    limits = {"resourceLimits": {"maxParallelTrainingJobs": 7}}
    search = {"trainingJobDefinition": job, "hyperParameterTuningJobConfig": limits}
    found = bad(quotas.check(stack, plan(Resource(type=TUNING, name="search", inputs=search))))
    assert {one.needed for one in found} == {"21 for the tuning job"}
    long = Resource(
        type=TRAINING,
        name="run",
        inputs={"resourceConfig": {"instanceType": G5}, "stoppingCondition": {"maxRuntimeInSeconds": 500_000}},
    )
    assert [one.needed for one in bad(quotas.check(stack, plan(long)))] == ["500000 for the run's time limit"]
    limit(BOOK.account[quotas.SERVERLESS].code, 10)
    variants = [{"variantName": "serverless", "serverlessConfig": {"maxConcurrency": 11}}]
    endpoint = (Resource(type=CONFIGURATION, name="config", inputs={"productionVariants": variants}), hosting()[1])
    assert [one.needed for one in bad(quotas.check(stack, plan(*endpoint)))] == ["11 for the serverless endpoint"]


def test_a_type_that_the_file_does_not_have_is_said(stack: Stack) -> None:
    found = bad(quotas.check(stack, plan(training("ml.g7e.2xlarge"))))
    assert found[0].level == "warning" and "'ml.g7e.2xlarge for training job usage'" in found[0].found


def test_a_plan_that_starts_nothing_asks_nothing(stack: Stack) -> None:
    (one,) = quotas.check(replace(stack, environment={}), plan())
    assert one.level == "ok"


def test_types_regions_and_prices(stack: Stack) -> None:
    found = offers.check(stack, plan(training(), *hosting()))
    assert [one.level for one in found] == ["ok", "ok"] and "costs USD " in found[0].found
    (problem,) = offers.check(stack, plan(training("ml.g5.xlage")))
    assert problem.level == "problem" and "near it: ml.g5.xlarge" in problem.found
    (warning,) = offers.check(stack, plan(training("ml.trn2.48xlarge")))
    assert warning.level == "warning" and warning.mend == f"slipway prices refresh --region {REGION}"
    elsewhere = offers.check(replace(stack, region="eu-wset-1"), plan())
    assert "did you mean eu-west-1?" in elsewhere[0].found


def as_role(aws: Aws, stack: Stack, *statements: dict[str, Any]) -> Stack:
    """The same stack with the keys of a role that may do only this."""
    name = f"{stack.prefix}-caller"
    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam = aws.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    look = {"Effect": "Allow", "Action": ["iam:Simulate*", "iam:GetRole"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [look, *statements]})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    own = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    return replace(stack, environment={**stack.environment, **own})


def test_a_missing_permission_is_named_with_its_resource(stack: Stack, aws: Aws) -> None:
    jobs = {
        "Effect": "Allow",
        "Action": ["sagemaker:*"],
        "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{stack.prefix}-*",
    }
    deny = {"Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*"}
    caller = as_role(aws, stack, jobs, deny)
    found = permissions.check(caller, plan(training(), hosting()[1]))
    ok, *rest = found
    assert ok.found.startswith("2 actions are allowed to ") and ok.level == "ok"
    refused = {one.needed: one for one in rest}
    endpoint = refused["sagemaker:CreateEndpoint sagemaker:UpdateEndpoint sagemaker:DescribeEndpoint"]
    assert endpoint.level == "problem" and "explicitly denied" in endpoint.found
    assert f":endpoint/{stack.prefix}" in endpoint.found
    assert f"role/{stack.prefix}-train-0000000 for sagemaker.amazonaws.com" in refused["iam:PassRole"].found


def test_what_depends_on_the_request_is_a_warning(stack: Stack, aws: Aws) -> None:
    where = {"StringEquals": {"sagemaker:VpcSubnets": "subnet-1"}}
    jobs = {"Effect": "Allow", "Action": "sagemaker:*TrainingJob", "Resource": "*", "Condition": where}
    found = permissions.check(as_role(aws, stack, jobs), plan(training()))
    levels = {one.needed: one.level for one in bad(found)}
    assert levels["sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob"] == "warning"


def test_who_may_not_simulate_is_told_so(stack: Stack, aws: Aws) -> None:
    nothing = {"Effect": "Deny", "Action": "iam:Simulate*", "Resource": "*"}
    (one,) = permissions.check(as_role(aws, stack, nothing), plan(training()))
    assert one.level == "warning" and one.mend == "allow iam:SimulatePrincipalPolicy"


def test_the_administrator_of_the_embedded_aws_may_do_everything(stack: Stack) -> None:
    (one,) = permissions.check(stack, plan(training()))
    assert one.level == "ok"


def test_every_type_asks_for_actions_that_iam_has() -> None:
    from botocore.loaders import Loader

    loader = Loader()
    services = {"application-autoscaling", "budgets", "cloudwatch", "codebuild", "ecr", "iam", "kms", "lambda", "logs"}
    services |= {"s3", "sagemaker", "scheduler", "sns"}
    odd = {"budgets:ModifyBudget", "s3:PutEncryptionConfiguration", "iam:PassRole"}  # no operations, but actions
    for _, actions in permissions.ACTIONS.values():
        for action in set(actions.split()) - odd:
            service, name = action.split(":")
            assert service in services, action
            operations = loader.load_service_model(service, "service-2")["operations"]
            assert name in operations, action


def test_missing_data_code_image_and_artifact_are_problems(stack: Stack, aws: Aws) -> None:
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/none:v1"
    away = f"{ACCOUNT}.dkr.ecr.eu-north-1.amazonaws.com/none:v1"
    (stack.root / "empty").mkdir()
    for written, found in (
        ({"data": f"s3://{aws.bucket}/nothing/"}, "has no object"),
        ({"data": "s3://no-such-bucket-0/x"}, "bucket no-such-bucket-0 of s3://no-such-bucket-0/x does not exist"),
        ({"data": "./none"}, "./none is no folder of this machine"),
        ({"data": "./empty"}, "./empty holds no file"),
        ({"training": {"code": "./none"}}, "./none is no folder of this machine"),
        ({"image": image}, f"{image} does not exist"),
        ({"image": away}, "is in eu-north-1, the stack in us-east-1"),
        ({"model": f"s3://{aws.bucket}/none.tar.gz"}, f"s3://{aws.bucket}/none.tar.gz does not exist"),
        ({"training": {"baseline": f"s3://{aws.bucket}/none.tar.gz"}}, "none.tar.gz does not exist"),
        ({"serving": {"shadow": {"model": f"s3://{aws.bucket}/none.tar.gz"}}}, "none.tar.gz does not exist"),
    ):
        (problem,) = bad(inputs.check(stack, plan(**written)))
        assert problem.level == "problem" and found in problem.found and problem.mend, written
    (other,) = bad(inputs.check(stack, plan(image="ghcr.io/a/b:v1")))
    assert other.level == "warning"


def test_what_is_there_is_fine(stack: Stack, aws: Aws) -> None:
    (stack.root / "images").mkdir()
    (stack.root / "images" / "a.png").write_bytes(b"x" * 1000)
    image = aws.image({"serve": ECHO_SERVER}).replace("us-east-1", REGION)
    artifact = aws.put("model.tar.gz", b"x")
    aws.put("data/one.csv", "1,2")
    assert bad(inputs.check(stack, plan())) == []
    assert bad(inputs.check(stack, plan(data="./images", image=image, model=artifact))) == []
    assert bad(inputs.check(stack, plan(data=f"s3://{aws.bucket}/data"))) == []


def test_data_that_may_not_be_read_is_no_problem_but_unknown(stack: Stack, aws: Aws) -> None:
    aws.put("secret/one.csv", "1,2")
    caller = as_role(aws, stack)
    (warning,) = bad(inputs.check(caller, plan(data=f"s3://{aws.bucket}/secret")))
    assert warning.level == "warning" and warning.mend == f"allow s3:ListBucket on {aws.bucket}"


def test_names_that_are_taken(stack: Stack, aws: Aws) -> None:
    group = f"/aws/sagemaker/Endpoints/{stack.prefix}"
    named = (
        Resource(type=ENDPOINT, name="endpoint", inputs={"name": stack.prefix}),
        Resource(type=names.LOG_GROUP, name="logs", inputs={"name": group}),
    )
    (free,) = names.check(stack, plan(*named))
    assert free.found == f"free: {stack.prefix}, {group}"
    aws.client("logs").create_log_group(logGroupName=group)
    made = config(aws, variant(model(aws, aws.image({"serve": ECHO_SERVER}))))
    aws.client("sagemaker").create_endpoint(EndpointName=stack.prefix, EndpointConfigName=made)
    aws.settled(stack.prefix)
    endpoint, logs = names.check(stack, plan(*named))
    assert endpoint.level == logs.level == "problem"
    assert (
        endpoint.found == f"endpoint {stack.prefix} (InService) exists, and is not in the state of stack {stack.name}"
    )
    assert endpoint.mend.endswith(f"pulumi import {ENDPOINT} endpoint {stack.prefix}")
    assert names.check(stack, plan(*named, change="update")) == [], "they are the stack's own"


def test_a_failed_endpoint_is_no_hindrance(stack: Stack, aws: Aws) -> None:
    sick = aws.config(aws.image({"serve": "#!/bin/sh\nexit 1\n"}))
    aws.client("sagemaker").create_endpoint(EndpointName=stack.prefix, EndpointConfigName=sick)
    assert aws.settled(stack.prefix)["EndpointStatus"] == "Failed"
    named = Resource(type=ENDPOINT, name="endpoint", inputs={"name": stack.prefix})
    assert bad(names.check(stack, plan(named))) == []


def test_the_budget_and_the_plan(stack: Stack, aws: Aws) -> None:
    whole = plan(*hosting(2, 2))
    (none,) = [one for one in money.check(stack, whole) if one.check == "budget"]
    assert none.level == "ok" and "none is set" in none.found
    small = replace(whole, config={"spending": {"budget_usd": 5}})
    (warning,) = [one for one in money.check(stack, small) if one.check == "budget"]
    assert warning.level == "warning" and "USD " in warning.needed
    expected = money.month(whole).expected
    assert f"USD {expected:.2f} a month" in warning.needed and expected > 5
    limit = {"Amount": "0.0", "Unit": "USD"}
    budget = {"BudgetName": f"{stack.prefix}-budget-0000000", "BudgetLimit": limit}
    kind = {"BudgetType": "COST", "TimeUnit": "MONTHLY"}
    aws.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget | kind)
    (spent,) = [one for one in money.check(stack, whole) if one.check == "budget"]
    assert spent.level == "problem" and "USD 0.00 of 0.00 spent" in spent.found


def test_cost_allocation_tags_that_are_not_active(stack: Stack) -> None:
    (warning,) = [one for one in money.check(stack, plan()) if one.check == "cost tags"]
    assert warning.level == "warning" and "TagKey=slipway:stack,Status=Active" in warning.mend


def test_a_held_lock_is_a_problem(stack: Stack, tmp_path: Path) -> None:
    assert [one.level for one in lock.check(stack, plan())] == ["ok"]
    folder = tmp_path / f".pulumi/locks/organization/slipway/{stack.name}"
    folder.mkdir(parents=True)
    held = {"pid": 7, "username": "ann", "hostname": "box", "timestamp": "2030-01-01T00:00:00Z"}
    (folder / "one.json").write_text(json.dumps(held))
    (problem,) = lock.check(stack, plan())
    assert problem.level == "problem" and "ann on box (pid 7)" in problem.found and "slipway unlock" in problem.mend


def test_a_program_that_fails_leaves_what_the_file_says(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.preflight.plan.Engine.call", lambda *words: '{"deployment": {}}')
    written = {
        "training": {"instance_type": G5, "spot": True},
        "serving": {"instance_type": M5, "instances": {"min": 2, "max": 5}},
    }
    found = of_file(stack, written, "no")
    assert {(one.use, one.type, one.least, one.most) for one in quotas.wanted(found)} == {
        ("SpotTraining", G5, 1, 1),
        ("Hosting", M5, 2, 5),
    }
    assert [one.inputs["name"] for one in found.changing(ENDPOINT)] == [stack.prefix]
    state = {"deployment": {"resources": [{"type": ENDPOINT, "urn": "x"}]}}
    monkeypatch.setattr("slipway.preflight.plan.Engine.call", lambda *words: json.dumps(state))
    assert of_file(stack, written, "no").changing(ENDPOINT) == []


def test_everything_that_is_wrong_is_in_one_report(stack: Stack, aws: Aws, limit: Any) -> None:
    limit(BOOK.types["Training", G5].code, 0)
    group = f"/aws/sagemaker/Endpoints/{stack.prefix}"
    aws.client("logs").create_log_group(logGroupName=group)
    logs = Resource(type=names.LOG_GROUP, name="logs", inputs={"name": group})
    shown: list[str] = []
    found = judge(stack, plan(training(), logs, data="./none"), CHECKS, shown.append)
    assert [one.check for one in found if one.level == "problem"] == ["quota", "data", "names"]
    assert worst(found) == "problem" and counts(found).startswith("3 problems, 1 warning, ")
    assert shown[-1] == "" and len(shown) == len(CHECKS)
    text = list(lines(found))
    assert (
        "✗" in text[0] and "✓" in text[-1] and any(one.endswith("[/]") and "aws service-quotas" in one for one in text)
    )


def test_a_stage_refuses_only_what_is_certain(stack: Stack, aws: Aws, limit: Any) -> None:
    limit(BOOK.types["Training", G5].code, 0)
    job = training()
    after = Planned(region=REGION, resources=(job,))
    changes = (events.Change(change="create", type=job.type, name=job.name),)
    preview = events.Plan(
        changes=changes, unchanged=0, violations=(), warnings=(), error="", exit_code=0,
        stack=Change(before=Planned(region=REGION, resources=()), after=after),
    )  # fmt: skip
    steps = Steps(Console(file=io.StringIO()))
    nobody = as_role(aws, stack, {"Effect": "Allow", "Action": "servicequotas:GetServiceQuota", "Resource": "*"})
    with pytest.raises(
        SlipwayError, match="1 problem\\(s\\) would stop this deployment half-way:\n  quota: "
    ) as caught:
        hold(nobody, preview, steps)
    assert caught.value.exit_code == REFUSED and "--skip-preflight" in str(caught.value)
    limit(BOOK.types["Training", G5].code, 1)
    hold(nobody, preview, steps)  # permissions are not held against it, nor what it may not look at


def test_an_endpoint_that_nobody_describes_is_not_counted(stack: Stack, aws: Aws) -> None:
    serving(aws, config(aws, variant(model(aws, aws.image({"serve": ECHO_SERVER})), InstanceType="ml.c4.large")))
    from slipway.preflight.usage import running as in_use

    assert in_use(stack).of("Hosting", "ml.c4.large") == 1
