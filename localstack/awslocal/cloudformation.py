"""CloudFormation as far as a stack is a world to run in: what moto's resources lose is added, what it lacks is made."""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.cloudformation import parsing
from moto.cloudformation.models import Change, ChangeSet, Stack
from moto.core.common_models import CloudFormationModel
from moto.dynamodb import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.ec2 import ec2_backends
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPC
from moto.ecs import ecs_backends
from moto.ecs.models import Service, TaskDefinition, pascal_to_camelcase, remap_nested_keys
from moto.iam.models import Role
from moto.logs.models import LogGroup
from moto.secretsmanager import secretsmanager_backends

# Resources that are only told of here: nothing asks what they are, but for these attributes.
_NAMED = "arn:aws:servicediscovery:{region}:{account}"
PLAIN: dict[str, tuple[str, dict[str, str]]] = {
    "AWS::EC2::VPCCidrBlock": ("vpc-cidr-assoc", {}),
    "AWS::EC2::EgressOnlyInternetGateway": ("eigw", {}),
    "AWS::ECS::ClusterCapacityProviderAssociations": ("providers", {}),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": ("ns", {"Arn": _NAMED + ":namespace/{id}"}),
    "AWS::ServiceDiscovery::Service": ("srv", {"Arn": _NAMED + ":service/{id}"}),
}  # fmt: skip


def teach_moto() -> None:
    _teach_functions()
    _teach_change_sets()
    for kind, (prefix, attributes) in PLAIN.items():
        _plain(kind, prefix, attributes)
    # A class is known once it exists.
    assert Secret in CloudFormationModel.__subclasses__()
    _complete(VPC, _vpc)
    _complete(SubnetRouteTableAssociation, _routed)
    _complete(Table, _table)
    _complete(FakeAutoScalingGroup, _group)
    _complete(LogGroup, _log_group)
    _complete(Role, _role)
    # All of its streams, as CloudFormation has it.
    LogGroup.get_cfn_attribute = lambda group, name: f"{group.arn.removesuffix(':*')}:*"
    TaskDefinition.create_from_cloudformation_json = classmethod(_task_definition)
    TaskDefinition.update_from_cloudformation_json = classmethod(_new_revision)
    Service.create_from_cloudformation_json = classmethod(_service)
    parsing.get_model_list.cache_clear()
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()


def _teach_functions() -> None:
    clean, attribute = parsing.clean_json, VPC.get_cfn_attribute if hasattr(VPC, "get_cfn_attribute") else None

    def clean_json(given: Any, known: Any) -> Any:
        if isinstance(given, dict) and "Fn::Cidr" in given:
            block, count, bits = clean(given["Fn::Cidr"], known)
            network = ipaddress.ip_network(block)
            parts = network.subnets(new_prefix=network.max_prefixlen - int(bits))
            return [str(next(parts)) for _ in range(int(count))]
        if isinstance(given, list):
            # What is nothing is left out of a list, too.
            return [one for one in clean(given, known) if one is not None]
        return clean(given, known)

    def get_cfn_attribute(vpc: VPC, name: str) -> Any:
        if name == "Ipv6CidrBlocks":
            return ["2600:1f18:0:100::/56"]
        return attribute(vpc, name) if attribute else vpc.id

    parsing.clean_json = clean_json
    VPC.get_cfn_attribute = get_cfn_attribute


