"""Servers in a real Nova, made through Nova's own objects.

``fleet()`` describes one server for every value of Nova's vocabulary, and one
for every place where Nova keeps a server. ``create()`` makes any number of
servers from such descriptions. Ids, names, dates: all the same in each run.

Nova is imported in functions: first an installation has to configure it.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import uuid
from typing import TYPE_CHECKING, Any

from tests.nova.installation import ADMIN, DOWN_CELL, LIVE_CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: A project beside the one of installation.ADMIN.
OTHER_PROJECT = "0123456789abcdef0123456789abcdef"

#: The compute host and hypervisor in cell1 of some servers, all in cell1.
HOST = "compute-1"

#: The first server's date; each has a minute of its own, so that the order of
#: a list is the same in each run.
_FIRST_DATE = datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One server, and where Nova has it.

    :param cell: a cell's name, or None for a build request
    :param deleted: whether the record is deleted in the end
    :param hidden: what stands in the record
    :param twin: (cell, States) of a hidden record of the same id elsewhere
    """

    number: int
    name: str
    cell: str | None
    vm_state: str
    task_state: str | None = None
    power_state: int | None = 0
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    project: str = ADMIN["X-Project-Id"]
    deleted: bool = False
    hidden: bool | None = False
    twin: tuple[str, tuple[str, str | None, int]] | None = None
    host: str | None = None

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"server-{self.number}"))

    @property
    def created(self) -> datetime.datetime:
        return _FIRST_DATE + datetime.timedelta(minutes=self.number)


def fleet() -> list[Server]:
    """Return servers in every state and every place, none twice."""
    return [
        Server(number=number, **description)
        for number, description in enumerate(_descriptions())
    ]


def fleet_of(length: int) -> list[Server]:
    """Return this many plain servers, in all live cells and many states."""
    states = [
        description
        for description in _vocabulary()
        if description["vm_state"] != "soft-delete"
    ]
    return [
        Server(number=number, **description | {"name": f"server-{number}"})
        for number, description in zip(
            range(length), itertools.cycle(states), strict=False
        )
    ]


def create(servers: Iterable[Server]) -> None:
    """Make these servers in the Nova that this process is configured for."""
    from nova import context, objects

    admin = context.RequestContext(
        user_id=ADMIN["X-User-Id"],
        project_id=ADMIN["X-Project-Id"],
        is_admin=True,
    )
    cells = {
        cell.name: cell for cell in objects.CellMappingList.get_all(admin)
    }
    flavor = _flavor(admin)
    host_id = _compute_host(admin, cells["cell1"])
    for server in servers:
        instance = _instance(admin, server, flavor)
        objects.InstanceMapping(
            admin,
            instance_uuid=server.id,
            project_id=server.project,
            user_id=ADMIN["X-User-Id"],
            cell_mapping=cells[server.cell] if server.cell else None,
            queued_for_delete=server.deleted,
        ).create()
        _request_spec(admin, server, flavor)
        if server.cell is None:
            _build_request(admin, server, instance)
        elif server.cell != DOWN_CELL:
            _create(cells[server.cell], server, instance, host_id)
        if server.twin:
            cell, (vm_state, task_state, power_state) = server.twin
            twin = dataclasses.replace(
                server,
                vm_state=vm_state,
                task_state=task_state,
                power_state=power_state,
                hidden=True,
            )
            _create(cells[cell], twin, _instance(admin, twin, flavor), None)


def _descriptions() -> Iterator[dict[str, Any]]:
    yield from _vocabulary()
    deleted: dict[str, Any] = {"vm_state": "deleted", "deleted": True}
    yield deleted | {"name": "deleted", "cell": "cell1"}
    yield (
        deleted
        | {"name": "deleted while shut down", "cell": "cell2"}
        | {"power_state": 4}
    )
    # The record of a server that was deleted while its host was down.
    yield (
        deleted
        | {"name": "deleted while deleting", "cell": "cell1"}
        | {
            "vm_state": "active",
            "task_state": "deleting",
            "power_state": 1,
        }
    )
    yield {
        "name": "only a build request",
        "cell": None,
        "vm_state": "building",
        "task_state": "scheduling",
    }
    yield {"name": "no valid host", "cell": "cell0", "vm_state": "error"}
    yield {"name": "out of reach", "cell": DOWN_CELL, "vm_state": "active"}
    active: dict[str, Any] = {"vm_state": "active", "power_state": 1}
    yield (
        active
        | {"name": "power unknown", "cell": "cell2"}
        | {"power_state": None}
    )
    yield active | {
        "name": "older than the column",
        "cell": "cell1",
        "hidden": None,
    }
    # In the middle of a resize from one cell to another.
    yield active | {
        "name": "moving",
        "cell": "cell1",
        "task_state": "resize_migrating",
        "twin": ("cell2", ("resized", "resize_finish", 4)),
    }
    yield active | {
        "name": "somebody else's",
        "cell": "cell2",
        "project": OTHER_PROJECT,
    }
    yield active | {
        "name": "metadata like a state",
        "cell": "cell2",
        "metadata": {
            "OS-EXT-STS:vm_state": "paused",
            "OS-EXT-STS:task_state": 'null, "OS-EXT-STS:power_state": 7',
            "id": "00000000-0000-0000-0000-000000000000",
            "servers": '[{"id": "x"}]',
        },
    }
    for name in (
        'quoted "name"',
        'back\\slash \\" \\u0022 and \\',
        "gr\u00fc\u00dfe \u4f60\u597d \u0416",
        '}, {"id": "1", "status": "ACTIVE"}], "servers_links": [',
        '"OS-EXT-STS:vm_state": "error"',
    ):
        yield active | {
            "name": name,
            "cell": "cell1",
            "metadata": {"note": name},
        }


