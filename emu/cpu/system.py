# SPDX-License-Identifier: GPL-2.0-or-later
"""The processor of the booted level: a whole machine with paging, rings and devices."""

from __future__ import annotations

import contextlib
import ctypes
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from emu.cpu.engine import (
    M32,
    VERSION,
    Batch,
    EngineError,
    Registers,
    Stop,
    Stopped,
    library,
    processor,
    uc,
    x86,
)

VECTOR_GP = 13
EFLAGS_IF = 1 << 9
_CPUID_HOOK = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)
_PLAIN_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_IN_HOOK = ctypes.CFUNCTYPE(
    ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p
)
_OUT_HOOK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p
)
_CODE = {
    "cpuid": x86.UC_X86_INS_CPUID,
    "rdtsc": x86.UC_X86_INS_RDTSC,
    "rdtscp": x86.UC_X86_INS_RDTSCP,
    "in": x86.UC_X86_INS_IN,
    "out": x86.UC_X86_INS_OUT,
    "syscall": x86.UC_X86_INS_SYSCALL,
}
_HF_CPL, _HF_INHIBIT, _HF_CS32, _HF_SS32, _HF_ADDSEG, _HF_CS64, _HF_SMAP = (
    3,
    1 << 3,
    1 << 4,
    1 << 5,
    1 << 6,
    1 << 15,
    1 << 23,
)
_CS_FLAT64, _SS_FLAT, _SS_NULL = 0x00AF9B00, 0x00CF9300, 0
_CODE16, _DATA16 = 0x9B00, 0x9300
_CR0_INIT, _CR0_LONG = 0x10, 0x80000011
_MSR_EFER = 0xC0000080
_ROOM, _TRIED, _SEARCHED = 0x1000, (1234, 777), 4096
_MAX_FOUND = 1 << 20


class _Msr(ctypes.Structure):
    """As the library reads a model-specific register (uc_x86_msr)."""

    _fields_ = (("number", ctypes.c_uint32), ("value", ctypes.c_uint64))


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
class _Layout:
    """Where a saved context holds what no register number reaches: found by trying, once a process."""

    hflags: int
    """The summary of the processor's mode, CPL in its lowest bits."""
    cs: int
    """Selector (4 bytes, 4 unused), base (8), limit (4), flags (4); SS follows at once."""
    error_code: int
    old_exception: int
    """The exception in flight, which the library never clears: a second page fault becomes #DF."""


@cache
def _layout() -> _Layout:
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
    engine.reg_write(x86.UC_X86_REG_CR4, cr4 | 1 << 21)
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
    return _Layout(
        hflags, cs, find(first, seen[0], None, 0x7654), find(first, seen[0], M32, VECTOR_GP)
    )


@cache
def _counter_at() -> int:
    """Where the library counts the instructions of a run that is bounded: found by trying, as above.

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


@dataclass(frozen=True, slots=True)
class Table:
    """A descriptor table register, or TR."""

    base: int
    limit: int


class Saved:
    """The whole state of a processor at one time."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context


