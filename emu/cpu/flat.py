# SPDX-License-Identifier: GPL-2.0-or-later
"""The processor of the object level: no paging, what is mapped is what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.cpu.engine import (
    ACCESS_HOOK,
    CODE_HOOK,
    EDGE_HOOK,
    INSTRUCTIONS,
    Stop,
    Stopped,
    processor,
    uc,
)
from emu.cpu.hooks import REASONS, Hooks
from emu.cpu.watchdog import Watchdog
from emu.elf import Perm
from emu.spaces import LinearAddr

WIDEST = 8
"""Bytes of the widest access that a hook sees: the library splits a wider one."""
SECONDS = 0.5
"""Until an uncounted call is given up; the longest seen takes some milliseconds."""


class TooSlow(Exception):
    """An uncounted call that took too long: to be made again, counted."""


class Cpu(Hooks):
    """One x86-64 processor that is given its memory region by region.

    `count_blocks` bounds a call in basic blocks, and takes two thirds of the time of a core that looks at
    every event channel.  `watch_blocks` notes each block once and bounds a call in time, which decides
    nothing but that it is to be made again, counted.
    """

    def __init__(self) -> None:
        super().__init__(processor())
        self._engine.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        self._fault: tuple[Stop, int] | None = None
        self._vector: int | None = None
        self._watchdog: Watchdog | None = None
        self._left = 0
        self._spent = False
        self.blocks: dict[LinearAddr, int] = {}
        """Address and size of every basic block that ran."""
        self._clean = self._engine.context_save()
        self._engine.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_invalid)
        self._engine.hook_add(uc.UC_HOOK_INTR, self._on_interrupt)

    def map(self, base: LinearAddr, size: int, perm: Perm, pointer: int) -> None:
        """Host memory at ``pointer`` as ``size`` bytes at ``base``."""
        prot = 0
        if perm & Perm.READ:
            prot |= uc.UC_PROT_READ
        if perm & Perm.WRITE:
            prot |= uc.UC_PROT_WRITE
        if perm & Perm.EXEC:
            prot |= uc.UC_PROT_EXEC
        self._engine.mem_map_ptr(base, size, prot, pointer)

    def reset(self) -> None:
        """Every register, the control registers included, as it was at the beginning."""
        self._engine.context_restore(self._clean)

    def on_access(
        self, begin: LinearAddr, end: LinearAddr, action: Callable[[bool, LinearAddr, int], None]
    ) -> None:
        """Call ``action(is write, address, size)`` before each data access to [begin, end)."""
        self._on_memory(uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE, begin, end, action)

    def on_write(
        self, begin: LinearAddr, end: LinearAddr, action: Callable[[LinearAddr, int], None]
    ) -> None:
        """Call ``action(address, size)`` before each write to [begin, end)."""
        kinds = uc.UC_HOOK_MEM_WRITE
        self._on_memory(kinds, begin, end, lambda _, address, size: action(address, size))

    def _on_memory(
        self,
        kinds: int,
        begin: LinearAddr,
        end: LinearAddr,
        action: Callable[[bool, LinearAddr, int], None],
    ) -> None:
        def hook(_engine: int, kind: int, address: int, size: int, _value: int, _data: int) -> None:
            self._protect(action, kind == uc.UC_MEM_WRITE, address, size)

        self._hook(kinds, ACCESS_HOOK, hook, begin, end)

    def on_instruction(self, name: str, action: Callable[[], None]) -> None:
        """Call ``action()`` for each instruction of that name, one of `INSTRUCTIONS`."""

        def hook(*_arguments: int) -> int:
            self._protect(action)
            return 0

        self._hook_instruction(INSTRUCTIONS[name], hook)

    def watch_blocks(self, begin: LinearAddr, end: LinearAddr) -> None:
        """Record the basic blocks that begin in [begin, end); a call that takes long is `TooSlow`."""
        blocks = self.blocks

        def hook(_engine: int, block: Any, _before: Any, _data: int) -> None:
            blocks[block.contents.pc] = block.contents.size

        self._hook(uc.UC_HOOK_EDGE_GENERATED, EDGE_HOOK, hook, begin, end)
        self._watchdog = Watchdog(self._engine.emu_stop)

    def close(self) -> None:
        """End what watches it."""
        if self._watchdog is not None:
            self._watchdog.close()

    def count_blocks(self, begin: LinearAddr, end: LinearAddr) -> None:
        """Record and count the basic blocks that begin in [begin, end)."""
        blocks = self.blocks

        def hook(_engine: int, address: LinearAddr, size: int, _data: int) -> None:
            try:
                blocks[address] = size
                self._left -= 1
                if self._left < 0:
                    self._spent = True
                    self._engine.emu_stop()
            # As `_protect` does, which costs too much here: an interrupt from the keyboard.
            except BaseException as exc:
                self._fail(exc)

        self._hook(uc.UC_HOOK_BLOCK, CODE_HOOK, hook, begin, end)

    def _on_invalid(
        self, _engine: Any, kind: int, address: int, _size: int, _value: int, _data: Any
    ) -> bool:
        if kind in (uc.UC_MEM_FETCH, uc.UC_MEM_FETCH_UNMAPPED, uc.UC_MEM_FETCH_PROT):
            self._fault = Stop.FETCH, address
        elif kind in (uc.UC_MEM_WRITE, uc.UC_MEM_WRITE_UNMAPPED, uc.UC_MEM_WRITE_PROT):
            self._fault = Stop.WRITE, address
        else:
            self._fault = Stop.READ, address
        return False

    def _on_interrupt(self, engine: Any, vector: int, _data: Any) -> None:
        self._vector = vector
        engine.emu_stop()

    def run(self, start: LinearAddr, until: LinearAddr, budget: int) -> Stopped:
        """Run from ``start`` to ``until`` or for ``budget`` counted blocks.  Raises what a hook raised."""
        self._reset(budget)
        error = self._watched(start, until)
        if self._watchdog is not None and self._watchdog.fired:
            raise TooSlow
        rip = self.rip()
        if self._spent:
            return Stopped(Stop.BUDGET, rip)
        if self._vector is not None:
            return Stopped(Stop.INTERRUPT, rip, vector=self._vector)
        if error != uc.UC_ERR_OK:
            return self._stopped(error, rip)
        return Stopped(Stop.RETURNED if rip == until else Stop.HALTED, rip)

    def _reset(self, budget: int) -> None:
        self._fault = None
        self._vector = None
        self._left, self._spent = budget, False

    def _watched(self, start: LinearAddr, until: LinearAddr) -> int:
        """`_emulate`, bounded in time unless blocks are counted."""
        watchdog = self._watchdog
        if watchdog is None:
            return self._emulate(start, until)
        self.blocks.setdefault(start, 1)  # where nothing went before, no edge is seen
        watchdog.arm(SECONDS)
        try:
            return self._emulate(start, until)
        finally:
            watchdog.disarm()

    def _stopped(self, error: int, rip: LinearAddr) -> Stopped:
        reason, address = self._fault or (REASONS.get(error, Stop.INVALID), 0)
        return Stopped(REASONS.get(error, reason), rip, address)