def _teach_change_sets() -> None:
    apply, diff = ChangeSet.apply, parsing.ResourceMap.build_resource_diff

    def apply_whole(change_set: ChangeSet) -> None:
        apply(change_set)
        stack = change_set.stack
        for one in change_set.changes:
            if one.action == "Remove":
                stack.resource_map._parsed_resources.pop(one.logical_resource_id, None)
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.output_map = stack._create_output_map()

    def parameters(stack: Stack) -> dict[str, Any]:
        """As they were given: moto tells what they were resolved to, and takes that for the next update's."""
        slots = stack.template_dict.get("Parameters") or {}
        return {name: stack.parameters.get(name, slot.get("Default")) for name, slot in slots.items()}

    def wanted(change_set: ChangeSet) -> list[Any]:
        """What changes; moto also looks at neither parameters nor conditions."""
        known = change_set.stack.resource_map
        found = known.build_resource_diff(change_set.template_dict, change_set.parameters)
        kinds = {**known._resource_json_map, **change_set.template_dict["Resources"]}
        return [Change(action, name, kinds[name]["Type"]) for action, names in found.items() for name in names]

    def differ(known: parsing.ResourceMap, template: dict[str, Any], given: dict[str, Any] | None = None) -> Any:
        """What is to be made, changed and removed: moto forgets that a condition may be met now, or no more."""
        modified = diff(known, template, given)["Modify"]
        asked = parsing.ResourceMap(
            known.stack_id, "", given or known.input_parameters, {}, known._region_name, known._account_id,
            template, None,
        )  # fmt: skip
        asked.load_parameters()
        asked.load_conditions()
        met = asked.lazy_condition_map
        resources = template["Resources"]
        wanted = [name for name, one in resources.items() if not one.get("Condition") or met[one["Condition"]]]
        made = known._parsed_resources
        return {
            "Add": [name for name in wanted if name not in made],
            "Modify": [name for name in modified if name in wanted and name in made],
            "Remove": [name for name in made if name in known._resource_json_map and name not in wanted],
        }

    ChangeSet.apply = apply_whole
    ChangeSet.diff = wanted
    parsing.ResourceMap.build_resource_diff = differ
    Stack.stack_parameters = property(parameters)


def _complete(model: Any, after: Callable[[Any, dict[str, Any], str, str], None]) -> None:
    """Has a resource's lost properties set once moto has made it."""
    create = model.create_from_cloudformation_json.__func__

    def create_from_cloudformation_json(
        cls: Any, name: str, given: dict[str, Any], account_id: str, region_name: str, **more: Any
    ) -> Any:
        made = create(cls, name, given, account_id, region_name, **more)
        after(made, given["Properties"], account_id, region_name)
        return made

    model.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)


def _on(value: Any) -> bool:
    return str(value).lower() == "true"


def _vpc(vpc: VPC, properties: dict[str, Any], account: str, region: str) -> None:
    vpc.enable_dns_hostnames = str(_on(properties.get("EnableDnsHostnames", False))).lower()


def _routed(_: SubnetRouteTableAssociation, properties: dict[str, Any], account: str, region: str) -> None:
    backend = ec2_backends[account][region]
    backend.associate_route_table(properties["RouteTableId"], subnet_id=properties["SubnetId"])


def _table(table: Table, properties: dict[str, Any], account: str, region: str) -> None:
    backend = dynamodb_backends[account][region]
    if ttl := properties.get("TimeToLiveSpecification"):
        backend.update_time_to_live(table.name, {"Enabled": _on(ttl["Enabled"]), "AttributeName": ttl["AttributeName"]})
    if backups := properties.get("PointInTimeRecoverySpecification"):
        wanted = {"PointInTimeRecoveryEnabled": _on(backups["PointInTimeRecoveryEnabled"])}
        backend.update_continuous_backups(table.name, wanted)


def _group(group: FakeAutoScalingGroup, properties: dict[str, Any], account: str, region: str) -> None:
    # Numbers may come as texts.
    group.min_size, group.max_size = int(group.min_size), int(group.max_size)
    group.desired_capacity = int(group.desired_capacity)
    for hook in properties.get("LifecycleHookSpecificationList", []):
        group.autoscaling_backend.create_lifecycle_hook(
            hook["LifecycleHookName"],
            group.name,
            hook["LifecycleTransition"],
            int(hook.get("HeartbeatTimeout", 3600)),
            hook.get("DefaultResult", "ABANDON"),
        )


def _role(role: Role, properties: dict[str, Any], account: str, region: str) -> None:
    role.policies = {one["PolicyName"]: json.dumps(one["PolicyDocument"]) for one in properties.get("Policies", [])}


