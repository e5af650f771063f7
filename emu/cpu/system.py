# SPDX-License-Identifier: GPL-2.0-or-later
"""The processor of the booted level: a whole machine with paging, rings and devices."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from emu.cpu.engine import Stop, Stopped, library, processor, uc, x86
from emu.cpu.hooks import REASONS
from emu.cpu.machine_hooks import MachineHooks
from emu.cpu.modes import Modes
from emu.cpu.trial import counter_at
from emu.spaces import LinearAddr, PhysAddr


class _Msr(ctypes.Structure):
    """As the library reads a model-specific register (uc_x86_msr)."""

    _fields_ = (("number", ctypes.c_uint32), ("value", ctypes.c_uint64))


@dataclass(frozen=True, slots=True)
class Table:
    """A descriptor table register, or TR."""

    base: LinearAddr
    limit: int


class Saved:
    """The whole state of a processor at one time."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context


class System(MachineHooks, Modes):
    """A whole x86-64 machine's processor: paging, rings, devices.  Memory and devices are its caller's.

    It calls back for every exception, interrupt and ``syscall``; the handler changes the state in
    place (`enter_ring0`) and lets the machine go on.
    """

    def __init__(self) -> None:
        engine = processor()
        super().__init__(engine)
        self._asked = False
        self._missing = 0
        self._msr = _Msr()
        self._counter = ctypes.cast(self._handle, ctypes.c_void_p).value or 0
        self._counter += counter_at()
        engine.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_missing)

    def close(self) -> None:
        """End it, so that the memory it was given may go."""
        self._let_go()
        self._callbacks.clear()
        finish = getattr(self._engine, "_Uc__finalizer", None)
        if finish is not None:
            finish()

    def map(self, base: PhysAddr, size: int, pointer: int) -> None:
        """Host memory as the machine's physical memory."""
        self._engine.mem_map_ptr(base, size, uc.UC_PROT_ALL, pointer)

    def msr(self, number: int) -> int:
        self._msr.number = number
        library.uc_reg_read(self._handle, x86.UC_X86_REG_MSR, ctypes.byref(self._msr))
        return int(self._msr.value)

    def table(self, name: str) -> Table:
        """``idtr``, ``gdtr``, ``tr`` or ``ldtr``."""
        number = getattr(x86, f"UC_X86_REG_{name.upper()}")
        _, base, limit, _ = self._engine.reg_read(number)
        return Table(LinearAddr(base), int(limit))

    def save(self) -> Saved:
        return Saved(self._engine.context_save())

    def restore(self, saved: Saved) -> None:
        """Every register as it was; translations of addresses are forgotten."""
        library.uc_context_restore(self._handle, saved.context.context)
        self.write("cr3", self.read("cr3"))

    def stop(self) -> None:
        """From a hook (or another thread): leave `run`."""
        self._asked = True
        self._engine.emu_stop()

    def _on_missing(
        self, _engine: Any, _kind: int, address: int, _size: int, _value: int, _data: Any
    ) -> bool:
        self._missing = address
        return False

    def run(self, start: LinearAddr, until: LinearAddr, count: int = 0) -> Stopped:
        """Run from ``start`` to ``until``; raises what a hook raised.

        ``until`` should always be the same: it is part of the translated code.  ``count`` bounds the
        instructions; it halves the speed of long runs, and code must have been forgotten before the
        first and after the last time.
        """
        self._asked = False
        self._missing = 0
        if self._on_translation is not None and start not in self._starts:
            self._starts.add(start)
            self._on_translation(start)  # where nothing went before, the library does not tell
        error = self._emulate(start, until, count)
        rip = self.rip()
        if error != uc.UC_ERR_OK:
            return Stopped(REASONS.get(error, Stop.INVALID), rip, self._missing)
        if rip == until:
            return Stopped(Stop.RETURNED, rip)
        if self._asked:
            return Stopped(Stop.ASKED, rip)
        return Stopped(Stop.BUDGET if self._spent(count) else Stop.HALTED, rip)

    def _spent(self, count: int) -> bool:
        """Whether a run of at most ``count`` instructions has used them up."""
        return bool(count) and ctypes.c_size_t.from_address(self._counter).value > count