def _vocabulary() -> Iterator[dict[str, Any]]:
    """Yield every state of Nova's, each kind in turn over the live cells."""
    from nova.objects import fields

    vm_states: Sequence[str] = fields.InstanceState.ALL
    task_states: Sequence[str] = fields.InstanceTaskState.ALL
    power_states = [
        number
        for number, name in enumerate(fields.InstancePowerState.ALL)
        if name != "_unused"
    ]
    pairs: list[tuple[str, str | None]] = [
        (vm_state, None) for vm_state in vm_states
    ]
    visible = [state for state in vm_states if state != "soft-delete"]
    pairs += zip(itertools.cycle(visible), task_states, strict=False)
    for (vm_state, task_state), power_state, cell, host in zip(
        pairs,
        itertools.cycle(power_states),
        itertools.cycle(LIVE_CELLS),
        itertools.cycle([HOST, None, None, None]),
        strict=False,
    ):
        yield {
            "name": f"{vm_state} {task_state or ''}".strip(),
            "cell": cell,
            "vm_state": vm_state,
            "task_state": task_state,
            "power_state": power_state,
            "host": host,
        }


def _flavor(admin: Any) -> Any:
    from nova import exception, objects

    try:
        return objects.Flavor.get_by_flavor_id(admin, "1")
    except exception.FlavorNotFound:
        flavor = objects.Flavor(
            admin,
            flavorid="1",
            name="m1.tiny",
            memory_mb=512,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            vcpu_weight=0,
            disabled=False,
            is_public=True,
            extra_specs={"hw:cpu_policy": "shared"},
            projects=[],
            description=None,
        )
        flavor.create()
        return objects.Flavor.get_by_flavor_id(admin, "1")


def _compute_host(admin: Any, cell: Any) -> int:
    """Return the id of the compute node ``HOST`` in a cell, made if needed.

    Its service is forced down: Nova asks nothing of it.
    """
    from nova import context, exception, objects

    with context.target_cell(admin, cell) as target:
        try:
            node = objects.ComputeNode.get_by_host_and_nodename(
                target, HOST, HOST
            )
        except exception.ComputeHostNotFound:
            service = objects.Service(
                target,
                host=HOST,
                binary="nova-compute",
                topic="compute",
                report_count=0,
                forced_down=True,
            )
            service.create()
            node = objects.ComputeNode(
                target,
                uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, HOST)),
                service_id=service.id,
                host=HOST,
                hypervisor_hostname=HOST,
                hypervisor_type="fake",
                hypervisor_version=1,
                vcpus=64,
                vcpus_used=0,
                memory_mb=65536,
                memory_mb_used=0,
                local_gb=1024,
                local_gb_used=0,
                cpu_info="{}",
                cpu_allocation_ratio=1.0,
                ram_allocation_ratio=1.0,
                disk_allocation_ratio=1.0,
                mapped=1,
            )
            node.create()
            objects.HostMapping(admin, host=HOST, cell_mapping=cell).create()
    return int(node.id)


