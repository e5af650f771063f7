# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual processors, and the physical ones below them."""

from __future__ import annotations

from collections.abc import Sequence

from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.models.callee import EBUSY, ERESTART, Models
from emu.spaces import LinearAddr

MODELS = Models()


@MODELS.model("long")
def _cpu_helper(ctx: Context, arguments: Sequence[int]) -> int:
    """cpu_up_helper and cpu_down_helper: bring a physical processor up or down."""
    return -ctx.plan.fails("cpu helper", errno=EBUSY)


@MODELS.model("void")
def _told_of_event(ctx: Context, arguments: Sequence[int]) -> int:
    """Another processor is told to look for events: there is nothing to see for who looks too early."""
    if not ctx.pending:
        ctx.violate(Invariant.VCPUS, "a processor is told of an event before there is one")
    return 0


def _is_down(ctx: Context, vcpu: LinearAddr) -> bool | None:
    """Whether it is marked so that it is not to run; None where this tree has no such mark."""
    if vcpu not in ctx.world.vcpus or not ctx.world.has("struct vcpu", "pause_flags"):
        return None
    flags = ctx.world.get("struct vcpu", vcpu, "pause_flags")
    return bool(flags & ctx.world.profile.constant("VPF_down"))


@MODELS.model("void")
def _vcpu_sleep(ctx: Context, arguments: Sequence[int]) -> int:
    """The scheduler looks at the mark, and lets a vcpu run on that may (common/sched, vcpu_sleep_nosync)."""
    vcpu = LinearAddr(arguments[0])
    if _is_down(ctx, vcpu) is False and vcpu not in ctx.paused:
        ctx.violate(
            Invariant.VCPUS, f"{ctx.world.vcpu_name(vcpu)} is put to sleep before it is marked down"
        )
    return 0


@MODELS.model("void")
def _vcpu_wake(ctx: Context, arguments: Sequence[int]) -> int:
    """Likewise, and does not wake one that may not run."""
    vcpu = LinearAddr(arguments[0])
    if _is_down(ctx, vcpu):
        ctx.violate(
            Invariant.VCPUS, f"{ctx.world.vcpu_name(vcpu)} is woken while it is marked down"
        )
    return 0


@MODELS.model("void")
def _vcpu_pause(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.note_variables()
    vcpu = LinearAddr(arguments[0])
    ctx.paused[vcpu] = ctx.paused.get(vcpu, 0) + 1
    return 0


@MODELS.model("void")
def _vcpu_unpause(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.note_variables()
    vcpu = LinearAddr(arguments[0])
    times = ctx.paused.pop(vcpu, 0)
    if not times:
        ctx.violate(Invariant.VCPUS, f"{ctx.world.vcpu_name(vcpu)} is unpaused, and was not paused")
    elif times > 1:
        ctx.paused[vcpu] = times - 1
    return 0


@MODELS.model("int")
def _vcpu_reset(ctx: Context, arguments: Sequence[int]) -> int:
    """Taking page tables down can be preempted (arch_vcpu_reset)."""
    errno = ctx.plan.fails("vcpu_reset", errno=ERESTART)
    if errno:
        return -errno
    vcpu = LinearAddr(arguments[0])
    ctx.world.try_set("struct vcpu", vcpu, "is_initialised", 0)
    return 0
