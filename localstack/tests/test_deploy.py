"""What `make deploy` refuses before anything is made, and what it leaves alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[2] / "manifests" / "infrastructure"
sys.path.insert(0, str(HERE))

import deploy  # noqa: E402
import prerequisites  # noqa: E402
import undeploy  # noqa: E402

import images  # noqa: E402

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PROGRAMS = ("dormouse", "dormouse-proxy", "dormouse-service")


class Operator:
    """Somebody with credentials, a zone and images, who deploys and reads what is said."""

    def __init__(self, local: Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.local = local
        self._capsys = capsys

    def client(self, service: str) -> Any:
        return self.local.client(service)

    def deploy(self, *arguments: str, domain: str = "example.com", images: str = REGISTRY) -> tuple[int, str]:
        given = [f"--domain={domain}", f"--images={images}", "--tag=1", "--yes", *arguments]
        return deploy.main(given), self._capsys.readouterr().err

    def said(self) -> str:
        return self._capsys.readouterr().err

    def undeploy(self, *arguments: str) -> tuple[int, str]:
        return undeploy.main(["--yes", *arguments]), self._capsys.readouterr().err

    def refused(self, *arguments: str, **more: str) -> str:
        """Deploys in vain, sees that nothing was made, and answers what was said."""
        self.local.post("stats/reset")
        code, said = self.deploy(*arguments, **more)
        assert code == 1, said
        assert self.made() == set(), said
        return said

    def made(self) -> set[str]:
        """The calls that change something."""
        reads = ("Describe", "Get", "List")
        calls = self.local.get("stats")["calls"]
        return {one for one in calls if not one.split(".")[1].startswith(reads)}

    def stacks(self) -> list[str]:
        return [one["StackName"] for one in self.client("cloudformation").describe_stacks()["Stacks"]]

    def zones(self, *names: str) -> list[str]:
        """Other zones in place of those that are there; `private:` makes one private."""
        dns = self.client("route53")
        for zone in dns.list_hosted_zones()["HostedZones"]:
            dns.delete_hosted_zone(Id=zone["Id"])
        ids = []
        for number, name in enumerate(names):
            more: dict[str, Any] = {}
            if name.startswith("private:"):
                vpc = self.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
                more = {"VPC": {"VPCRegion": "us-east-1", "VPCId": vpc}, "HostedZoneConfig": {"PrivateZone": True}}
            made = dns.create_hosted_zone(Name=name.removeprefix("private:"), CallerReference=str(number), **more)
            ids.append(made["HostedZone"]["Id"].rsplit("/", 1)[-1])
        return ids

    def deny(self, action: str) -> None:
        """Takes one permission away."""
        statements = [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": action, "Resource": "*"},
        ]
        key = self.local.env["AWS_ACCESS_KEY_ID"]
        self.local.post("iam", {"key": key, "policy": {"Statement": statements}})

    def mark(self, domain: str, install: str) -> None:
        """The ownership mark of an installation's wildcard record."""
        value = f'"heritage=dormouse,install={install},service=_wildcard,pair=0.0"'
        owner = {"Name": f"_wildcard._dormouse.{domain}", "Type": "TXT", "TTL": 10,
                 "ResourceRecords": [{"Value": value}]}  # fmt: skip
        (zone,) = self.client("route53").list_hosted_zones()["HostedZones"]
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": owner}]}
        self.client("route53").change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=batch)


def push(ecr: Any, tag: str = "1") -> None:
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:" + "0" * 64}
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [], "tag": tag}
    for name in PROGRAMS:
        if name not in {one["repositoryName"] for one in ecr.describe_repositories()["repositories"]}:
            ecr.create_repository(repositoryName=name)
        ecr.put_image(repositoryName=name, imageTag=tag, imageManifest=json.dumps(manifest))


