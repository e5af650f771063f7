# SPDX-License-Identifier: GPL-2.0-or-later
"""Event channels of the hypervisor itself (common/event_channel.c)."""

from __future__ import annotations

from collections.abc import Sequence

from emu import abi
from emu.elf import PAGE
from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.models.callee import EBUSY, EINVAL, ENOENT, ENOMEM, ENOSPC, M32, Models
from emu.spaces import LinearAddr

MODELS = Models()
STATUS = ("unbound", "interdomain", "pirq", "virq", "ipi")
"""Of an open channel: its state (ECS_*) has the name that EVTCHNOP_status has for it (EVTCHNSTAT_*)."""


@MODELS.model("int")
def _evtchn_allocate_port(ctx: Context, arguments: Sequence[int]) -> int:
    port = arguments[1] & M32
    world = ctx.world
    # With nobody else running, a port that is free and has its channel cannot be refused.
    certain = ctx.alone and world.channels.state(port) == world.profile.constant("ECS_FREE")
    errno = ctx.plan.fails("evtchn_allocate_port", not certain, errno=ENOMEM)
    if errno:
        return -errno
    if port >= world.profile.world.max_evtchns:
        return -ENOSPC
    if port < world.channels.valid:
        if world.channels.state(port) != world.profile.constant("ECS_FREE"):
            return -EBUSY
    elif not _fill(ctx, port):
        return -ENOMEM
    ctx.claimed[port] = dict(ctx.let_go)
    return 0


def _fill(ctx: Context, port: int) -> bool:
    while ctx.world.channels.valid <= port:
        if not _append_bucket(ctx):
            return False
    return True


def _append_bucket(ctx: Context) -> bool:
    page = ctx.allocate(PAGE, PAGE)
    if not page:
        return False
    ctx.blocks.pop(page)  # it belongs to the event channel code, not to the core
    ctx.world.channels.add_bucket(page)
    return True


@MODELS.model("int")
def _evtchn_bind_virq(ctx: Context, arguments: Sequence[int]) -> int:
    structure, port = LinearAddr(arguments[0]), arguments[1] & M32
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
    if world.channels.state(port) is None and not _fill(
        ctx, min(port, world.profile.world.max_evtchns - 1)
    ):
        return -ENOMEM
    if world.channels.state(port) != world.profile.constant("ECS_FREE"):
        return -EBUSY
    world.channels.set(port, world.profile.constant("ECS_VIRQ"), fields["vcpu"])
    ctx.memory.write_int(structure + 8, port, 4)
    return 0


@MODELS.model("int")
def _evtchn_status(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_status", errno=EINVAL)
    if errno:
        return -errno
    status = abi.structure("EVTCHNOP_status")
    assert status is not None
    fields = status.decode(ctx.memory.read(LinearAddr(arguments[0]), status.size))
    channel = ctx.world.channels.find(fields["port"])
    if channel is None:
        return -EINVAL
    state = ctx.world.get("struct evtchn", channel, "state")
    found = (s for s in STATUS if ctx.world.profile.constant(f"ECS_{s.upper()}") == state)
    status_name = next(found, "closed")  # a port that is reserved is nobody's to look at
    fields["status"] = abi.CONSTANTS[f"EVTCHNSTAT_{status_name}"]
    fields["vcpu"] = ctx.world.get("struct evtchn", channel, "notify_vcpu_id")
    fields["u"] = abi.CONSTANTS["VIRQ_DEBUG"] if status_name == "virq" else 0
    ctx.memory.write(LinearAddr(arguments[0]), status.encode(fields))
    return 0


@MODELS.model("int")
def _evtchn_unmask(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_unmask", errno=EINVAL)
    if errno:
        return -errno
    return 0 if ctx.world.channels.find(arguments[0] & M32) is not None else -EINVAL


@MODELS.model("long")
def _evtchn_bind_vcpu(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("evtchn_bind_vcpu", errno=EINVAL)
    if errno:
        return -errno
    port, vcpu = arguments[0] & M32, arguments[1] & M32
    if vcpu >= ctx.world.profile.world.vcpus:
        return -ENOENT
    channel = ctx.world.channels.find(port)
    if channel is None:
        return -EINVAL
    ctx.world.set("struct evtchn", channel, "notify_vcpu_id", vcpu)
    return 0


@MODELS.model("int")
def _evtchn_close(ctx: Context, arguments: Sequence[int]) -> int:
    port = arguments[1] & M32
    free = ctx.world.profile.constant("ECS_FREE")
    # A guest may not close what the hypervisor has kept for itself.
    kept = ctx.world.profile.constant("ECS_RESERVED") if arguments[2] & 0xFF else None
    closed = ctx.world.channels.state(port) in (None, free, kept)
    errno = ctx.plan.fails("evtchn_close", closed or kept is not None, errno=EINVAL)
    if errno or closed:
        return -(errno or EINVAL)
    ctx.world.channels.set(port, free)
    return 0


@MODELS.model("void")
def _evtchn_free(ctx: Context, arguments: Sequence[int]) -> int:
    channel = LinearAddr(arguments[1])
    ctx.world.set("struct evtchn", channel, "state", ctx.world.profile.constant("ECS_FREE"))
    ctx.world.try_set("struct evtchn", channel, "notify_vcpu_id", 0)
    return 0


@MODELS.model("void")
def _evtchn_set_pending(ctx: Context, arguments: Sequence[int]) -> int:
    port = arguments[1] & M32
    if ctx.world.channels.find(port) is None:
        ctx.crash(Invariant.CRASH, f"an event is raised on port {port}, which has no channel")
    _raise(ctx, LinearAddr(arguments[0]), port)
    return 0


@MODELS.model("void")
def _channel_set_pending(ctx: Context, arguments: Sequence[int]) -> int:
    """The same by the channel itself."""
    channel = LinearAddr(arguments[1])
    port = ctx.world.channels.port_at(channel)
    if port is None:
        ctx.crash(Invariant.CRASH, f"an event is raised on {channel:#x}, which is no channel")
    _raise(ctx, LinearAddr(arguments[0]), port)
    return 0


def _raise(ctx: Context, vcpu: LinearAddr, port: int) -> None:
    """An event goes to the vcpu that its channel notifies (public/event_channel.h, EVTCHNOP_bind_vcpu)."""
    world, channel = ctx.world, ctx.world.channels.find(port)
    assert channel is not None
    number = world.get("struct evtchn", channel, "notify_vcpu_id")
    if number >= len(world.vcpus) or world.vcpus[number] != vcpu:
        name = world.vcpu_name(vcpu)
        ctx.violate(
            Invariant.VCPUS, f"the event of port {port} is for vcpu {number}, not for {name}"
        )
    ctx.pending.add(port)