class System(Registers):
    """A whole x86-64 machine's processor: paging, rings, devices.  Memory and devices are its caller's.

    Unicorn takes no exception through the IDT and runs no ``syscall``: it calls back, and the handler
    changes the state in place (`enter_ring0`) and lets the machine go on.  To leave the emulation and
    start it anew for each of them, as its documentation has it, costs several times as much.
    """

    def __init__(self) -> None:
        engine = processor()
        super().__init__(engine)
        self._handle = engine._uch
        self._raised: BaseException | None = None
        self._keep: list[Any] = []
        self._asked = False
        self._layout = _layout()
        self._context = engine.context_save()
        size = library.uc_context_size(self._handle)
        self._state = (ctypes.c_char * size).from_address(
            ctypes.cast(self._context.context, ctypes.c_void_p).value or 0
        )
        self._view = memoryview(self._state).cast("B")
        self._missing = 0
        self._msr = _Msr()
        self._pristine = engine.context_save()
        self._counter = ctypes.cast(self._handle, ctypes.c_void_p).value or 0
        self._counter += _counter_at()
        engine.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_missing)

    def close(self) -> None:
        """End it, so that the memory it was given may go."""
        self._view.release()
        del self._state
        self._keep.clear()
        finish = getattr(self._engine, "_Uc__finalizer", None)
        if finish is not None:
            finish()

    # --- memory and devices ---

    def map(self, base: int, size: int, pointer: int) -> None:
        """Host memory as the machine's physical memory."""
        self._engine.mem_map_ptr(base, size, uc.UC_PROT_ALL, pointer)

    def map_device(
        self,
        base: int,
        size: int,
        read: Callable[[int, int], int],
        write: Callable[[int, int, int], None],
    ) -> None:
        """``read(offset, size)`` and ``write(offset, size, value)`` stand behind these addresses."""

        def on_read(_engine: Any, offset: int, width: int, _data: Any) -> int:
            return int(self._protect(read, offset, width) or 0)

        def on_write(_engine: Any, offset: int, width: int, value: int, _data: Any) -> None:
            self._protect(write, offset, width, value)

        self._engine.mmio_map(base, size, on_read, None, on_write, None)

    # --- hooks ---

    def _protect(self, action: Callable[..., Any], *arguments: Any) -> Any:
        if self._raised is not None:
            return None
        try:
            return action(*arguments)
        except BaseException as exc:
            self._raised = exc
            self._engine.emu_stop()
            return None

    def _hook(self, instruction: str, prototype: Any, function: Callable[..., Any]) -> None:
        callback = prototype(function)
        self._keep.append(callback)
        handle = ctypes.c_size_t()
        library.uc_hook_add(
            self._handle,
            ctypes.byref(handle),
            uc.UC_HOOK_INSN,
            ctypes.cast(callback, ctypes.c_void_p),
            None,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
            ctypes.c_int(_CODE[instruction]),
        )

    def on_cpuid(self, answer: Callable[[int, int], tuple[int, int, int, int]]) -> None:
        """Let ``answer(leaf, subleaf)`` give eax, ebx, ecx, edx."""
        inputs, outputs = self.batch("rax", "rcx"), self.batch("rax", "rbx", "rcx", "rdx")

        def respond() -> None:
            leaf, subleaf = inputs.read()
            outputs.write(answer(leaf & M32, subleaf & M32))

        def hook(_engine: int, _data: int) -> int:
            self._protect(respond)
            return 1

        self._hook("cpuid", _CPUID_HOOK, hook)

    def on_time(self, now: Callable[[], int]) -> None:
        """Let ``now()`` answer rdtsc and rdtscp."""
        outputs = self.batch("rax", "rdx")

        def hook(_engine: int, _data: int) -> int:
            time = self._protect(now) or 0
            outputs.write((time & M32, time >> 32))
            return 1

        self._hook("rdtsc", _CPUID_HOOK, hook)
        self._hook("rdtscp", _CPUID_HOOK, hook)

    def on_port(
        self, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """``read(port, size)`` answers ``in``, ``write(port, size, value)`` takes ``out``."""

        def on_in(_engine: int, port: int, size: int, _data: int) -> int:
            return int(self._protect(read, port, size) or 0) & M32

        def on_out(_engine: int, port: int, size: int, value: int, _data: int) -> None:
            self._protect(write, port, size, value)

        self._hook("in", _IN_HOOK, on_in)
        self._hook("out", _OUT_HOOK, on_out)

    def on_syscall(self, action: Callable[[], None]) -> None:
        """Called with rip at the instruction; where the state is not changed, it does nothing."""

        def hook(_engine: int, _data: int) -> None:
            self._protect(action)

        self._hook("syscall", _PLAIN_HOOK, hook)

    def on_exception(self, action: Callable[[int], None]) -> None:
        """``action(vector)`` for every exception and software interrupt, before anything is changed."""

        def hook(_engine: Any, vector: int, _data: Any) -> None:
            self._protect(action, vector)

        self._engine.hook_add(uc.UC_HOOK_INTR, hook)

    def on_code(self, begin: int, end: int, action: Callable[[int], None]) -> None:
        """Call ``action(address)`` before each instruction of [begin, end)."""

        def hook(_engine: Any, address: int, _size: int, _data: Any) -> None:
            self._protect(action, address)

        self._engine.hook_add(uc.UC_HOOK_CODE, hook, begin=begin, end=end - 1)

    @contextlib.contextmanager
    def watched(
        self, on_code: Callable[[int], None], on_write: Callable[[int, bytes], None]
    ) -> Iterator[None]:
        """Meanwhile ``on_code(linear address)`` before each instruction, and ``on_write(physical address,
        content)`` before each write.  Takes a microsecond each, and all code is translated anew."""

        def code(_engine: Any, address: int, _size: int, _data: Any) -> None:
            self._protect(on_code, address)

        def write(_engine: Any, _kind: int, at: int, size: int, value: int, _data: Any) -> None:
            content = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            self._protect(on_write, at, content)

        engine = self._engine
        hooks = [
            engine.hook_add(uc.UC_HOOK_CODE, code),
            engine.hook_add(uc.UC_HOOK_MEM_WRITE, write),
        ]
        self.forget_code()
        try:
            yield
        finally:
            for hook in hooks:
                engine.hook_del(hook)
            self.forget_code()

    # --- registers ---

    def msr(self, number: int) -> int:
        self._msr.number = number
        library.uc_reg_read(self._handle, x86.UC_X86_REG_MSR, ctypes.byref(self._msr))
        return int(self._msr.value)

    def table(self, name: str) -> Table:
        """``idtr``, ``gdtr``, ``tr`` or ``ldtr``."""
        number = getattr(x86, f"UC_X86_REG_{name.upper()}")
        _, base, limit, _ = self._engine.reg_read(number)
        return Table(int(base), int(limit))

    # --- rings ---

    def error_code(self) -> int:
        """Of the exception that is being handled."""
        self._update()
        return self._word(self._layout.error_code)

    def _update(self) -> None:
        library.uc_context_save(self._handle, self._context.context)

    def _word(self, at: int) -> int:
        return int.from_bytes(self._view[at : at + 4], "little")

    def enter_ring0(self, cs: int, ss: int | None) -> None:
        """Go on at CPL 0 in 64-bit mode; ``ss`` None keeps the stack segment (no change of ring).

        The exception in flight is over with it.
        """
        layout, view = self._layout, self._view
        self._update()
        view[layout.old_exception : layout.old_exception + 4] = b"\xff\xff\xff\xff"
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

    # --- running ---

    def save(self) -> Saved:
        return Saved(self._engine.context_save())

    def restore(self, saved: Saved) -> None:
        """Every register as it was; translations of addresses are forgotten."""
        library.uc_context_restore(self._handle, saved.context.context)
        self.write("cr3", self.read("cr3"))

    def forget_code(self) -> None:
        """Translate all code anew: needed after a hook was added."""
        self._engine.ctl_flush_tb()

    def stop(self) -> None:
        """From a hook (or another thread): leave `run`."""
        self._asked = True
        self._engine.emu_stop()

    def _on_missing(
        self, _engine: Any, _kind: int, address: int, _size: int, _value: int, _data: Any
    ) -> bool:
        self._missing = address
        return False

    def run(self, start: int, until: int, count: int = 0) -> Stopped:
        """Run from ``start`` to ``until``; raises what a hook raised.

        ``until`` should always be the same: it is part of the translated code.  ``count`` bounds the
        instructions; it halves the speed of long runs, and code must have been forgotten before the
        first and after the last time.
        """
        self._raised = None
        self._asked = False
        self._missing = 0
        error = library.uc_emu_start(self._handle, start, until, 0, count)
        if self._raised is not None:
            raise self._raised
        rip = self.read("rip")
        if error != uc.UC_ERR_OK:
            reasons = {
                uc.UC_ERR_READ_UNMAPPED: Stop.READ,
                uc.UC_ERR_WRITE_UNMAPPED: Stop.WRITE,
                uc.UC_ERR_FETCH_UNMAPPED: Stop.FETCH,
                uc.UC_ERR_EXCEPTION: Stop.INTERRUPT,
            }
            return Stopped(reasons.get(error, Stop.INVALID), rip, self._missing)
        if rip == until:
            return Stopped(Stop.RETURNED, rip)
        if self._asked:
            return Stopped(Stop.ASKED, rip)
        return Stopped(Stop.BUDGET if self._spent(count) else Stop.HALTED, rip)

    def _spent(self, count: int) -> bool:
        """Whether a run of at most ``count`` instructions has used them up."""
        return bool(count) and ctypes.c_size_t.from_address(self._counter).value > count