@pytest.fixture
def operator(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    local = start(seed={"empty": True, "domain": "example.com"})
    for name, value in local.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    push(local.client("ecr"))
    return Operator(local, capsys)


def test_without_a_public_zone_it_says_how_to_make_one(operator: Operator) -> None:
    operator.zones()
    said = operator.refused()
    assert "no public hosted zone for example.com or a domain above it: make one" in said
    (private,) = operator.zones("private:example.com")
    assert (
        f"no public hosted zone for example.com or a domain above it ({private} is private): make" in operator.refused()
    )
    said = operator.refused(f"--set=HostedZoneId={private}")
    assert f"WRONG    {private} is a private zone" in said


def test_of_two_zones_of_one_name_it_takes_none_by_itself(operator: Operator) -> None:
    one, two = operator.zones("example.com", "example.com")
    said = operator.refused()
    assert "two or more public zones of example.com" in said and one in said and two in said
    assert "SET=HostedZoneId=" in said and "dig +short NS example.com" in said
    # Said which, it goes on; and the longer name wins without being asked for.
    assert operator.deploy(f"--set=HostedZoneId={two}", "--dry-run")[0] == 0
    _, longer = operator.zones("com", "example.com")
    assert f"{longer} is the public zone of example.com" in operator.deploy("--dry-run")[1]


def test_a_zone_that_is_not_there_is_in_the_way(operator: Operator) -> None:
    said = operator.refused("--set=HostedZoneId=Z0NOTTHERE")
    assert "WRONG    there is no hosted zone Z0NOTTHERE" in said and "SET=HostedZoneId=" in said


def test_an_image_that_is_not_there_is_in_the_way_in_other_regions_too(operator: Operator) -> None:
    said = operator.refused(images=f"{REGISTRY}/nope")
    assert f"WRONG    ControllerImage {REGISTRY}/nope/dormouse:1 is not there" in said
    far = REGISTRY.replace("us-east-1", "eu-west-1")
    assert f"WRONG    ProxyImage {far}/dormouse-proxy:1 is not there" in operator.refused(images=far)


@pytest.mark.parametrize(
    "action",
    [
        "route53:ListHostedZones",
        "route53:GetHostedZone",
        "route53:ListResourceRecordSets",
        "cloudformation:DescribeStacks",
        "ecr:DescribeImages",
        "ec2:DescribeInstanceTypes",
    ],
)
def test_what_cannot_be_looked_at_is_in_the_way(operator: Operator, action: str) -> None:
    operator.deny(action)
    said = operator.refused()
    assert f"is not authorized to perform: {action}" in said


def test_quotas_that_cannot_be_read_are_not(operator: Operator) -> None:
    operator.deny("servicequotas:GetServiceQuota")
    code, said = operator.deploy("--dry-run")
    lines = [line for line in said.splitlines() if "quota L-" in line]
    assert code == 0 and len(lines) == 2, said
    assert all(line.startswith("  unknown  quota L-") and "An error occurred" not in line for line in lines)


@pytest.mark.parametrize("action", ["CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet"])
def test_a_change_set_that_is_refused_leaves_nothing(operator: Operator, action: str) -> None:
    operator.deny(f"cloudformation:{action}")
    code, said = operator.deploy()
    assert code == 1 and f"error: {action}: AccessDenied" in said, said
    assert operator.stacks() == []


def test_what_is_refused_after_the_stack_is_said_with_what_to_do(operator: Operator) -> None:
    operator.deny("autoscaling:SuspendProcesses")
    code, said = operator.deploy()
    assert code == 1 and "SuspendProcesses: AccessDenied" in said, said
    assert "the stack dormouse-main is made" in said and "call it again" in said


def test_a_domain_has_one_installation(operator: Operator) -> None:
    assert operator.deploy(domain="a.example.com")[0] == 0
    # Its controller has not said so in the zone yet.
    for domain in ("a.example.com", "b.a.example.com", "example.com"):
        said = operator.refused("--install-id=two", domain=domain)
        assert "WRONG    the installation main (stack dormouse-main) has a.example.com" in said, said
    assert operator.deploy("--install-id=two", domain="b.example.com")[0] == 0
    # Both go on.
    assert operator.deploy(domain="a.example.com")[0] == 0
    # One in another region, or account, is known by its mark, on a domain above too.
    operator.mark("far.example.com", "three")
    for domain in ("far.example.com", "c.far.example.com"):
        said = operator.refused("--install-id=four", domain=domain)
        assert "WRONG    another installation has far.example.com" in said, said


def test_an_installation_keeps_its_domain_and_its_id(operator: Operator) -> None:
    assert operator.deploy()[0] == 0
    said = operator.refused(domain="b.example.com")
    assert "the installation main serves example.com" in said
    assert "INSTALL_ID=" in said and "make undeploy INSTALL_ID=main" in said
    assert "InstallId" in operator.refused("--set=InstallId=two")
    assert "serves example.com" in operator.refused("--set=Domain=b.example.com")
    assert operator.deploy("--set=OperatorCidr=203.0.113.7/32")[0] == 0


def test_the_wrong_region_is_told_from_a_lost_one(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator.deploy()[0] == 0
    operator.mark("example.com", "main")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    said = operator.refused()
    assert "WRONG    the installation main of example.com is in us-east-1" in said and "AWS_REGION=us-east-1" in said
    # Its stack is lost: what it left in the zone is recognised.
    operator.client("cloudformation").delete_stack(StackName="dormouse-main")
    code, said = operator.deploy("--dry-run")
    assert code == 0 and "records of an installation main that is no more: they are taken over" in said, said


def test_a_region_without_an_answer_is_not_called_a_lack_of_credentials(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-9")
    code, said = operator.deploy()
    assert code == 1 and "AWS does not answer in us-east-9" in said and "AWS_REGION" in said, said
    assert "credentials" not in said


def test_without_credentials_it_says_so(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no usable AWS credentials" in operator.refused()


def test_a_dry_run_changes_nothing_where_nothing_changes(operator: Operator) -> None:
    assert operator.deploy()[0] == 0
    operator.local.post("stats/reset")
    code, said = operator.deploy("--dry-run", "--trunking")
    assert code == 0 and "is as it should be" in said and "Nothing was changed." in said, said
    assert "Deployed" not in said
    assert operator.made() == {"cloudformation.CreateChangeSet"}


def test_an_update_names_what_changes(operator: Operator) -> None:
    assert operator.deploy()[0] == 0
    said = operator.deploy("--set=ControllerCount=2")[1]
    assert "  modify ControllerService (AWS::ECS::Service)" in said, said
    assert "Table" not in said.split("What changes")[1].split("What it costs")[0]


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("ROLLBACK_COMPLETE", "make undeploy INSTALL_ID=main"),
        ("DELETE_FAILED", "make undeploy INSTALL_ID=main"),
        ("UPDATE_IN_PROGRESS", "wait"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name dormouse-main"),
        ("UPDATE_ROLLBACK_COMPLETE", None),
        ("UPDATE_COMPLETE", None),
    ],
)
def test_a_stack_that_cannot_be_updated_is_in_the_way(status: str, fix: str | None) -> None:
    class Stack:
        name = "dormouse-main"

        def found(self) -> dict[str, str]:
            return {"StackStatus": status}

    findings = prerequisites.Findings()
    prerequisites._state(None, Stack(), {"InstallId": "main"}, findings)  # type: ignore[arg-type]
    assert findings.wrong == (1 if fix else 0)
    assert fix is None or fix in findings.lines[1]


def test_a_wrong_install_id_is_refused_by_both(operator: Operator) -> None:
    words = "INSTALL_ID cannot be 'Bad_Id': 1 to 20 of a-z, 0-9 and hyphens"
    assert words in operator.refused("--install-id=Bad_Id")
    code, said = operator.undeploy("--install-id=Bad_Id")
    assert code == 1 and words in said


def test_an_unknown_parameter_is_refused_with_those_that_there_are(operator: Operator) -> None:
    said = operator.refused("--set=OperatorCIDR=203.0.113.7/32")
    assert "SET=OperatorCIDR=203.0.113.7/32: the template has no OperatorCIDR; did you mean OperatorCidr?" in said
    assert "HostedZoneId" in operator.refused("--set=Nonsense=1")


def test_a_tag_alone_keeps_the_registry(operator: Operator) -> None:
    assert operator.deploy()[0] == 0
    assert deploy.main(["--domain=example.com", "--tag=9.9.9", "--yes"]) == 1
    assert f"WRONG    ControllerImage {REGISTRY}/dormouse:9.9.9 is not there" in operator.said()
    push(operator.client("ecr"), "2")
    assert deploy.main(["--domain=example.com", "--tag=2", "--yes"]) == 0
    assert f"ok       ProxyImage {REGISTRY}/dormouse-proxy:2 is there" in operator.said()


def test_without_images_and_docker_it_builds_nothing_and_makes_nothing(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images.shutil, "which", lambda _: None)
    operator.local.post("stats/reset")
    assert deploy.main(["--domain=example.com", "--yes"]) == 1
    assert "WRONG    no IMAGES are named, and there is no docker here" in operator.said()
    # Nor where something else is in the way.
    monkeypatch.setattr(images.shutil, "which", lambda _: "/usr/bin/docker")
    assert deploy.main(["--domain=example.com", "--set=HostedZoneId=Z0NOTTHERE", "--yes"]) == 1
    assert operator.made() == set()
    # Looking needs no images.
    assert deploy.main(["--domain=example.com", "--dry-run"]) == 0
    said = operator.said()
    assert "note     the three images are built here first" in said and "What it costs" in said, said


def test_undeploy_names_what_there_is_instead(operator: Operator) -> None:
    assert operator.deploy(domain="a.example.com")[0] == 0
    code, said = operator.undeploy("--install-id=nothere")
    assert code == 0 and "There is no stack dormouse-nothere in us-east-1; there is main (a.example.com)." in said, said


def test_undeploy_leaves_nothing_of_the_definitions_that_were_in_use_before(operator: Operator) -> None:
    assert operator.deploy()[0] == 0
    push(operator.client("ecr"), "2")
    assert operator.deploy("--tag=2")[0] == 0
    ecs = operator.client("ecs")
    for install, family in (("main", "dormouse-main-hello-service"), ("main-b", "dormouse-main-b-hello-service")):
        tags = [{"key": "dormouse:install", "value": install}]
        for memory in (64, 128):
            container = {"name": "a", "image": "a", "memory": memory}
            ecs.register_task_definition(family=family, containerDefinitions=[container], tags=tags)
        ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    code, said = operator.undeploy()
    assert code == 0, said
    known = [
        arn.rsplit("/", 1)[-1]
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    assert sorted(known) == ["dormouse-main-b-hello-service:1", "dormouse-main-b-hello-service:2"]
