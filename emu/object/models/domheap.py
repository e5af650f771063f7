# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor's own memory, which a guest that balloons has it hand back to L0 and take again.

A page is known by its ``struct page_info`` in the frame table, where the core counts its number from.
"""

from __future__ import annotations

from collections.abc import Sequence

from emu.findings.invariant import Invariant
from emu.object.addresses import FIRST_HEAP_FRAME, HEAP_FRAMES
from emu.object.context import Context, NoModel
from emu.object.models.callee import M32, Models
from emu.object.structures import PAGE_OWNER
from emu.spaces import LinearAddr

MODELS = Models()
_PAGE_INFO = "struct page_info"


@MODELS.model("long")
def _alloc_domheap_pages(ctx: Context, arguments: Sequence[int]) -> int:
    table, size = ctx.world.frame_table, ctx.world.page_info_size
    if table is None:
        raise NoModel("the frame table of this tree is not known, and its heap is asked for pages")
    count = 1 << (arguments[1] & M32)
    first = ctx.next_heap_frame
    if first + count > FIRST_HEAP_FRAME + HEAP_FRAMES or ctx.plan.fails("alloc_domheap_pages"):
        return 0
    ctx.next_heap_frame += count
    ctx.heap_frames |= set(range(first, first + count))
    return table.base + (first - FIRST_HEAP_FRAME) * size


@MODELS.model("void")
def _free_domheap_pages(ctx: Context, arguments: Sequence[int]) -> int:
    table, size = ctx.world.frame_table, ctx.world.page_info_size
    if table is None:
        raise NoModel("the frame table of this tree is not known, and its heap is given pages")
    offset = LinearAddr(arguments[0]) - table.base
    first = FIRST_HEAP_FRAME + offset // size
    frames = set(range(first, first + (1 << (arguments[1] & M32))))
    if offset % size or not frames <= ctx.heap_frames:
        ctx.crash(
            Invariant.MEMORY, f"the heap is given {arguments[0]:#x}, which is none of its pages"
        )
    if lost := frames & ctx.l0.given_back:
        ctx.violate(
            Invariant.RESOURCES, f"the heap is given frame {min(lost):#x}, which L0 has taken away"
        )
    page = LinearAddr(arguments[0])
    if ctx.world.has(_PAGE_INFO, PAGE_OWNER) and (
        owner := ctx.world.get(_PAGE_INFO, page, PAGE_OWNER)
    ):
        ctx.violate(
            Invariant.MEMORY,
            f"the heap is given frame {first:#x} with {owner:#x} where its owner stands",
        )
    ctx.heap_frames -= frames
    return 0
