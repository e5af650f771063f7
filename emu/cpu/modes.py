# SPDX-License-Identifier: GPL-2.0-or-later
"""Rings and modes: what an interrupt, a system call or a startup message does to the processor.

Unicorn takes no exception through the IDT and runs no ``syscall``.  Its state is changed in place in a
saved context, in which all of it lies: to leave the emulation and start it anew for each of them, as its
documentation has it, costs several times as much.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from emu.cpu.engine import M32, Registers, library
from emu.cpu.trial import layout

EFLAGS_IF = 1 << 9
_HF_CPL, _HF_INHIBIT, _HF_CS32, _HF_SS32, _HF_ADDSEG, _HF_CS64 = (
    3,
    1 << 3,
    1 << 4,
    1 << 5,
    1 << 6,
    1 << 15,
)
_CS_FLAT64, _SS_FLAT, _SS_NULL = 0x00AF9B00, 0x00CF9300, 0
_CODE16, _DATA16 = 0x9B00, 0x9300
_CR0_INIT, _CR0_LONG = 0x10, 0x80000011
_MSR_EFER = 0xC0000080
_NO_EXCEPTION = b"\xff\xff\xff\xff"


class Modes(Registers):
    """The mode of one processor."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._layout = layout()
        self._context = engine.context_save()
        size = library.uc_context_size(self._handle)
        self._state = (ctypes.c_char * size).from_address(
            ctypes.cast(self._context.context, ctypes.c_void_p).value or 0
        )
        self._view = memoryview(self._state).cast("B")
        self._pristine = engine.context_save()

    def _let_go(self) -> None:
        """Of the saved context, before the engine ends."""
        self._view.release()
        del self._state

    def error_code(self) -> int:
        """Of the exception that is being handled."""
        self._update()
        return self._word(self._layout.error_code)

    def _update(self) -> None:
        library.uc_context_save(self._handle, self._context.context)

    def _word(self, at: int) -> int:
        return int.from_bytes(self._view[at : at + 4], "little")

    def dismiss(self) -> bool:
        """Whatever exception is in flight is over; whether there was one.

        The library never says so itself: every invalid instruction at which it has stopped leaves one behind,
        and the third would be a triple fault, which ends a run as a halt does.
        """
        self._update()
        at = slice(self._layout.old_exception, self._layout.old_exception + 4)
        if self._view[at] == _NO_EXCEPTION:
            return False
        self._view[at] = _NO_EXCEPTION
        library.uc_context_restore(self._handle, self._context.context)
        return True

    def enter_ring0(self, cs: int, ss: int | None) -> None:
        """Go on at CPL 0 in 64-bit mode; ``ss`` None keeps the stack segment (no change of ring).

        The exception in flight is over with it.
        """
        layout, view = self._layout, self._view
        self._update()
        view[layout.old_exception : layout.old_exception + 4] = _NO_EXCEPTION
        flags = self._word(layout.hflags)
        flags = flags & ~(_HF_CPL | _HF_ADDSEG) | _HF_CS32 | _HF_CS64
        struct.pack_into("<IIQII", view, layout.cs, cs, 0, 0, M32, _CS_FLAT64)
        if ss is not None:
            flags = flags | _HF_SS32 if ss else flags & ~_HF_SS32
            kind = _SS_FLAT if ss else _SS_NULL
            struct.pack_into("<IIQII", view, layout.cs + 24, ss, 0, 0, M32 if ss else 0, kind)
        struct.pack_into("<I", view, layout.hflags, flags)
        library.uc_context_restore(self._handle, self._context.context)

    def _segments(self, first: int, count: int, values: tuple[int, int, int, int]) -> None:
        selector, base, limit, flags = values
        for at in range(self._layout.cs + 24 * first, self._layout.cs + 24 * (first + count), 24):
            struct.pack_into("<IIQII", self._view, at, selector, 0, base, limit, flags)

    def start_in_real_mode(self, page: int) -> None:
        """As after INIT and a startup message: at the beginning of a page below 1 MiB, in real mode.

        To write CR0 as it is in long mode and then as it is after INIT is the library's own way out.
        """
        library.uc_context_restore(self._handle, self._pristine.context)
        self.write("cr0", _CR0_LONG)
        self.write("cr0", _CR0_INIT)
        self._engine.msr_write(_MSR_EFER, 0)
        self._update()
        flags = self._word(self._layout.hflags) & ~(_HF_CPL | _HF_CS32 | _HF_SS32 | _HF_CS64)
        struct.pack_into("<I", self._view, self._layout.hflags, flags | _HF_ADDSEG)
        self._segments(-1, 4, (0, 0, 0xFFFF, _DATA16))
        self._segments(0, 1, (page << 8, page << 12, 0xFFFF, _CODE16))
        library.uc_context_restore(self._handle, self._context.context)
        self.write("rip", 0)

    def interruptible(self) -> bool:
        """Whether the processor takes an interrupt before its next instruction."""
        if not self.read("eflags") & EFLAGS_IF:
            return False
        self._update()
        return not self._word(self._layout.hflags) & _HF_INHIBIT
