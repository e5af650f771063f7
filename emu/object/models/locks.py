# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks, as they look to a single processor: one that is held when it is taken is a deadlock.

Those with an ``irq`` in their name switch interrupts off, and on again or back to how they were.
"""

from __future__ import annotations

from collections.abc import Sequence

from emu.cpu import EFLAGS_IF
from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.models.callee import Models
from emu.spaces import LinearAddr

MODELS = Models()


@MODELS.model("void")
def _spin_lock(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.take_lock(LinearAddr(arguments[0]))
    return 0


@MODELS.model("void")
def _spin_unlock(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.drop_lock(LinearAddr(arguments[0]))
    return 0


@MODELS.model("void")
def _spin_lock_irq(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.set_interrupts(on=False)
    ctx.take_lock(LinearAddr(arguments[0]))
    return 0


@MODELS.model("void")
def _spin_unlock_irq(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.drop_lock(LinearAddr(arguments[0]))
    ctx.set_interrupts(on=True)
    return 0


@MODELS.model("long")
def _spin_lock_irqsave(ctx: Context, arguments: Sequence[int]) -> int:
    flags = ctx.set_interrupts(on=False)
    ctx.take_lock(LinearAddr(arguments[0]))
    return flags


@MODELS.model("void")
def _spin_unlock_irqrestore(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.drop_lock(LinearAddr(arguments[0]))
    ctx.set_interrupts(on=bool(arguments[1] & EFLAGS_IF))
    return 0


@MODELS.model("long")
def _spin_lock_recursive_irqsave(ctx: Context, arguments: Sequence[int]) -> int:
    flags = ctx.set_interrupts(on=False)
    ctx.take_lock(LinearAddr(arguments[0]), recursive=True)
    return flags


@MODELS.model("void")
def _spin_lock_recursive(ctx: Context, arguments: Sequence[int]) -> int:
    ctx.take_lock(LinearAddr(arguments[0]), recursive=True)
    return 0


@MODELS.model("void")
def _contended(ctx: Context, arguments: Sequence[int]) -> int:
    """Where the taker of an rwlock goes that finds it taken."""
    name = ctx.lock_name(LinearAddr(arguments[0]))
    ctx.crash(Invariant.LOCKS, f"deadlock: {name} is already held")


@MODELS.model("int")
def _spin_is_locked(ctx: Context, arguments: Sequence[int]) -> int:
    return int(LinearAddr(arguments[0]) in ctx.locks)


@MODELS.model("bool")
def _spin_trylock(ctx: Context, arguments: Sequence[int]) -> int:
    if LinearAddr(arguments[0]) in ctx.locks or ctx.plan.fails("trylock"):
        return 0
    ctx.take_lock(LinearAddr(arguments[0]))
    return 1


@MODELS.model("bool")
def _spin_trylock_recursive(ctx: Context, arguments: Sequence[int]) -> int:
    if ctx.plan.fails("trylock"):
        return 0
    ctx.take_lock(LinearAddr(arguments[0]), recursive=True)
    return 1


@MODELS.model("void")
def _spin_barrier(ctx: Context, arguments: Sequence[int]) -> int:
    """It waits until whoever holds the lock has let it go."""
    if LinearAddr(arguments[0]) in ctx.locks:
        _contended(ctx, arguments)
    return 0
