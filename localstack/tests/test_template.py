"""The CloudFormation template of manifests/infrastructure: its form, its policies, and what each choice makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "manifests" / "infrastructure"
sys.path.insert(0, str(HERE))

import deploy  # noqa: E402
import embed  # noqa: E402
import installation  # noqa: E402
import price  # noqa: E402
import undeploy  # noqa: E402

POLICIES = sorted((HERE / "policies").glob("*.json"))
# Actions without resource-level permissions in IAM: nothing but "*" can be written.
EVERYWHERE = {
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeNetworkInterfaces",
    "ecr:GetAuthorizationToken",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecs:ListTaskDefinitions",
}
GIVEN = {
    "Domain": "example.com",
    "ApiToken": "t" * 32,
    "ControllerImage": "dormouse:1",
    "ProxyImage": "dormouse-proxy:1",
    "ServiceSidecarImage": "dormouse-service:1",
}


def test_cfn_lint_has_nothing_to_say() -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, HERE / "dormouse.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_it_is_short_enough_to_be_sent_as_it_is() -> None:
    assert len((HERE / "dormouse.yaml").read_bytes()) <= deploy.LONGEST


def test_every_parameter_says_what_it_is_and_what_it_takes() -> None:
    for name, slot in installation.template()["Parameters"].items():
        assert slot["Description"].endswith("."), name
        bounded = {"AllowedPattern", "AllowedValues", "MinValue", "MinLength"} & set(slot)
        assert bounded or slot["Type"].startswith("AWS::SSM::"), f"{name} takes anything"
        if "Default" in slot:
            assert deploy.refusal(slot, str(slot["Default"])) is None, name


def test_the_policies_are_embedded_as_they_are() -> None:
    template = embed.TEMPLATE.read_text()
    assert embed.embedded(template) == template, "run manifests/infrastructure/embed.py"
    named = re.findall(r"# begin (policies/[\w-]+\.json)", template)
    assert sorted(named) == [f"policies/{one.name}" for one in POLICIES]
    # What was embedded means what the file says.
    resources = installation.template()["Resources"]
    for one in POLICIES:
        (found,) = [
            policy["PolicyDocument"]
            for resource in resources.values()
            for policy in resource.get("Properties", {}).get("Policies", [])
            if policy.get("PolicyName") == one.stem
        ]
        assert plain(found) == json.loads(one.read_text()), one.name


def plain(value: Any) -> Any:
    """Without the !Sub of its texts."""
    match value:
        case {"!Sub": text}:
            return text
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case list():
            return [plain(one) for one in value]
    return value


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_is_as_narrow_as_iam_lets_it_be(path: Path) -> None:
    seen: set[str] = set()
    for statement in json.loads(path.read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            assert "*" not in action, f"{action} in {statement['Sid']}"
            seen.add(action)
        if "*" in statement["Resource"] and "Condition" not in statement:
            assert set(statement["Action"]) <= EVERYWHERE, statement["Sid"]
        assert statement["Action"] == sorted(statement["Action"]), f"{statement['Sid']} is not in order"
    assert seen


def test_outputs_are_settings_by_name() -> None:
    outputs = set(installation.template()["Outputs"])
    settings = {installation.variable(one) for one in outputs - installation.OTHERS}
    assert outputs >= installation.OTHERS
    table = (ROOT / "controller" / "src" / "config" / "table.rs").read_text()
    required = set(re.findall(r'required\(\s*"(\w+)"', table)) - {"DORMOUSE_SECRET"}
    known = set(re.findall(r'(?:required|optional|defaulted)\(\s*"(\w+)"', table))
    assert required <= settings <= known


CHOICES = {
    "default": {},
    "everything": {
        "Ipv6": "true",
        "NatGateway": "true",
        "OperatorCidr": "203.0.113.7/32",
        "ControllerSpot": "true",
        "ControllerCount": "2",
        "InstanceType2": "t4g.2xlarge",
        "InstanceType3": "m6g.xlarge",
        "OnDemandShare": "20",
        "PrivateHostedZoneId": "ZPRIVATE",
        "Architecture": "ARM64",
        "WebhookSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf",
    },
    "x86": {"Architecture": "X86_64", "InstanceType": "t3.xlarge", "MaxInstances": "0"},
}


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_can_be_made_and_unmade(start, choice: str) -> None:
    local = start(seed={"empty": True, "domain": "example.com"})
    stacks = local.client("cloudformation")
    given = GIVEN | {"HostedZoneId": local.world["hostedZone"]} | CHOICES[choice]
    slots = installation.template()["Parameters"]
    assert not [name for name, value in given.items() if deploy.refusal(slots[name], value)]
    stacks.create_stack(
        StackName="dormouse",
        TemplateBody=(HERE / "dormouse.yaml").read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    made = {one["OutputKey"]: one["OutputValue"] for one in stacks.describe_stacks()["Stacks"][0]["Outputs"]}
    assert ("PrivateHostedZoneId" in made) == (choice == "everything")
    looks(local, made, given)
    stacks.delete_stack(StackName="dormouse")
    assert not stacks.describe_stacks()["Stacks"]
    ec2 = local.client("ec2")
    assert not [one for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]


def looks(local: Any, made: dict[str, str], given: dict[str, str]) -> None:
    """What was made is as the parameters say."""
    (group,) = local.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["MinSize"], group["DesiredCapacity"]) == (0, 0)
    assert group["MaxSize"] == int(given.get("MaxInstances", 10))
    assert group["NewInstancesProtectedFromScaleIn"]
    mixed = group["MixedInstancesPolicy"]
    assert mixed["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == int(given.get("OnDemandShare", 100))
    types = [one["InstanceType"] for one in mixed["LaunchTemplate"]["Overrides"]]
    asked = [given.get(one) for one in ("InstanceType", "InstanceType2", "InstanceType3")]
    assert types == [one for one in [asked[0] or "t4g.xlarge", *asked[1:]] if one]
    hooks = local.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=made["ServiceAsgName"])
    assert [one["LifecycleTransition"] for one in hooks["LifecycleHooks"]] == ["autoscaling:EC2_INSTANCE_TERMINATING"]
    table = local.client("dynamodb")
    name = {"TableName": made["LaunchLocksTableName"]}
    assert table.describe_time_to_live(**name)["TimeToLiveDescription"]["AttributeName"] == "ttl"
    backups = table.describe_continuous_backups(**name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    logs = local.client("logs").describe_log_groups(logGroupNamePrefix="/dormouse/")["logGroups"]
    assert {one["retentionInDays"] for one in logs} == {30} and len(logs) == 2
    task = local.client("ecs").describe_task_definition(taskDefinition="dormouse-controller-main")["taskDefinition"]
    assert task["runtimePlatform"]["cpuArchitecture"] == given.get("Architecture", "ARM64")
    (container,) = task["containerDefinitions"]
    hook = {one["name"]: one["valueFrom"] for one in container["secrets"] if "WEBHOOK" in one["name"]}
    asked = given.get("WebhookSecretArn")
    keys = {"DORMOUSE_WEBHOOK_URL": f"{asked}:url::", "DORMOUSE_WEBHOOK_SECRET": f"{asked}:secret::"}
    assert hook == (keys if asked else {})
    role = task["executionRoleArn"].rsplit("/", 1)[1]
    assert ("webhook" in local.client("iam").list_role_policies(RoleName=role)["PolicyNames"]) == bool(asked)
    groups = local.client("ec2").describe_security_groups(GroupIds=[made["ControllerSecurityGroupId"]])
    open_to = {
        (rule["FromPort"], one["CidrIp"])
        for rule in groups["SecurityGroups"][0]["IpPermissions"]
        for one in rule["IpRanges"]
    }
    assert open_to == {(9060, "0.0.0.0/0")} | ({(9070, given["OperatorCidr"])} if "OperatorCidr" in given else set())
    from_groups = {
        (rule["FromPort"], rule["ToPort"], one["GroupId"])
        for rule in groups["SecurityGroups"][0]["IpPermissions"]
        for one in rule["UserIdGroupPairs"]
    }
    # Heartbeats, and other controllers.
    assert from_groups == {(9070, 9070, made["SecurityGroupId"]), (9070, 9070, made["ControllerSecurityGroupId"])}
    private = local.client("ec2").describe_subnets(SubnetIds=made["ServiceSubnetIds"].split(","))["Subnets"]
    public = local.client("ec2").describe_subnets(SubnetIds=made["ProxySubnetIds"].split(","))["Subnets"]
    assert {one["AvailabilityZone"] for one in private} == {one["AvailabilityZone"] for one in public}
    assert len({one["CidrBlock"] for one in private + public}) == 4


def test_an_existing_vpc_is_used(start) -> None:
    local = start(seed={"domain": "example.com"})
    stacks = local.client("cloudformation")
    subnets = ",".join(local.world["subnets"])
    given = GIVEN | {
        "HostedZoneId": local.world["hostedZone"],
        "VpcId": local.world["vpc"],
        "PublicSubnetIds": subnets,
        "PrivateSubnetIds": subnets,
    }
    before = len(local.client("ec2").describe_vpcs()["Vpcs"])
    stacks.create_stack(
        StackName="dormouse",
        TemplateBody=(HERE / "dormouse.yaml").read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    made = {one["OutputKey"]: one["OutputValue"] for one in stacks.describe_stacks()["Stacks"][0]["Outputs"]}
    assert made["ProxySubnetIds"] == made["ServiceSubnetIds"] == subnets
    assert len(local.client("ec2").describe_vpcs()["Vpcs"]) == before


@pytest.mark.parametrize(("choices", "most"), [({}, 12.0), ({"ControllerSpot": "true"}, 7.0)])
def test_what_it_costs_asleep(choices: dict[str, str], most: float) -> None:
    slots = installation.template()["Parameters"]
    given = {name: str(slot["Default"]) for name, slot in slots.items() if "Default" in slot} | choices
    total = sum(one.dollars for one in price.idle(given))
    assert total <= most, price.table(given)


def test_what_both_sides_come_to_is_written_down() -> None:
    assert price.IDLE.read_text() == price.written(), "python manifests/infrastructure/price.py --write"
    (lease,) = re.findall(r"Name: DORMOUSE_LEASE, Value: (\d+)s", (HERE / "dormouse.yaml").read_text())
    assert int(lease) == price.LEASE_SECONDS


def test_the_guide_has_the_lines_of_the_price() -> None:
    slots = installation.template()["Parameters"]
    given = {name: str(slot["Default"]) for name, slot in slots.items() if "Default" in slot}
    guide = (HERE / "README.md").read_text()
    for choices in (
        {},
        {"ControllerSpot": "true"},
        {"ControllerCount": "2"},
        {"ControllerCount": "2", "ControllerSpot": "true"},
    ):
        lines = price.idle(given | choices)
        for one in lines:
            assert f"{one.dollars:.2f}" in guide, f"{one.what}: {one.dollars:.2f}"
        assert f"{sum(one.dollars for one in lines):.2f}" in guide
    assert price.prices()["date"] in guide


DOCKER = """#!{python}
import os, sys, boto3
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
if "build" in sys.argv:
    image = sys.argv[sys.argv.index("--tag") + 1]
    repository, tag = image.split("/", 1)[1].rsplit(":", 1)
    config = {{"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2}}
    config["digest"] = "sha256:" + "0" * 64
    manifest = {{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": config, "layers": []}}
    import json
    boto3.client("ecr", region_name="us-east-1").put_image(
        repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))
"""


def test_without_images_they_are_built_and_pushed(start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = start(seed={"empty": True, "domain": "example.com"})
    log, docker = tmp_path / "docker.log", tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(python=sys.executable, log=str(log)))
    docker.chmod(0o755)
    for name, value in local.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    assert deploy.main(["--domain", "example.com", "--yes"]) == 0
    calls = log.read_text().splitlines()
    assert calls[0].startswith("login --username AWS --password-stdin 123456789012.dkr.ecr.us-east-1")
    recipes = [call.split("--file ")[1].split()[0] for call in calls[1:]]
    assert recipes == [f"localstack/images/{one}.Dockerfile" for one in ("controller", "proxy", "service")]
    assert all((ROOT / one).is_file() for one in recipes)
    task = local.client("ecs").describe_task_definition(taskDefinition="dormouse-controller-main")["taskDefinition"]
    image = task["containerDefinitions"][0]["image"]
    assert re.fullmatch(r"123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com/dormouse/main/dormouse:[\w.-]+", image)
    # They are kept by the next deployment, and go with the installation.
    assert deploy.main(["--domain", "example.com", "--yes"]) == 0
    assert len(log.read_text().splitlines()) == len(calls)
    assert undeploy.main(["--yes"]) == 0
    assert not local.client("ecr").describe_repositories()["repositories"]


def test_undeploy_leaves_the_records_of_other_installations(start, monkeypatch: pytest.MonkeyPatch) -> None:
    local = start(seed={"empty": True, "domain": "example.com"})
    for name, value in local.env.items():
        monkeypatch.setenv(name, value)
    images = [f"--set={name}={value}" for name, value in GIVEN.items() if name.endswith("Image")]
    assert deploy.main(["--domain=a.example.com", "--yes", *images]) == 0
    zone, dns = local.world["hostedZone"], local.client("route53")

    def stand(name: str, domain: str, install: str, address: str, value: str) -> None:
        marks = [f'"heritage=dormouse,install={install},service={name},pair=1.1"', f'"a={name}.{domain}:{address}"']
        sets = [(f"{name}.{domain}", "A", [value]), (f"{name}._dormouse.{domain}", "TXT", marks)]
        changes = [
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": one,
                    "Type": kind,
                    "TTL": 10,
                    "ResourceRecords": [{"Value": each} for each in values],
                },
            }
            for one, kind, values in sets
        ]
        dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    stand("ours", "a.example.com", "main", "192.0.2.1", "192.0.2.1")
    # Changed by somebody since: theirs now, but for the mark.
    stand("taken", "a.example.com", "main", "192.0.2.2", "192.0.2.3")
    stand("other", "a.example.com", "another", "192.0.2.4", "192.0.2.4")
    # The same name in another region, in the same zone.
    stand("far", "b.example.com", "main", "192.0.2.5", "192.0.2.5")
    assert undeploy.main(["--yes"]) == 0
    left = {one["Name"] for one in dns.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert left == {
        "example.com.",
        "taken.a.example.com.",
        "other.a.example.com.",
        "other._dormouse.a.example.com.",
        "far.b.example.com.",
        "far._dormouse.b.example.com.",
    }


def test_two_installations_cannot_harm_each_other(start, monkeypatch: pytest.MonkeyPatch) -> None:
    local = start(seed={"empty": True, "domain": "example.com"})
    for name, value in local.env.items():
        monkeypatch.setenv(name, value)
    images = [f"--set={name}={value}" for name, value in GIVEN.items() if name.endswith("Image")]
    made = {}
    for install in ("one", "two"):
        done = deploy.main([f"--domain={install}.example.com", f"--install-id={install}", "--yes", *images])
        assert done == 0
        stack = local.client("cloudformation").describe_stacks(StackName=f"dormouse-{install}")["Stacks"][0]
        made[install] = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    one, two = made["one"], made["two"]
    key = "AKIALOCALCONTROLLER1"
    local.post("iam", {"key": key, "policy": {"role": one["ControllerRoleArn"]}})

    def refused(service: str, operation: str, **given: Any) -> None:
        with pytest.raises(ClientError) as problem:
            getattr(local.client(service, key), operation)(**given)
        assert "is not authorized to perform" in problem.value.response["Error"]["Message"], operation

    def record(name: str, kind: str = "A", action: str = "CREATE") -> dict[str, Any]:
        shown = {"Name": name, "Type": kind, "TTL": 10, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": shown}]}
        return {"HostedZoneId": two["HostedZoneId"], "ChangeBatch": batch}

    refused("ecs", "list_tasks", cluster=two["ProxyCluster"])
    refused("ecs", "stop_task", cluster=two["ServiceCluster"], task="0" * 32)
    refused("ecs", "run_task", cluster=one["ProxyCluster"], taskDefinition="dormouse-two-hello-proxy:1")
    refused("ecs", "run_task", cluster=two["ProxyCluster"], taskDefinition="dormouse-one-hello-proxy:1")
    tags = [{"key": "dormouse:install", "value": "two"}]
    container = [{"name": "a", "image": "exec:1", "memory": 64}]
    refused("ecs", "register_task_definition", family="dormouse-two-a", containerDefinitions=container, tags=tags)
    refused("ecs", "register_task_definition", family="dormouse-one-a", containerDefinitions=container, tags=tags)
    refused("autoscaling", "set_desired_capacity", AutoScalingGroupName=two["ServiceAsgName"], DesiredCapacity=0)
    refused("dynamodb", "scan", TableName=two["LaunchLocksTableName"])
    # Nor the domain itself, nor what is not A or TXT, nor by UPSERT.
    refused("route53", "change_resource_record_sets", **record("hello.two.example.com"))
    refused("route53", "change_resource_record_sets", **record("one.example.com"))
    refused("route53", "change_resource_record_sets", **record("mail.one.example.com", "MX"))
    refused("route53", "change_resource_record_sets", **record("hello.one.example.com", action="UPSERT"))
    dns = local.client("route53", key)
    dns.change_resource_record_sets(**record("hello.one.example.com"))
    dns.change_resource_record_sets(**record("*.one.example.com"))
    # A role of somebody else, and the other's.
    own = [{"key": "dormouse:install", "value": "one"}]
    for role in ("arn:aws:iam::123456789012:role/admin", "arn:aws:iam::123456789012:role/dormouse/two/hello"):
        refused("ecs", "register_task_definition", family="dormouse-one-a", containerDefinitions=container, tags=own,
                taskRoleArn=role)  # fmt: skip
    # The domain is taken: what stands there says by whom.
    owner = {"Name": "_wildcard._dormouse.one.example.com", "Type": "TXT", "TTL": 10,
             "ResourceRecords": [{"Value": '"heritage=dormouse,install=one,service=_wildcard,pair=0.0"'}]}  # fmt: skip
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": owner}]}
    local.client("route53").change_resource_record_sets(HostedZoneId=one["HostedZoneId"], ChangeBatch=batch)
    assert deploy.main(["--domain=one.example.com", "--install-id=three", "--yes", *images]) == 1
