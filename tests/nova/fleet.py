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

#: Each server has a minute of its own, so that the order of a list is known.
_FIRST_DATE = datetime.datetime(2024, 2, 29, 12, 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One server, and where Nova has it.

    :param cell: a cell's name, or None for a build request
    :param twin: (cell, States) of a hidden record of the same id elsewhere
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
    hidden: bool | None = False
    twin: tuple[str, tuple[str, str | None, int]] | None = None

    @property
    def id(self) -> str:
        return named_id(f"server-{self.number}")

    @property
    def created(self) -> datetime.datetime:
        return _FIRST_DATE + datetime.timedelta(minutes=self.number)


def fleet() -> list[Server]:
    """Return servers in every state and every place, none twice."""
    return [
        dataclasses.replace(server, number=number)
        for number, server in enumerate([*_vocabulary(), *_places()])
    ]


def fleet_of(length: int) -> list[Server]:
    """Return this many plain servers, in all live cells and many states."""
    listed = (s for s in _vocabulary() if s.vm_state != "soft-delete")
    return [
        dataclasses.replace(server, number=number, name=f"server-{number}")
        for number, server in zip(
            range(length), itertools.cycle(listed), strict=False
        )
    ]


def named_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _vocabulary() -> Iterator[Server]:
    """Yield every state of Nova's, each kind in turn over the live cells."""
    from nova.objects import fields

    states: list[tuple[str, str | None]] = [
        (vm_state, None) for vm_state in fields.InstanceState.ALL
    ]
    listed = [vm_state for vm_state, _ in states if vm_state != "soft-delete"]
    states += zip(
        itertools.cycle(listed), fields.InstanceTaskState.ALL, strict=False
    )
    power_states = itertools.cycle([0, 1, 3, 4, 6, 7])
    for (vm_state, task_state), power_state, cell in zip(
        states, power_states, itertools.cycle(LIVE_CELLS), strict=False
    ):
        yield Server(
            name=f"{vm_state} {task_state or ''}".strip(),
            cell=cell,
            vm_state=vm_state,
            task_state=task_state,
            power_state=power_state,
        )


def _places() -> Iterator[Server]:
    """Yield servers in every place, and with names that are hard to parse."""
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
    yield Server(name="older than the column", cell="cell1", hidden=None)
    yield Server(
        name="in a resize to another cell",
        cell="cell1",
        task_state="resize_migrating",
        twin=("cell2", ("resized", "resize_finish", 4)),
    )
    yield Server(name="not ours", cell="cell2", project=OTHER_PROJECT)
    metadata = {
        "OS-EXT-STS:vm_state": "paused",
        "OS-EXT-STS:task_state": 'null, "OS-EXT-STS:power_state": 7',
        "id": "00000000-0000-0000-0000-000000000000",
        "servers": '[{"id": "x"}]',
    }
    yield Server(name="like a state", cell="cell2", metadata=metadata)
    for name in (
        'quoted "name"',
        'back\\slash \\" \\u0022 and \\',
        "gr\u00fc\u00dfe \u4f60\u597d \u0416",
        '}, {"id": "1", "status": "ACTIVE"}], "servers_links": [',
        '"OS-EXT-STS:vm_state": "error"',
    ):
        yield Server(name=name, cell="cell1", metadata={"note": name})


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
    for server in servers:
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
            _build_request(admin, server, flavor)
        elif server.cell != DOWN_CELL:
            _record(admin, cells[server.cell], server, flavor)
        if server.twin:
            cell, (vm_state, task_state, power_state) = server.twin
            twin = dataclasses.replace(
                server,
                vm_state=vm_state,
                task_state=task_state,
                power_state=power_state,
                hidden=True,
            )
            _record(admin, cells[cell], twin, flavor)


def _flavor(admin: Any) -> Any:
    from nova import exception, objects

    try:
        return objects.Flavor.get_by_flavor_id(admin, "1")
    except exception.FlavorNotFound:
        objects.Flavor(
            admin,
            flavorid="1",
            name="m1.tiny",
            memory_mb=512,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            disabled=False,
            is_public=True,
            extra_specs={"hw:cpu_policy": "shared"},
            projects=[],
            description=None,
        ).create()
        return _flavor(admin)


def _instance(admin: Any, server: Server, flavor: Any) -> Any:
    """Return the object with everything that Nova shows, not yet created."""
    from nova import objects
    from nova.network import model

    empty = dict.fromkeys(("kernel_id", "ramdisk_id", "config_drive"), "")
    absent = (
        *("availability_zone", "key_name", "user_data", "access_ip_v4"),
        *("access_ip_v6", "locked_by", "trusted_certs", "numa_topology"),
    )
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
        image_ref=named_id("image"),
        launch_index=0,
        reservation_id="r-1",
        root_device_name="/dev/vda",
        auto_disk_config=True,
        progress=0,
        locked=False,
        system_metadata={"image_base_image_ref": ""},
        security_groups=objects.SecurityGroupList(objects=[]),
        info_cache=objects.InstanceInfoCache(
            admin,
            instance_uuid=server.id,
            network_info=model.NetworkInfo.hydrate([_port(server)]),
        ),
        pci_requests=_no_pci_requests(server),
        keypairs=objects.KeyPairList(objects=[]),
        **empty,
        **dict.fromkeys(absent),
    )


