"""A stack that CloudFormation makes is a world to run in."""

from __future__ import annotations

import json

from tests.conftest import eventually

USER_DATA = {"Fn::Base64": {"Fn::Sub": "#!/bin/bash\necho ECS_CLUSTER=${Services} >> /etc/ecs/ecs.config\n"}}
TEMPLATE = {
    "Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": True}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {
            "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}},
        "Services": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "services"}},
        "Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "stack.test"}},
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {
            "LaunchTemplateName": "hosts",
            "LaunchTemplateData": {"ImageId": "ami-12345678", "InstanceType": "t3.xlarge", "UserData": USER_DATA}}},
        "Hosts": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
            "AutoScalingGroupName": "hosts", "MinSize": "0", "MaxSize": "2", "DesiredCapacity": "0",
            "VPCZoneIdentifier": [{"Ref": "Subnet"}], "NewInstancesProtectedFromScaleIn": True,
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"},
                               "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}}}},
    },
    "Outputs": {"Group": {"Value": {"Ref": "Hosts"}}, "Cluster": {"Value": {"Ref": "Services"}},
                "Zone": {"Value": {"Ref": "Zone"}}},
}  # fmt: skip


def test_a_stack_is_a_world(start) -> None:
    local = start(seed={"empty": True})
    stacks, ecs, dns = local.client("cloudformation"), local.client("ecs"), local.client("route53")
    stacks.create_stack(StackName="dormouse", TemplateBody=json.dumps(TEMPLATE))
    stack = stacks.describe_stacks(StackName="dormouse")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    local.client("autoscaling").set_desired_capacity(AutoScalingGroupName=made["Group"], DesiredCapacity=1)
    eventually(lambda: ecs.list_container_instances(cluster=made["Cluster"])["containerInstanceArns"], "it joins")
    (state,) = local.get("instances")["instances"]
    assert state["protected"]
    record = {"Name": "a.stack.test", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "127.1.1.1"}]}
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    dns.change_resource_record_sets(HostedZoneId=made["Zone"], ChangeBatch=change)
    assert dns.list_resource_record_sets(HostedZoneId=made["Zone"])["ResourceRecordSets"][-1]["Name"] == "a.stack.test."


def test_a_change_set_names_only_what_is_made(start) -> None:
    stacks = start(seed={"empty": True}).client("cloudformation")
    cluster = {"Type": "AWS::ECS::Cluster", "Condition": "Second", "Properties": {"ClusterName": "second"}}
    template = {
        "Parameters": {"Two": {"Type": "String", "Default": "false"}},
        "Conditions": {"Second": {"Fn::Equals": [{"Ref": "Two"}, "true"]}},
        "Resources": {"One": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "first"}}, "Two": cluster},
    }
    for two, expected in (("false", ["One"]), ("true", ["One", "Two"])):
        given = {"StackName": f"stack-{two}", "ChangeSetName": "changes", "ChangeSetType": "CREATE"}
        parameters = [{"ParameterKey": "Two", "ParameterValue": two}]
        stacks.create_change_set(**given, TemplateBody=json.dumps(template), Parameters=parameters)
        del given["ChangeSetType"]
        changes = stacks.describe_change_set(**given)["Changes"]
        assert sorted(one["ResourceChange"]["LogicalResourceId"] for one in changes) == expected


def test_an_update_makes_and_removes_what_its_conditions_say(start) -> None:
    local = start(seed={"empty": True})
    stacks, ecs = local.client("cloudformation"), local.client("ecs")
    cluster = {"Type": "AWS::ECS::Cluster", "Condition": "Second", "Properties": {"ClusterName": "second"}}
    template = {
        "Parameters": {"Two": {"Type": "String", "Default": "false"}, "Name": {"Type": "String", "Default": "a"}},
        "Conditions": {"Second": {"Fn::Equals": [{"Ref": "Two"}, "true"]}},
        "Resources": {"One": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "first"}}, "Second": cluster},
    }
    stacks.create_stack(StackName="stack", TemplateBody=json.dumps(template))
    for two, action, expected in (("true", "Add", {"first", "second"}), ("false", "Remove", {"first"})) * 2:
        given = {"StackName": "stack", "ChangeSetName": "changes"}
        parameters = [{"ParameterKey": "Two", "ParameterValue": two}]
        stacks.create_change_set(
            **given, ChangeSetType="UPDATE", TemplateBody=json.dumps(template), Parameters=parameters
        )
        changes = stacks.describe_change_set(**given)["Changes"]
        assert [(one["ResourceChange"]["Action"], one["ResourceChange"]["LogicalResourceId"]) for one in changes] == [
            (action, "Second")
        ]
        stacks.execute_change_set(**given)
        found = ecs.describe_clusters(clusters=["first", "second"])["clusters"]
        assert {one["clusterName"] for one in found if one["status"] == "ACTIVE"} == expected