def _log_group(group: LogGroup, properties: dict[str, Any], account: str, region: str) -> None:
    days = properties.get("RetentionInDays")
    group.set_retention_policy(int(days) if days else None)


def _words(value: Any) -> Any:
    """ECS's own spelling of CloudFormation's properties; the keys of free maps stay as they are."""
    if isinstance(value, list):
        return [_words(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Name", "Value"}:
        # A variable is a text, also where a parameter is a number.
        return {"name": value["Name"], "value": str(value["Value"])}
    return {
        pascal_to_camelcase(key): (one if key in ("Options", "DockerLabels") else _words(one))
        for key, one in value.items()
    }


def _task_definition(
    cls: Any, name: str, given: dict[str, Any], account_id: str, region_name: str, **more: Any
) -> TaskDefinition:
    properties = given["Properties"]
    return ecs_backends[account_id][region_name].register_task_definition(
        family=properties.get("Family", name),
        container_definitions=_words(properties.get("ContainerDefinitions", [])),
        volumes=remap_nested_keys(properties.get("Volumes", []), pascal_to_camelcase),
        network_mode=properties.get("NetworkMode"),
        requires_compatibilities=properties.get("RequiresCompatibilities"),
        cpu=properties.get("Cpu"),
        memory=properties.get("Memory"),
        task_role_arn=properties.get("TaskRoleArn"),
        execution_role_arn=properties.get("ExecutionRoleArn"),
        runtime_platform=_words(properties.get("RuntimePlatform")),
        tags=_words(properties.get("Tags")),
    )


def _new_revision(
    cls: Any,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
) -> TaskDefinition:
    return _task_definition(cls, new_resource_name, cloudformation_json, account_id, region_name)


def _service(cls: Any, name: str, given: dict[str, Any], account_id: str, region_name: str, **more: Any) -> Service:
    properties = given["Properties"]
    return ecs_backends[account_id][region_name].create_service(
        properties["Cluster"],
        name,
        int(properties.get("DesiredCount", 1)),
        task_definition_str=properties["TaskDefinition"],
        launch_type="FARGATE",
        network_configuration=_words(properties.get("NetworkConfiguration")),
        service_registries=_words(properties.get("ServiceRegistries")),
        tags=_words(properties.get("Tags")),
    )


class Secret(CloudFormationModel):
    """A secret with the text that its template asks for."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Secret:
        properties = cloudformation_json["Properties"]
        text = properties.get("SecretString")
        backend = secretsmanager_backends[account_id][region_name]
        if wanted := properties.get("GenerateSecretString"):
            generated = (uuid.uuid4().hex * 8)[: int(wanted.get("PasswordLength", 32))]
            if "GenerateStringKey" in wanted:
                generated = json.dumps(
                    {**json.loads(wanted["SecretStringTemplate"]), wanted["GenerateStringKey"]: generated}
                )
            text = generated
        made = backend.create_secret(
            resource_name,
            secret_string=text,
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags"),
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(made)["ARN"] if isinstance(made, str) else made["ARN"])

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        backend = secretsmanager_backends[account_id][region_name]
        backend.delete_secret(resource_name, recovery_window_in_days=None, force_delete_without_recovery=True)


def _plain(kind: str, prefix: str, attributes: dict[str, str]) -> None:
    class Plain(CloudFormationModel):
        def __init__(self, account: str, region: str) -> None:
            self.physical_resource_id = f"{prefix}-{uuid.uuid4().hex[:17]}"
            self._names = {"account": account, "region": region, "id": self.physical_resource_id}

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in attributes

        def get_cfn_attribute(self, attribute_name: str) -> str:
            return attributes[attribute_name].format(**self._names)

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
        ) -> Plain:
            return cls(account_id, region_name)

        @classmethod
        def delete_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
        ) -> None:
            return None

    # Subclasses are found through their base, and only as long as somebody holds them.
    KEPT.append(Plain)


KEPT: list[type] = []
