# SPDX-License-Identifier: GPL-2.0-or-later
"""A port that is found to be free is put to use under the same hold of the lock.

evtchn_allocate_port only looks: until its caller has changed the state of the channel, the port is anybody's
who holds the lock of the channels (xen/sched.h, struct domain, event_lock).
"""

from __future__ import annotations

from emu.cpu import Cpu
from emu.elf import PAGE
from emu.findings.invariant import Invariant
from emu.object.context import Context
from emu.object.world import World
from emu.spaces import LinearAddr

ALLOCATES = "evtchn_allocate_port"


class Claims:
    """Of the channels in their first page."""

    def __init__(self, world: World) -> None:
        self._world = world
        externs = world.profile.externs.values()
        wanted = [name for extern in externs if extern.model == ALLOCATES for name in extern.locks]
        places = ((name, world.lock_address(name)) for name in wanted)
        self._locks = [(name, at) for name, at in places if at is not None]
        """(name, address) of what it is to be called under, as far as this tree has it."""
        self._context: Context | None = None

    def watch(self, cpu: Cpu) -> None:
        """Look at each write to a channel."""
        channels = self._world.channels
        if channels.size and self._locks:
            cpu.on_write(channels.first, channels.first + PAGE, self._on_write)

    def begin(self, context: Context) -> None:
        """What is written from here on belongs to ``context``."""
        self._context = context

    def _on_write(self, address: LinearAddr, size: int) -> None:
        ctx, channels = self._context, self._world.channels
        if ctx is None or not ctx.claimed:
            return
        port, at = divmod(address - channels.first, channels.size)
        if port not in ctx.claimed or not channels.covers_state(at, size):
            return
        was = ctx.claimed.pop(port)
        for name, lock in () if ctx.alone else self._locks:
            held = lock in ctx.locks or self._world.is_held(lock)
            if not held or ctx.let_go.get(lock, 0) != was.get(lock, 0):
                ctx.violate(
                    Invariant.LOCKS,
                    f"port {port} is found to be free under {name}, and put to use after that was let go",
                )