def _instance(admin: Any, server: Server, flavor: Any) -> Any:
    """Return the object with everything that Nova shows, not yet created."""
    from nova import objects
    from nova.network import model

    return objects.Instance(
        admin,
        uuid=server.id,
        display_name=server.name,
        display_description=f"{server.name}, in words",
        hostname=f"server-{server.number}",
        vm_state=server.vm_state,
        task_state=server.task_state,
        power_state=server.power_state,
        metadata=server.metadata,
        project_id=server.project,
        user_id=ADMIN["X-User-Id"],
        flavor=flavor,
        instance_type_id=flavor.id,
        memory_mb=flavor.memory_mb,
        vcpus=flavor.vcpus,
        root_gb=flavor.root_gb,
        ephemeral_gb=flavor.ephemeral_gb,
        image_ref=str(uuid.uuid5(uuid.NAMESPACE_DNS, "image")),
        kernel_id="",
        ramdisk_id="",
        availability_zone=None,
        config_drive="",
        key_name=None,
        launch_index=0,
        reservation_id="r-1",
        root_device_name="/dev/vda",
        user_data=None,
        access_ip_v4=None,
        access_ip_v6=None,
        auto_disk_config=True,
        progress=0,
        locked=False,
        locked_by=None,
        system_metadata={"image_base_image_ref": ""},
        security_groups=objects.SecurityGroupList(objects=[]),
        info_cache=objects.InstanceInfoCache(
            admin,
            instance_uuid=server.id,
            network_info=model.NetworkInfo.hydrate(_addresses(server)),
        ),
        trusted_certs=None,
        pci_requests=objects.InstancePCIRequests(
            requests=[], instance_uuid=server.id
        ),
        numa_topology=None,
        keypairs=objects.KeyPairList(objects=[]),
    )


def _addresses(server: Server) -> list[dict[str, Any]]:
    """Return the network information of a server with one port."""
    address: dict[str, Any] = {
        "address": f"10.0.{server.number // 250}.{server.number % 250 + 2}",
        "type": "fixed",
        "version": 4,
        "meta": {},
        "floating_ips": [],
    }
    subnet: dict[str, Any] = {
        "cidr": "10.0.0.0/16",
        "dns": [],
        "gateway": None,
        "ips": [address],
        "routes": [],
        "version": 4,
        "meta": {},
    }
    return [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"port-{server.number}")),
            "address": f"fa:16:3e:00:00:{server.number % 256:02x}",
            "network": {
                "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "network")),
                "bridge": "br-int",
                "label": "private",
                "subnets": [subnet],
                "meta": {},
            },
            "type": "ovs",
            "meta": {},
        }
    ]


def _create(cell: Any, server: Server, instance: Any, host_id: Any) -> None:
    """Make the record in a cell, with the server's own dates and flags."""
    from nova import context, objects
    from nova.db.main import api as db
    from nova.db.main import models

    with context.target_cell(instance._context, cell) as target:
        with instance.obj_alternate_context(target):
            if server.host:
                instance.host = instance.node = server.host
                instance.compute_id = host_id
                instance.launched_on = server.host
            if server.vm_state not in ("building", "error"):
                instance.launched_at = server.created
            instance.create()
            if server.vm_state == "error":
                objects.InstanceFault(
                    target,
                    instance_uuid=server.id,
                    code=500,
                    message='No valid host: "none", said the {scheduler}',
                    details="Traceback",
                    host=server.host,
                ).create()
            if server.deleted:
                instance.terminated_at = server.created
                instance.save()
                instance.destroy()
        # What objects don't write: dates, and a flag that is NULL.
        date = server.created.replace(tzinfo=None)
        with db.get_context_manager(target).writer.using(target):
            target.session.query(models.Instance).filter_by(
                uuid=server.id
            ).update(
                {
                    "created_at": date,
                    "updated_at": date,
                    "hidden": server.hidden,
                }
            )


def _build_request(admin: Any, server: Server, instance: Any) -> None:
    from nova import objects
    from nova.db.api import api as api_db
    from nova.db.api import models

    objects.BuildRequest(
        admin,
        instance=instance,
        instance_uuid=instance.uuid,
        project_id=instance.project_id,
        block_device_mappings=objects.BlockDeviceMappingList(objects=[]),
        tags=objects.TagList(objects=[]),
    ).create()
    # Nova shows the present time as the update of what was never updated.
    date = server.created.replace(tzinfo=None)
    with api_db.context_manager.writer.using(admin):
        admin.session.query(models.BuildRequest).filter_by(
            instance_uuid=server.id
        ).update({"created_at": date, "updated_at": date})


def _request_spec(admin: Any, server: Server, flavor: Any) -> None:
    """Keep what was asked for: all that Nova has to show of a down cell."""
    from nova import objects

    objects.RequestSpec.from_components(
        admin,
        server.id,
        {},
        flavor,
        None,
        objects.InstancePCIRequests(requests=[], instance_uuid=server.id),
        {},
        None,
        None,
        project_id=server.project,
        user_id=ADMIN["X-User-Id"],
    ).create()
