# SPDX-License-Identifier: GPL-2.0-or-later
"""Models of the functions that a core calls and that live elsewhere in its hypervisor.

A profile says which symbol has which model.  Each model does what its callers can observe and
nothing else; each that can fail asks the plan first.  ``int`` results leave rubbish in the upper half
of rax and ``bool`` in all but the lowest byte, as the calling convention allows (psABI 3.2.3): a core
that was built against a wrong prototype is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from emu import abi
from emu.context import Context
from emu.elf import PAGE, Perm

Returns = Literal["void", "bool", "int", "long"]
Function = Callable[[Context, Sequence[int]], int]

ENOMEM, ENOSPC, EBUSY, EINVAL, ENOENT, EFAULT = (
    abi.ERRNO[name] for name in ("ENOMEM", "ENOSPC", "EBUSY", "EINVAL", "ENOENT", "EFAULT")
)
M32 = 0xFFFFFFFF
MAX_COPY = 1 << 20
CONSOLE_PORT = 7


@dataclass(frozen=True, slots=True)
class Model:
    """A model and the C type of what it returns."""

    function: Function
    returns: Returns


MODELS: dict[str, Model] = {}


def _model(returns: Returns) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        MODELS[function.__name__.lstrip("_")] = Model(function, returns)
        return function

    return register


def in_rax(value: int, returns: Returns) -> int:
    """``value`` as the callee leaves it in rax."""
    if returns == "long":
        return value & (1 << 64) - 1
    if returns == "int":
        return 0xDEADBEEF << 32 | value & M32
    if returns == "bool":
        return 0xDEADBEEFDEADBE00 | value & 1
    return 0xDEADBEEFDEADBEEF


# Guest copies.  The number of bytes NOT copied comes back.


def _from_guest(ctx: Context, to: int, source: int, size: int) -> int:
    ctx.guest_reads.append((source, size))
    region = ctx.memory.covering(source, size)
    failed = ctx.plan.fails("copy from guest", errno=EFAULT)
    if failed or region is None or not region.user or size > MAX_COPY:
        ctx.memory.write(
            to, bytes(min(size, MAX_COPY))
        )  # the destination of a failed copy is zeroed
        return size
    ctx.memory.write(to, ctx.memory.read(source, size))
    return 0


@_model("int")
def _copy_from_user(ctx: Context, arguments: Sequence[int]) -> int:
    return _from_guest(ctx, arguments[0], arguments[1], arguments[2] & M32)


@_model("int")
def _copy_to_user(ctx: Context, arguments: Sequence[int]) -> int:
    """With an access check: hypervisor memory is refused."""
    to, source, size = arguments[0], arguments[1], arguments[2] & M32
    return _to_guest(ctx, to, source, size, checked=True)


@_model("int")
def _copy_to_user_ll(ctx: Context, arguments: Sequence[int]) -> int:
    """Without a check: the caller must have checked the address."""
    to, source, size = arguments[0], arguments[1], arguments[2] & M32
    return _to_guest(ctx, to, source, size, checked=False)


def _to_guest(ctx: Context, to: int, source: int, size: int, *, checked: bool) -> int:
    region = ctx.memory.covering(to, size)
    if region is not None and not region.user and not checked:
        ctx.crash(
            "guest pointers", f"{size} bytes for the guest are written to {to:#x} of the hypervisor"
        )
    failed = ctx.plan.fails("copy to guest", errno=EFAULT)
    if failed or region is None or not region.user or size > MAX_COPY:
        return size
    if not region.perm & Perm.WRITE:
        return size
    content = ctx.memory.read(source, size)
    ctx.memory.write(to, content)
    ctx.guest_writes.append((to, content))
    return 0


# Locks.


@_model("void")
def _spin_lock(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.take_lock(arguments[0])
    return 0


@_model("void")
def _spin_unlock(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.drop_lock(arguments[0])
    return 0


@_model("void")
def _spin_lock_recursive(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.take_lock(arguments[0], recursive=True)
    return 0


@_model("int")
def _spin_is_locked(ctx: Context, arguments: Sequence[int]) -> int:
    return int(arguments[0] in ctx.locks)


@_model("bool")
def _spin_trylock(ctx: Context, arguments: Sequence[int]) -> int:
    if arguments[0] in ctx.locks or ctx.plan.fails("trylock"):
        return 0
    ctx.take_lock(arguments[0])
    return 1


# Memory.


@_model("long")
def _xzalloc(ctx: Context, arguments: Sequence[int]) -> int:
    if ctx.plan.fails("xzalloc", errno=ENOMEM):
        return 0
    return ctx.allocate(arguments[0], max(arguments[1] & 0xFFF, 16))


@_model("void")
def _xfree(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.free(arguments[0])
    return 0


@_model("int")
def _alloc_unused_page(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("alloc_unused_page", errno=ENOMEM)
    if errno:
        return -errno
    ctx.memory.write_int(arguments[0], ctx.take_page(), 8)
    return 0


@_model("int")
def _free_unused_page(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.give_page(arguments[0])
    return 0


@_model("int")
def _rangeset_add_range(ctx: Context, arguments: Sequence[int]) -> int:
    return -ctx.plan.fails("rangeset_add_range", errno=ENOMEM)


@_model("int")
def _rangeset_remove_range(ctx: Context, arguments: Sequence[int]) -> int:
    return -ctx.plan.fails("rangeset_remove_range", errno=ENOMEM)


# Event channels of the hypervisor itself.


@_model("int")
def _evtchn_allocate_port(ctx: Context, arguments: Sequence[int]) -> int:
    port = arguments[1] & M32
    errno = ctx.plan.fails("evtchn_allocate_port", errno=ENOMEM)
    if errno:
        return -errno
    world = ctx.world
    if port >= world.profile.world.max_evtchns:
        return -ENOSPC
    if port < world.valid_ports:
        return 0 if world.port_state(port) == world.profile.constant("ECS_FREE") else -EBUSY
    return 0 if _fill(ctx, port) else -ENOMEM


def _fill(ctx: Context, port: int) -> bool:
    while ctx.world.valid_ports <= port:
        if not _append_bucket(ctx):
            return False
    return True


def _append_bucket(ctx: Context) -> bool:
    page = ctx.allocate(PAGE, PAGE)
    if not page:
        return False
    ctx.blocks.pop(page)  # it belongs to the event channel code, not to the core
    ctx.world.add_bucket(page)
    return True


@_model("int")
def _evtchn_bind_virq(ctx: Context, arguments: Sequence[int]) -> int:
    structure, port = arguments[0], arguments[1] & M32
    errno = ctx.plan.fails("evtchn_bind_virq", errno=EINVAL)
    if errno:
        return -errno
    request = abi.structure("EVTCHNOP_bind_virq")
    assert request is not None
    fields = request.decode(ctx.memory.read(structure, request.size))
    world = ctx.world
    if fields["virq"] >= 24:
        return -EINVAL
    if fields["vcpu"] >= world.profile.world.vcpus:
        return -ENOENT
    if world.port_state(port) is None and not _fill(
        ctx, min(port, world.profile.world.max_evtchns - 1)
    ):
        return -ENOMEM
    if world.port_state(port) != world.profile.constant("ECS_FREE"):
        return -EBUSY
    world.set_port(port, world.profile.constant("ECS_VIRQ"), fields["vcpu"])
    ctx.memory.write_int(structure + 8, port, 4)
    return 0


@_model("int")
def _evtchn_status(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_status", errno=EINVAL)
    if errno:
        return -errno
    status = abi.structure("EVTCHNOP_status")
    assert status is not None
    fields = status.decode(ctx.memory.read(arguments[0], status.size))
    channel = ctx.world.channel(fields["port"])
    if channel is None:
        return -EINVAL
    fields["status"] = abi.CONSTANTS["EVTCHNSTAT_virq"]
    fields["vcpu"] = ctx.world.get("struct evtchn", channel, "notify_vcpu_id")
    fields["u"] = abi.CONSTANTS["VIRQ_DEBUG"]
    ctx.memory.write(arguments[0], status.encode(fields))
    return 0


@_model("int")
def _evtchn_unmask(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_unmask", errno=EINVAL)
    if errno:
        return -errno
    return 0 if ctx.world.channel(arguments[0] & M32) is not None else -EINVAL


@_model("long")
def _evtchn_bind_vcpu(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_bind_vcpu", errno=EINVAL)
    if errno:
        return -errno
    port, vcpu = arguments[0] & M32, arguments[1] & M32
    if vcpu >= ctx.world.profile.world.vcpus:
        return -ENOENT
    channel = ctx.world.channel(port)
    if channel is None:
        return -EINVAL
    ctx.world.set("struct evtchn", channel, "notify_vcpu_id", vcpu)
    return 0


@_model("int")
def _evtchn_close(ctx: Context, arguments: Sequence[int]) -> int:
    port = arguments[1] & M32
    free = ctx.world.profile.constant("ECS_FREE")
    # A guest may not close what the hypervisor has kept for itself.
    kept = ctx.world.profile.constant("ECS_RESERVED") if arguments[2] & 0xFF else None
    closed = ctx.world.port_state(port) in (None, free, kept)
    errno = ctx.plan.fails("evtchn_close", closed or kept is not None, errno=EINVAL)
    if errno or closed:
        return -(errno or EINVAL)
    ctx.world.set_port(port, free)
    return 0


@_model("void")
def _evtchn_free(ctx: Context, arguments: Sequence[int]) -> int:
    channel = arguments[1]
    ctx.world.set("struct evtchn", channel, "state", ctx.world.profile.constant("ECS_FREE"))
    ctx.world.try_set("struct evtchn", channel, "notify_vcpu_id", 0)
    return 0


# The console, and what only talks.


@_model("int")
def _pv_console_evtchn(ctx: Context, arguments: Sequence[int]) -> int:
    return CONSOLE_PORT


@_model("long")
def _consoled_guest_rx(ctx: Context, arguments: Sequence[int]) -> int:
    return 0


@_model("void")
def _printk(ctx: Context, arguments: Sequence[int]) -> int:
    return 0


@_model("void")
def _panic(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.crash("crash", f"panic: {_text(ctx, arguments[0])}")


def _text(ctx: Context, address: int) -> str:
    region = ctx.memory.find(address)
    if region is None:
        return f"{address:#x}"
    content = ctx.memory.read(address, min(200, region.end - address))
    return repr(content.split(b"\0", 1)[0].decode("ascii", "backslashreplace"))


# Virtual processors.


@_model("long")
def _cpu_helper(ctx: Context, arguments: Sequence[int]) -> int:
    """cpu_up_helper and cpu_down_helper: bring a physical processor up or down."""
    return -ctx.plan.fails("cpu helper", errno=EBUSY)


@_model("void")
def _nothing(ctx: Context, arguments: Sequence[int]) -> int:
    """A function whose effects the core cannot observe."""
    return 0
