# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of the guest that the core maps for itself: its start info page."""

from __future__ import annotations

from collections.abc import Sequence

from emu import abi
from emu.findings.invariant import Invariant
from emu.object.addresses import START_INFO_BASE
from emu.object.context import Context
from emu.object.models.callee import Models
from emu.spaces import LinearAddr

MODELS = Models()


@MODELS.model("long")
def _map_domain_page(ctx: Context, arguments: Sequence[int]) -> int:
    if arguments[0] != ctx.world.start_info_frame:
        ctx.crash(Invariant.MEMORY, f"frame {arguments[0]:#x} is mapped, which nobody asked for")
    ctx.mapped += 1
    return START_INFO_BASE


@MODELS.model("void")
def _unmap_domain_page(ctx: Context, arguments: Sequence[int]) -> int:
    if arguments[0] != START_INFO_BASE or not ctx.mapped:
        ctx.crash(Invariant.MEMORY, f"{arguments[0]:#x} is unmapped, where no page of the guest is")
    ctx.mapped -= 1
    return 0


@MODELS.model("void")
def _xlat_start_info(ctx: Context, arguments: Sequence[int]) -> int:
    """The 64-bit page into the 32-bit one, in place (x86_64/compat/mm.c)."""
    native, compat = abi.START_INFO[abi.Mode.NATIVE], abi.START_INFO[abi.Mode.COMPAT]
    page = ctx.memory.read(LinearAddr(arguments[0]), native.size)
    translated = compat.encode(native.decode(page))
    ctx.memory.write(
        LinearAddr(arguments[0]), page[: abi.MAGIC_SIZE] + translated[abi.MAGIC_SIZE :]
    )
    return 0
