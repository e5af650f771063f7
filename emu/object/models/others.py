# SPDX-License-Identifier: GPL-2.0-or-later
"""The console, processors, and what only talks."""

from __future__ import annotations

from collections.abc import Sequence

from emu.object.context import Context
from emu.object.models.model import EBUSY, Models

MODELS = Models()
CONSOLE_PORT = 7


@MODELS.model("int")
def _pv_console_evtchn(ctx: Context, arguments: Sequence[int]) -> int:
    return CONSOLE_PORT


@MODELS.model("long")
def _consoled_guest_rx(ctx: Context, arguments: Sequence[int]) -> int:
    return 0


@MODELS.model("void")
def _printk(ctx: Context, arguments: Sequence[int]) -> int:
    return 0


@MODELS.model("void")
def _panic(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.crash("crash", f"panic: {_text(ctx, arguments[0])}")


def _text(ctx: Context, address: int) -> str:
    region = ctx.memory.find(address)
    if region is None:
        return f"{address:#x}"
    content = ctx.memory.read(address, min(200, region.end - address))
    return repr(content.split(b"\0", 1)[0].decode("ascii", "backslashreplace"))


@MODELS.model("long")
def _cpu_helper(ctx: Context, arguments: Sequence[int]) -> int:
    """cpu_up_helper and cpu_down_helper: bring a physical processor up or down."""
    return -ctx.plan.fails("cpu helper", errno=EBUSY)


@MODELS.model("void")
def _nothing(ctx: Context, arguments: Sequence[int]) -> int:
    """A function whose effects the core cannot observe."""
    return 0