def _port(server: Server) -> dict[str, Any]:
    """Return what Nova remembers of a server's port and its address."""
    address = {
        "address": f"10.0.{server.number // 250}.{server.number % 250 + 2}",
        "type": "fixed",
        "version": 4,
    }
    subnet = {"cidr": "10.0.0.0/16", "dns": [], "ips": [address], "routes": []}
    network = {"id": named_id("network"), "label": "private"}
    return {
        "id": named_id(f"port-{server.number}"),
        "address": f"fa:16:3e:00:00:{server.number % 256:02x}",
        "network": network | {"subnets": [subnet]},
        "type": "ovs",
    }


def _no_pci_requests(server: Server) -> Any:
    from nova import objects

    return objects.InstancePCIRequests(requests=[], instance_uuid=server.id)


def _record(admin: Any, cell: Any, server: Server, flavor: Any) -> None:
    """Make the record in a cell, with the server's own dates and flags."""
    from nova import context
    from nova.db.main import api as db
    from nova.db.main import models

    instance = _instance(admin, server, flavor)
    with context.target_cell(admin, cell) as target:
        with instance.obj_alternate_context(target):
            instance.create()
            if server.deleted:
                instance.destroy()
        # What objects don't write: dates, and a flag that is NULL.
        with db.get_context_manager(target).writer.using(target):
            _date(target, models.Instance.uuid, server, hidden=server.hidden)


def _date(context: Any, key: Any, server: Server, **values: Any) -> None:
    """Give a row the server's date, and more values."""
    context.session.query(key.class_).filter(key == server.id).update(
        {"created_at": server.created, "updated_at": server.created} | values,
        synchronize_session=False,
    )


def _build_request(admin: Any, server: Server, flavor: Any) -> None:
    from nova import objects
    from nova.db.api import api as api_db
    from nova.db.api import models

    objects.BuildRequest(
        admin,
        instance=_instance(admin, server, flavor),
        instance_uuid=server.id,
        project_id=server.project,
        block_device_mappings=objects.BlockDeviceMappingList(objects=[]),
        tags=objects.TagList(objects=[]),
    ).create()
    # Nova shows the present time as the update of what was never updated.
    with api_db.context_manager.writer.using(admin):
        _date(admin, models.BuildRequest.instance_uuid, server)


def _request_spec(admin: Any, server: Server, flavor: Any) -> None:
    """Keep what was asked for: all that Nova has to show of a down cell."""
    from nova import objects

    objects.RequestSpec.from_components(
        *(admin, server.id, {}, flavor, None, _no_pci_requests(server), {}),
        *(None, None),
        project_id=server.project,
        user_id=ADMIN["X-User-Id"],
    ).create()
