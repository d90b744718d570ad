"""Servers in a real Nova, made through Nova's own objects.

Ids, names and dates are the same in each run. Nova is imported in functions:
first an installation has to configure it.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import uuid
from typing import TYPE_CHECKING, Any

from tests.nova.installation import ADMIN, DOWN_CELL, LIVE_CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: A project beside the one of installation.ADMIN.
OTHER_PROJECT = "0123456789abcdef0123456789abcdef"

_FIRST_DATE = datetime.datetime(2024, 2, 29, 12, 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One server, and where Nova has it.

    :param cell: a cell's name, or None for a build request
    :param twin: a hidden record of the same server in another cell
    """

    number: int = 0
    name: str
    cell: str | None
    vm_state: str = "active"
    task_state: str | None = None
    power_state: int | None = 0
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    project: str = ADMIN["X-Project-Id"]
    deleted: bool = False
    twin: Server | None = None

    @property
    def id(self) -> str:
        return named_id(f"server-{self.number}")

    @property
    def dates(self) -> dict[str, datetime.datetime]:
        """Another minute for each, so that the order of a list is known."""
        date = _FIRST_DATE + datetime.timedelta(minutes=self.number)
        # Nova shows the present time as the update of what was never updated.
        return {"created_at": date, "updated_at": date}


def fleet() -> list[Server]:
    """Return servers in every state and every place, none twice."""
    return [
        dataclasses.replace(server, number=number)
        for number, server in enumerate([*_vocabulary(), *_places()])
    ]


def fleet_of(length: int) -> list[Server]:
    """Return this many plain servers, in all live cells and many states."""
    listed = (s for s in _vocabulary() if s.vm_state != "soft-delete")
    servers = itertools.islice(itertools.cycle(listed), length)
    return [
        dataclasses.replace(server, number=number, name=f"server-{number}")
        for number, server in enumerate(servers)
    ]


def named_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _vocabulary() -> Iterator[Server]:
    """Yield every state of Nova's, each kind in turn over the live cells."""
    from nova.objects import fields

    vm_states = list(fields.InstanceState.ALL)
    pairs = [(vm_state, None) for vm_state in vm_states]
    # Lists do not have servers in this state.
    vm_states.remove("soft-delete")
    listed = itertools.cycle(vm_states)
    pairs += [(next(listed), each) for each in fields.InstanceTaskState.ALL]
    power_states = itertools.cycle([0, 1, 3, 4, 6, 7])
    cells = itertools.cycle(LIVE_CELLS)
    for vm_state, task_state in pairs:
        yield Server(
            name=f"{vm_state} {task_state or ''}".strip(),
            cell=next(cells),
            vm_state=vm_state,
            task_state=task_state,
            power_state=next(power_states),
        )


def _places() -> Iterator[Server]:
    """Yield servers in every place, and one that is hard to parse."""
    yield Server(name="gone", cell="cell1", vm_state="deleted", deleted=True)
    # As when its host was down.
    yield Server(
        name="deleted while deleting",
        cell="cell2",
        task_state="deleting",
        power_state=1,
        deleted=True,
    )
    yield Server(
        name="only a build request",
        cell=None,
        vm_state="building",
        task_state="scheduling",
    )
    yield Server(name="no valid host", cell="cell0", vm_state="error")
    yield Server(name="out of reach", cell=DOWN_CELL)
    yield Server(name="power unknown", cell="cell2", power_state=None)
    name = "in a resize to another cell"
    yield Server(
        name=name,
        cell="cell1",
        task_state="resize_migrating",
        twin=Server(
            name=name,
            cell="cell2",
            vm_state="resized",
            task_state="resize_finish",
            power_state=4,
        ),
    )
    yield Server(name="not ours", cell="cell2", project=OTHER_PROJECT)
    yield Server(
        name='gr\u00fc\u00dfe \\" \\u0022 "}, {"id": "1"}], "servers": [',
        cell="cell2",
        metadata={
            "OS-EXT-STS:vm_state": "paused",
            "OS-EXT-STS:task_state": 'null, "OS-EXT-STS:power_state": 7',
            "id": "00000000-0000-0000-0000-000000000000",
            "servers": '[{"id": "x"}]',
        },
    )


