"""VPC rules that moto leaves out: what is in use cannot be deleted, endpoints really go, and their changes act."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, InvalidServiceName, InvalidVpcEndPointIdError
from moto.ec2.models import EC2Backend
from moto.ec2.responses.vpcs import VPCs

_delete_subnet, _delete_group, _delete_vpc = (
    EC2Backend.delete_subnet,
    EC2Backend.delete_security_group,
    EC2Backend.delete_vpc,
)
_create, _modify, _delete = (
    EC2Backend.create_vpc_endpoint,
    EC2Backend.modify_vpc_endpoint,
    EC2Backend.delete_vpc_endpoints,
)
_respond, _respond_delete = VPCs.modify_vpc_endpoint, VPCs.delete_vpc_endpoints


def install() -> None:
    """Put the rules into moto's EC2. Doing it twice does no harm."""
    EC2Backend.delete_subnet = _backend_delete_subnet
    EC2Backend.delete_security_group = _backend_delete_group
    EC2Backend.delete_vpc = _backend_delete_vpc
    EC2Backend.create_vpc_endpoint = _backend_create
    EC2Backend.modify_vpc_endpoint = _backend_modify
    EC2Backend.delete_vpc_endpoints = _backend_delete
    VPCs.modify_vpc_endpoint = _response_modify
    VPCs.delete_vpc_endpoints = _response_delete


def _endpoints(self: EC2Backend, **wanted: str) -> list[Any]:
    """The VPC endpoints that name the given subnet, group or VPC."""
    return [
        item
        for item in list(self.vpc_end_points.values())
        if wanted.get("subnet") in (item.subnet_ids or [])
        or wanted.get("group") in item.security_group_ids
        or wanted.get("vpc") == item.vpc_id
    ]


def _backend_delete_subnet(self: EC2Backend, subnet_id: str) -> Any:
    if _endpoints(self, subnet=subnet_id):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return _delete_subnet(self, subnet_id)


def _backend_delete_group(self: EC2Backend, name: str | None = None, group_id: str | None = None) -> None:
    if group_id and (_endpoints(self, group=group_id) or _named_by_others(self, group_id)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    _delete_group(self, name, group_id)


def _named_by_others(self: EC2Backend, group_id: str) -> bool:
    """Whether a rule of another group refers to this one."""
    groups = [group for vpc in list(self.groups.values()) for group in list(vpc.values()) if group.id != group_id]
    rules = [rule for group in groups for rule in [*group.ingress_rules, *group.egress_rules]]
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)


def _backend_delete_vpc(self: EC2Backend, vpc_id: str) -> Any:
    own = [group for group in self.groups[vpc_id].values() if group.name != "default"]
    if own or _endpoints(self, vpc=vpc_id):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return _delete_vpc(self, vpc_id)


def _backend_create(self: EC2Backend, vpc_id: str, service_name: str, *args: Any, **words: Any) -> Any:
    known = EC2Backend._collect_default_endpoint_services(self.account_id, self.region_name)
    own = [item.to_dict() for item in self.configurations.values()]
    if service_name not in {item["ServiceName"] for item in [*known, *own]}:
        raise InvalidServiceName(service_name)
    found = _create(self, vpc_id, service_name, *args, **words)
    if found.vpc_endpoint_type == "Gateway":
        found.private_dns_enabled = False
    return found


def _backend_modify(self: EC2Backend, vpc_id: str, **changes: Any) -> None:
    """The route tables of a gateway endpoint hold a route to it for as long as it names them."""
    _modify(self, vpc_id=vpc_id, **changes)
    endpoint = self.vpc_end_points[vpc_id]
    prefix = endpoint.destination_prefix_list_id
    if prefix is None:
        return
    for table in changes.get("remove_route_tables") or []:
        self.delete_route(table, prefix)
    for table in changes.get("add_route_tables") or []:
        self.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefix)


def _response_modify(self: VPCs) -> ActionResult:
    answer = _respond(self)
    private_dns = self._get_bool_param("PrivateDnsEnabled")
    if private_dns is not None:
        self.ec2_backend.vpc_end_points[self._get_param("VpcEndpointId")].private_dns_enabled = private_dns
    return answer


def _response_delete(self: VPCs) -> ActionResult:
    """An endpoint that does not exist is no error of the call; the answer names it."""
    named = self._get_param("VpcEndpointIds", [])
    errors = {name: InvalidVpcEndPointIdError(name) for name in named if name not in self.ec2_backend.vpc_end_points}
    _respond_delete(self)
    failed = [
        {"ResourceId": name, "Error": {"Code": error.code, "Message": error.message}} for name, error in errors.items()
    ]
    return ActionResult({"Unsuccessful": failed})


def _backend_delete(self: EC2Backend, vpce_ids: list[str] | None = None) -> None:
    """moto keeps deleted endpoints for ever; in AWS they are not found any more."""
    known = [name for name in vpce_ids or [] if name in self.vpc_end_points]
    _delete(self, known)
    for name in known:
        del self.vpc_end_points[name]
