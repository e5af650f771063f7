# SPDX-License-Identifier: GPL-2.0-or-later
"""Heap, unused pages and range sets."""

from __future__ import annotations

from collections.abc import Sequence

from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.models.callee import ENOMEM, Models
from emu.spaces import LinearAddr

MODELS = Models()
MAX_RANGE = 256
"""Frames of a range that are looked at."""


@MODELS.model("long")
def _xzalloc(ctx: Context, arguments: Sequence[int]) -> int:
    if ctx.plan.fails("xzalloc", errno=ENOMEM):
        return 0
    return ctx.allocate(arguments[0], max(arguments[1] & 0xFFF, 16))


@MODELS.model("void")
def _xfree(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.free(LinearAddr(arguments[0]))
    return 0


@MODELS.model("int")
def _alloc_unused_page(ctx: Context, arguments: Sequence[int]) -> int:
    errno = ctx.plan.fails("alloc_unused_page", errno=ENOMEM)
    if errno:
        return -errno
    ctx.memory.write_int(LinearAddr(arguments[0]), ctx.take_page(), 8)
    return 0


@MODELS.model("int")
def _free_unused_page(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.give_page(arguments[0])
    return 0


@MODELS.model("int")
def _rangeset_add_range(ctx: Context, arguments: Sequence[int]) -> int:
    first, last = arguments[1:3]
    if ctx.pages and not ctx.pages.issuperset(range(first, min(last, first + MAX_RANGE) + 1)):
        ctx.violate(
            Invariant.RESOURCES,
            f"the guest may use frames {first:#x} to {last:#x}, which are not those that it was given",
        )
    errno = ctx.plan.fails("rangeset_add_range", errno=ENOMEM)
    if not errno:
        ctx.ranges.add(LinearAddr(arguments[0]))
    return -errno


@MODELS.model("bool")
def _rangeset_is_empty(ctx: Context, arguments: Sequence[int]) -> int:
    """Until the core has put something into it."""
    return int(LinearAddr(arguments[0]) not in ctx.ranges)


@MODELS.model("int")
def _rangeset_remove_range(ctx: Context, arguments: Sequence[int]) -> int:
    """Needs memory only where it leaves a piece on either side."""
    everything = arguments[1] == 0 and arguments[2] == (1 << 64) - 1
    errno = ctx.plan.fails("rangeset_remove_range", not everything, errno=ENOMEM)
    if everything and not errno:
        ctx.ranges.discard(LinearAddr(arguments[0]))
    return -errno
