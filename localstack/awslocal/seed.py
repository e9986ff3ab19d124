"""The world at the start: network, clusters, auto scaling group, table and zones."""

from __future__ import annotations

import json
from typing import Any

from moto.autoscaling import autoscaling_backends
from moto.core.types import Base64EncodedString
from moto.ec2 import ec2_backends
from moto.logs import logs_backends
from moto.route53 import route53_backends

from awslocal import dynamodb
from awslocal import ec2 as ec2_images
from awslocal.services import Services
from awslocal.world import ACCOUNT, World

DEFAULTS: dict[str, Any] = {
    "domain": "localhost",
    "privateDomain": None,
    "proxyCluster": "dormouse-proxy",
    "serviceCluster": "dormouse-service",
    "clusters": [],
    "asg": {},
    "table": "dormouse",
    "logGroup": "/dormouse/services",
    "subnets": 2,
    "asgClusters": {},
    "taskDefinitions": [],
    "records": [],
    "empty": False,
}
ASG_DEFAULTS: dict[str, Any] = {
    "name": "dormouse-asg",
    "min": 0,
    "max": 10,
    "desired": 0,
    "instanceType": "t3.xlarge",
    "protected": False,
    "image": None,
}
ACCESS_KEY, SECRET_KEY = "AKIALOCALDORMOUSE000", "local"


def read(world: World) -> dict[str, Any]:
    """The seed file over the defaults."""
    given = json.loads(world.config.seed.read_text()) if world.config.seed else {}
    for what, known in ((given, DEFAULTS), (given.get("asg", {}), ASG_DEFAULTS)):
        if unknown := set(what) - set(known):
            raise ValueError(f"seed: unknown field {sorted(unknown)[0]!r} (accepted: {', '.join(sorted(known))})")
    return {**DEFAULTS, **given, "asg": {**ASG_DEFAULTS, **given.get("asg", {})}}


def plant(world: World, services: Services) -> None:
    """Makes the seed's resources; `world.ids` then tells what they are called."""
    seed, region = read(world), world.config.region
    dns = route53_backends[ACCOUNT]["aws"]
    env = {
        "AWS_ENDPOINT_URL": world.endpoint,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    world.ids = {"endpoint": world.endpoint, "region": region, "account": ACCOUNT, "env": env}
    world.asg_clusters.update(seed["asgClusters"])
    if seed["empty"]:
        # What a stack is made in, and not by it.
        zone = dns.create_hosted_zone(f"{seed['domain'].rstrip('.')}.", private_zone=False)
        world.ids |= {"domain": seed["domain"], "hostedZone": zone.resource_id}
        _extras(services, seed, zone)
        return
    ec2 = ec2_backends[ACCOUNT][region]
    vpc = ec2.create_vpc("10.0.0.0/16")
    # Without it moto's network interfaces have no private DNS name.
    vpc.enable_dns_hostnames = "true"
    subnets = [
        ec2.create_subnet(vpc.id, f"10.0.{number * 16}.0/20", availability_zone=f"{region}{'ab'[number % 2]}").id
        for number in range(seed["subnets"])
    ]
    group = ec2.create_security_group("dormouse", "Dormouse", vpc_id=vpc.id)
    clusters = dict.fromkeys([seed["proxyCluster"], seed["serviceCluster"], *seed["clusters"]])
    for name in clusters:
        services.ecs.moto.create_cluster(name)
    asg = _asg(ec2, region, seed, subnets, group.id)
    dynamodb.create_table(region, seed["table"], "serviceName", "ttl")
    logs_backends[ACCOUNT][region].create_log_group(seed["logGroup"], {})
    zone = dns.create_hosted_zone(f"{seed['domain'].rstrip('.')}.", private_zone=False)
    private = None
    if seed["privateDomain"]:
        name = f"{seed['privateDomain'].rstrip('.')}."
        private = dns.create_hosted_zone(name, private_zone=True, vpcid=vpc.id, vpcregion=region)
    _extras(services, seed, zone)
    env |= {
        "DOMAIN": seed["domain"],
        "HOSTED_ZONE_ID": zone.resource_id,
        "PROXY_CLUSTER": seed["proxyCluster"],
        "SERVICE_CLUSTER": seed["serviceCluster"],
        "SERVICE_ASG_NAME": asg,
        "PROXY_SUBNET_IDS": ",".join(subnets),
        "SERVICE_SUBNET_IDS": ",".join(subnets),
        "SECURITY_GROUP_ID": group.id,
        "LAUNCH_LOCKS_TABLE_NAME": seed["table"],
    }
    if private:
        env["PRIVATE_HOSTED_ZONE_ID"] = private.resource_id
    world.ids |= {
        "vpc": vpc.id,
        "subnets": subnets,
        "securityGroup": group.id,
        "clusters": list(clusters),
        "asg": asg,
        "table": seed["table"],
        "logGroup": seed["logGroup"],
        "domain": seed["domain"],
        "hostedZone": zone.resource_id,
        "privateHostedZone": private.resource_id if private else None,
        "privateDomain": seed["privateDomain"],
    }


def _asg(ec2: Any, region: str, seed: dict[str, Any], subnets: list[str], group: str) -> str:
    wanted = seed["asg"]
    user_data = f"#!/bin/bash\necho ECS_CLUSTER={seed['serviceCluster']} >> /etc/ecs/ecs.config\n"
    data = {
        "ImageId": wanted["image"] or ec2_images.newest(region, "x86_64"),
        "InstanceType": wanted["instanceType"],
        "UserData": Base64EncodedString.from_raw_string(user_data),
        "SecurityGroupIds": [group],
    }
    template = ec2.create_launch_template(f"{wanted['name']}-template", "local", data, {})
    autoscaling_backends[ACCOUNT][region].create_auto_scaling_group(
        name=wanted["name"],
        availability_zones=[],
        desired_capacity=wanted["desired"],
        max_size=wanted["max"],
        min_size=wanted["min"],
        launch_config_name=None,
        launch_template={"LaunchTemplateId": template.id, "Version": "$Latest"},
        vpc_zone_identifier=",".join(subnets),
        default_cooldown=None,
        health_check_period=None,
        health_check_type=None,
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[],
        capacity_rebalance=False,
        new_instances_protected_from_scale_in=wanted["protected"],
        instance_id=None,
        mixed_instances_policy=None,
    )
    return wanted["name"]


def _extras(services: Services, seed: dict[str, Any], zone: Any) -> None:
    for one in seed["taskDefinitions"]:
        services.ecs.moto.register_task_definition(
            one["family"],
            one["containerDefinitions"],
            network_mode=one.get("networkMode"),
            requires_compatibilities=one.get("requiresCompatibilities"),
            cpu=one.get("cpu"),
            memory=one.get("memory"),
            tags=one.get("tags"),
        )
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": one["name"],
                "Type": one["type"],
                "TTL": one.get("ttl", 60),
                "ResourceRecords": [{"Value": value} for value in one["values"]],
            },
        }
        for one in seed["records"]
    ]
    if changes:
        services.route53.apply(zone, changes)
