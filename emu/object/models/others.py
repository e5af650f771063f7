# SPDX-License-Identifier: GPL-2.0-or-later
"""The console, what the hypervisor knows of itself, and what only talks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from emu import abi
from emu.findings.invariant import Invariant
from emu.hardware.platform import FIRST_LEAF
from emu.interactions import Crash
from emu.object.context import Context
from emu.object.models.callee import M32, Models
from emu.object.regions import Unmapped
from emu.spaces import LinearAddr

MODELS = Models()
CONSOLE_PORT = 7
CONSOLE_RING = LinearAddr(0xFFFF830000900000)
"""In the direct map: frame 0x900."""
_CONVERSION = re.compile(r"%(?P<long>l?)(?P<kind>[sdux%])")


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
    raise Crash(Invariant.CRASH, f"panic: {_text(ctx, LinearAddr(arguments[0]))}", deliberate=True)


def _text(ctx: Context, address: LinearAddr) -> str:
    try:
        return repr(_content(ctx, address))
    except Unmapped:
        return f"{address:#x}"


def _content(ctx: Context, address: LinearAddr) -> str:
    """A string of the core, to its end or to 200 characters."""
    region = ctx.memory.find(address)
    if region is None:
        raise Unmapped(address, 1)
    content = ctx.memory.read(address, min(200, region.end - address))
    return content.split(b"\0", 1)[0].decode("ascii", "backslashreplace")


@MODELS.model("int")
def _snprintf(ctx: Context, arguments: Sequence[int]) -> int:
    """With the conversions that a core needs: %s, %d, %u, %x and their long forms, from registers."""
    to, size, rest = LinearAddr(arguments[0]), arguments[1], list(arguments[3:])

    def convert(match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%"
        if not rest:
            ctx.crash(Invariant.CRASH, "snprintf with more arguments than the model has")
        value = rest.pop(0)
        if match["kind"] == "s":
            return _content(ctx, LinearAddr(value))
        value &= (1 << 64) - 1 if match["long"] else M32
        if match["kind"] == "d":
            value = abi.signed(value, 64 if match["long"] else 32)
        return f"{value:x}" if match["kind"] == "x" else str(value)

    form = _content(ctx, LinearAddr(arguments[2]))
    if "%" in _CONVERSION.sub("", form):
        ctx.crash(
            Invariant.CRASH, f"snprintf of {form!r}, which has a conversion that is not modelled"
        )
    text = _CONVERSION.sub(convert, form).encode("ascii", "replace")
    if size:
        ctx.memory.write(to, text[: size - 1] + b"\0")
    return len(text)


@MODELS.model("int")
def _hypervisor_cpuid_base(ctx: Context, arguments: Sequence[int]) -> int:
    return FIRST_LEAF


@MODELS.model("int")
def _initial_domain_id(ctx: Context, arguments: Sequence[int]) -> int:
    """What L0 says in CPUID."""
    return ctx.l0.domid


@MODELS.model("void")
def _hypervisor_resume(ctx: Context, arguments: Sequence[int]) -> int:
    if not ctx.l0.suspended:
        ctx.violate(Invariant.RESUME, "the shim resumes itself, and was not suspended")
    return 0


@MODELS.model("long")
def _consoled_get_ring_addr(ctx: Context, arguments: Sequence[int]) -> int:
    return CONSOLE_RING


@MODELS.model("int")
def _succeeds(ctx: Context, arguments: Sequence[int]) -> int:
    """Likewise, and it says that all went well."""
    return 0


@MODELS.model("bool")
def _no(ctx: Context, arguments: Sequence[int]) -> int:
    """A question to which the answer is no."""
    return 0


@MODELS.model("void")
def _nothing(ctx: Context, arguments: Sequence[int]) -> int:
    """A function whose effects the core cannot observe."""
    return 0
