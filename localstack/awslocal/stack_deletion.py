"""The end of a stack: moto leaves some kinds of resources behind, and then cannot delete what they are in."""

from __future__ import annotations

from typing import Any

from moto.ec2 import ec2_backends
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ecs import ecs_backends
from moto.ecs.models import Cluster, Service, TaskDefinition
from moto.logs import logs_backends
from moto.logs.models import LogGroup

from awslocal.errors import AwsError


def teach_moto(tasks: Any) -> None:
    """`tasks` are all tasks by ARN, as the ECS of this server knows them."""

    def cluster(one: Cluster, account: str, region: str) -> None:
        if any(task.live and task.cluster == one.name for task in tasks.values()):
            raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        ecs_backends[account][region].delete_cluster(one.name)

    for model, delete in (
        (RouteTable, _route_table),
        (VPCEndPoint, _endpoint),
        (InternetGateway, _gateway),
        (NatGateway, _nat),
        (ElasticAddress, _address),
        (LogGroup, _log_group),
        (TaskDefinition, _task_definition),
        (Service, _service),
        (Cluster, cluster),
    ):
        model.delete = delete


def _route_table(table: RouteTable, account: str, region: str) -> None:
    table._associations.clear()
    # Its associations are resources of the stack too, and gone by now.
    table._associations.clear()
    ec2_backends[account][region].delete_route_table(table.id)


def _endpoint(endpoint: VPCEndPoint, account: str, region: str) -> None:
    endpoint.state = "deleted"
    ec2_backends[account][region].vpc_end_points.pop(endpoint.id, None)


def _gateway(gateway: InternetGateway, account: str, region: str) -> None:
    gateway.vpc = None
    ec2_backends[account][region].delete_internet_gateway(gateway.id)


def _nat(gateway: NatGateway, account: str, region: str) -> None:
    ec2_backends[account][region].delete_nat_gateway(gateway.id)


def _address(address: ElasticAddress, account: str, region: str) -> None:
    ec2_backends[account][region].release_address(allocation_id=address.allocation_id)


def _log_group(group: LogGroup, account: str, region: str) -> None:
    logs_backends[account][region].delete_log_group(group.name)


def _task_definition(definition: TaskDefinition, account: str, region: str) -> None:
    ecs_backends[account][region].deregister_task_definition(definition.arn)


def _service(service: Service, account: str, region: str) -> None:
    ecs_backends[account][region].delete_service(service.cluster_name, service.name, force=True)
