# SPDX-License-Identifier: GPL-2.0-or-later
"""What the library does not tell of itself, learnt by trying it on a processor of its own, once a process.

A saved context is opaque, and the exception in flight, the mode and the hidden part of a segment have
no register number: each is found as the one place that changes when it does.
"""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

from emu.cpu.engine import M32, VERSION, Batch, EngineError, library, processor, uc, x86

_VECTOR_GP = 13
_CR4_SMAP = 1 << 21
_HF_SMAP = 1 << 23
_ROOM, _TRIED, _SEARCHED = 0x1000, (1234, 777), 4096


class UnknownEngine(RuntimeError):
    """This version of the library keeps its state in a way that is not understood."""


def _scratch() -> Any:
    """A processor to try things on, with a page of room at 0x1000."""
    engine = processor()
    engine.mem_map(0x1000, 0x1000)
    return engine


@cache
def native_cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
    """eax, ebx, ecx, edx as the emulated model itself answers."""
    engine = _scratch()
    engine.mem_write(0x1000, b"\x0f\xa2")
    registers = Batch(engine, ("rax", "rcx"))
    registers.write((leaf, subleaf))
    engine.emu_start(0x1000, 0x1002)
    eax, ebx, ecx, edx = (
        v & 0xFFFFFFFF for v in Batch(engine, ("rax", "rbx", "rcx", "rdx")).read()
    )
    return eax, ebx, ecx, edx


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a saved context holds what no register number reaches."""

    hflags: int
    """The summary of the processor's mode, CPL in its lowest bits."""
    cs: int
    """Selector (4 bytes, 4 unused), base (8), limit (4), flags (4); SS follows at once."""
    error_code: int
    old_exception: int
    """The exception in flight, which the library never clears: a second page fault becomes #DF."""


@cache
def layout() -> Layout:
    """Raises `UnknownEngine` where a place is not found, or more than one."""
    engine = _scratch()
    context = engine.context_save()

    def state() -> bytes:
        engine.context_update(context)
        return ctypes.string_at(context.context, library.uc_context_size(engine._uch))

    def find(before: bytes, after: bytes, old: int | None, new: int) -> int:
        found = [
            at
            for at in range(0, len(after) - 4, 4)
            if before[at : at + 4] != after[at : at + 4]
            and int.from_bytes(after[at : at + 4], "little") == new
            and (old is None or int.from_bytes(before[at : at + 4], "little") == old)
        ]
        if len(found) != 1:
            raise UnknownEngine(f"{VERSION}: {new:#x} is found at {found}")
        return found[0]

    first = state()
    engine.reg_write(x86.UC_X86_REG_CS, 0x5678)
    cs = find(first, state(), None, 0x5678)
    engine.reg_write(x86.UC_X86_REG_CS, int.from_bytes(first[cs : cs + 4], "little"))
    cr4 = engine.reg_read(x86.UC_X86_REG_CR4)
    engine.reg_write(x86.UC_X86_REG_CR4, cr4 | _CR4_SMAP)
    after = state()
    (hflags,) = [
        at
        for at in range(0, len(after) - 4, 4)
        if int.from_bytes(after[at : at + 4], "little")
        ^ int.from_bytes(first[at : at + 4], "little")
        == _HF_SMAP
    ] or [-1]
    if hflags < 0:
        raise UnknownEngine(f"{VERSION}: no summary of the mode is found")
    engine.reg_write(x86.UC_X86_REG_CR4, cr4)
    # #GP with an error code of our choosing: a selector behind the end of the GDT.
    engine.mem_write(0x1000, b"\x8e\xd8")
    engine.reg_write(x86.UC_X86_REG_RAX, 0x7654)
    first, seen = state(), list[bytes]()

    def caught(engine: Any, *_: Any) -> None:
        seen.append(state())
        engine.emu_stop()

    engine.hook_add(uc.UC_HOOK_INTR, caught)
    with contextlib.suppress(EngineError):
        engine.emu_start(0x1000, 0x1002)
    if not seen:
        raise UnknownEngine(f"{VERSION}: a bad selector raises nothing")
    return Layout(
        hflags, cs, find(first, seen[0], None, 0x7654), find(first, seen[0], M32, _VECTOR_GP)
    )


@cache
def counter_at() -> int:
    """Where the library counts the instructions of a run that is bounded; raises `UnknownEngine`.

    It says one more than the bound where that was reached, which nothing else tells from a halt.
    """
    engine = _scratch()
    engine.mem_write(_ROOM, b"\x90" * _ROOM)

    def after(count: int) -> bytes:
        engine.emu_start(_ROOM, 0, count=count)
        return ctypes.string_at(engine._uch, _SEARCHED)

    first, second = after(_TRIED[0]), after(_TRIED[1])
    found = [
        at
        for at in range(0, _SEARCHED, 8)
        if int.from_bytes(first[at : at + 8], "little") == _TRIED[0] + 1
        and int.from_bytes(second[at : at + 8], "little") == _TRIED[1] + 1
    ]
    if len(found) != 1:
        raise UnknownEngine(f"{VERSION}: the count of instructions is found at {found}")
    return found[0]