def create(servers: Iterable[Server]) -> None:
    """Make these servers in the Nova that this process is configured for."""
    from nova import context, objects

    user = ADMIN["X-User-Id"]
    admin = context.RequestContext(user, ADMIN["X-Project-Id"], is_admin=True)
    cells = {
        cell.name: cell for cell in objects.CellMappingList.get_all(admin)
    }
    flavor = _flavor(admin)
    for server in servers:
        owner = {"project_id": server.project, "user_id": user}
        objects.InstanceMapping(
            admin,
            instance_uuid=server.id,
            cell_mapping=cells[server.cell] if server.cell else None,
            queued_for_delete=server.deleted,
            **owner,
        ).create()
        # What was asked for is all that Nova has to show of a down cell.
        objects.RequestSpec.from_components(
            admin,
            server.id,
            image={},
            flavor=flavor,
            numa_topology=None,
            pci_requests=None,
            filter_properties={},
            instance_group=None,
            availability_zone=None,
            **owner,
        ).create()
        instance = _instance(admin, server, flavor)
        if server.cell is None:
            _build_request(admin, server, instance)
        elif server.cell != DOWN_CELL:
            _record(cells[server.cell], instance, deleted=server.deleted)
        if server.twin:
            twin = dataclasses.replace(server.twin, number=server.number)
            instance = _instance(admin, twin, flavor, hidden=True)
            _record(cells[twin.cell], instance)


def _flavor(admin: Any) -> Any:
    from nova import objects

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
        extra_specs={"hw:cpu_policy": "shared"},
    )
    flavor.create()
    return flavor


def _instance(admin: Any, server: Server, flavor: Any, **more: Any) -> Any:
    """Return an object with everything that Nova shows, not yet created."""
    from nova import objects
    from nova.network import model

    number = server.number
    address = f"10.0.{number // 250}.{number % 250 + 2}"
    subnet = model.Subnet("10.0.0.0/16", ips=[model.FixedIP(address=address)])
    network = model.Network(
        named_id("network"), label="private", subnets=[subnet]
    )
    port = model.VIF(
        named_id(f"port-{number}"),
        f"fa:16:3e:00:00:{number % 256:02x}",
        network,
        model.VIF_TYPE_OVS,
    )
    return objects.Instance(
        admin,
        uuid=server.id,
        display_name=server.name,
        display_description=f"{server.name}, in words",
        hostname=f"server-{number}",
        vm_state=server.vm_state,
        task_state=server.task_state,
        power_state=server.power_state,
        metadata=server.metadata,
        system_metadata={},
        project_id=server.project,
        user_id=ADMIN["X-User-Id"],
        flavor=flavor,
        image_ref=named_id("image"),
        kernel_id="",
        ramdisk_id="",
        config_drive="",
        reservation_id="r-1",
        root_device_name="/dev/vda",
        launch_index=0,
        progress=0,
        security_groups=objects.SecurityGroupList(objects=[]),
        info_cache=objects.InstanceInfoCache(
            admin,
            instance_uuid=server.id,
            network_info=model.NetworkInfo([port]),
        ),
        **server.dates,
        **more,
    )


def _record(cell: Any, instance: Any, *, deleted: bool = False) -> None:
    from nova import context

    with (
        context.target_cell(instance._context, cell) as target,
        instance.obj_alternate_context(target),
    ):
        instance.create()
        if deleted:
            instance.destroy()


def _build_request(admin: Any, server: Server, instance: Any) -> None:
    from nova import objects

    # Nova cannot load what is not set.
    instance.obj_set_defaults()
    for name, field in instance.fields.items():
        if field.nullable and name not in instance:
            setattr(instance, name, None)
    objects.BuildRequest(
        admin,
        instance=instance,
        instance_uuid=server.id,
        project_id=server.project,
        block_device_mappings=objects.BlockDeviceMappingList(objects=[]),
        tags=objects.TagList(objects=[]),
        **server.dates,
    ).create()
