# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest copies.  The number of bytes NOT copied comes back."""

from __future__ import annotations

from collections.abc import Sequence

from emu.elf import Perm
from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.models.callee import EFAULT, M32, Models
from emu.spaces import LinearAddr

MODELS = Models()
MAX_COPY = 1 << 20


def _ranges(arguments: Sequence[int]) -> tuple[LinearAddr, LinearAddr, int]:
    """Target, source and size of a copy."""
    return LinearAddr(arguments[0]), LinearAddr(arguments[1]), arguments[2] & M32


def _from_guest(ctx: Context, to: LinearAddr, source: LinearAddr, size: int) -> int:
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


@MODELS.model("int")
def _copy_from_user(ctx: Context, arguments: Sequence[int]) -> int:
    return _from_guest(ctx, *_ranges(arguments))


@MODELS.model("int")
def _copy_to_user(ctx: Context, arguments: Sequence[int]) -> int:
    """With an access check: hypervisor memory is refused."""
    return _to_guest(ctx, *_ranges(arguments), checked=True)


@MODELS.model("int")
def _copy_to_user_ll(ctx: Context, arguments: Sequence[int]) -> int:
    """Without a check: the caller must have checked the address."""
    return _to_guest(ctx, *_ranges(arguments), checked=False)


def _to_guest(ctx: Context, to: LinearAddr, source: LinearAddr, size: int, *, checked: bool) -> int:
    region = ctx.memory.covering(to, size)
    if region is not None and not region.user and not checked:
        ctx.crash(
            Invariant.GUEST_POINTERS,
            f"{size} bytes for the guest are written to {to:#x} of the hypervisor",
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
