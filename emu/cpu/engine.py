# SPDX-License-Identifier: GPL-2.0-or-later
"""The one file that knows where Unicorn is: an engine of the right model, its registers in batches.

Measured with Unicorn 2.1.4, and why this folder looks as it does:
- The default model has no SMAP (stac is #UD); high addresses without page tables need the virtual TLB.
- Any ``count`` for emu_start costs 50 µs a call, a block hook 0.4 µs a block.  So the budget is
  counted in basic blocks, by the hook that also records coverage.
- One register through the public wrapper costs 2-3 µs; a prepared batch of any size, handed to
  the library itself, less than 1 µs.  The binding exports that library as ``uclib``.
- A hook through the public wrapper is three calls of Python, one of a callback of our own: on a real core
  that is a third of the time.
- An exception raised in a hook would be lost in C: it is kept, the machine stopped, and raised again.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from emu.spaces import LinearAddr

# The binding's wrapper has no usable annotations.
_binding: Any = unicorn
library: Any = _binding.unicorn_py3.unicorn.uclib
EngineError: type[Exception] = _binding.UcError
VERSION: str = _binding.__version__

M32 = (1 << 32) - 1
M64 = (1 << 64) - 1

REGISTERS = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags"),
)
SYSTEM_REGISTERS = (
    *("cr0", "cr2", "cr3", "cr4", "cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base"),
)
_IDS = {
    name: getattr(x86, f"UC_X86_REG_{name.upper()}") for name in (*REGISTERS, *SYSTEM_REGISTERS)
}


class Stop(Enum):
    """Why the machine stopped."""

    RETURNED = "returned"
    READ = "read of an address that is not mapped"
    WRITE = "write to an address that is not mapped or read-only"
    FETCH = "jump into nowhere"
    INVALID = "invalid instruction"
    INTERRUPT = "exception"
    HALTED = "halted"
    BUDGET = "did not end"
    ASKED = "stopped by a device"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where the machine stopped and why; ``address`` is the memory address of a fault."""

    reason: Stop
    rip: LinearAddr
    address: int = 0
    vector: int = 0


class Batch:
    """A fixed set of registers read or written with one call into the library."""

    def __init__(self, engine: Any, names: Sequence[str]) -> None:
        count = len(names)
        self._ids = (ctypes.c_int * count)(*[_IDS[name] for name in names])
        self._values = (ctypes.c_uint64 * count)()
        first = ctypes.addressof(self._values)
        self._pointers = (ctypes.c_void_p * count)(*[first + 8 * i for i in range(count)])
        # Packed and unpacked at once: an array of ctypes is read and written item by item.
        self._words = struct.Struct(f"={count}Q")
        arguments = engine._uch, self._ids, self._pointers, ctypes.c_int(count)
        self._fetch = partial(library.uc_reg_read_batch, *arguments)
        self._store = partial(library.uc_reg_write_batch, *arguments)

    def read(self) -> tuple[int, ...]:
        self._fetch()
        return self._words.unpack_from(self._values)

    def write(self, values: Sequence[int]) -> None:
        self._words.pack_into(self._values, 0, *values)
        self._store()


CODE_HOOK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
)
"""(engine, address, size, data), for instructions and blocks."""
INVALID_HOOK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)
"""(engine, data): whether it was seen to."""
ACCESS_HOOK = ctypes.CFUNCTYPE(
    *(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64),
    *(ctypes.c_int, ctypes.c_int64, ctypes.c_void_p),
)
"""(engine, kind, address, size, value, data)."""


INSTRUCTIONS = {
    "in": (
        x86.UC_X86_INS_IN,
        ctypes.CFUNCTYPE(
            ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p
        ),
    ),
    "out": (
        x86.UC_X86_INS_OUT,
        ctypes.CFUNCTYPE(
            *(None, ctypes.c_void_p, ctypes.c_uint32),
            *(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p),
        ),
    ),
    "syscall": (
        x86.UC_X86_INS_SYSCALL,
        ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p),
    ),
    "rdtsc": (
        x86.UC_X86_INS_RDTSC,
        ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p),
    ),
    "rdtscp": (
        x86.UC_X86_INS_RDTSCP,
        ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p),
    ),
}
"""Those that can be hooked by themselves, with their callbacks."""


class Registers:
    """The registers of one engine, by name; those that are asked for one by one are looked up once."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._handle = engine._uch
        self._single: dict[str, Batch] = {}

    def batch(self, *names: str) -> Batch:
        """Registers to be read or written together."""
        return Batch(self._engine, names)

    def _one(self, name: str) -> Batch:
        if name not in self._single:
            self._single[name] = self.batch(name)
        return self._single[name]

    def read(self, name: str) -> int:
        """One register."""
        return self._one(name).read()[0]

    def rip(self) -> LinearAddr:
        """Where it is."""
        return LinearAddr(self._one("rip").read()[0])

    def write(self, name: str, value: int) -> None:
        """One register; the value is cut to 64 bits."""
        self._one(name).write((value & M64,))


class _Block(ctypes.Structure):
    _fields_ = (
        ("pc", ctypes.c_uint64),
        ("instructions", ctypes.c_uint16),
        ("size", ctypes.c_uint16),
    )


EDGE_HOOK = ctypes.CFUNCTYPE(
    *(None, ctypes.c_void_p, ctypes.POINTER(_Block), ctypes.POINTER(_Block), ctypes.c_void_p)
)
"""(engine, block, the one before, data), when a block is translated for the first time."""


def add_hook(
    engine: Any,
    kind: int,
    prototype: Any,
    function: Callable[..., Any],
    begin: int = 1,
    end: int = 1,
    *extra: int,
) -> Any:
    """Call ``function`` for what happens in [begin, end), or anywhere; what comes back must be kept alive.

    It must not raise: nobody would hear of it.  ``extra``: of UC_HOOK_INSN, the instruction.
    """
    callback = prototype(function)
    handle = ctypes.c_size_t()
    status = library.uc_hook_add(
        engine._uch,
        ctypes.byref(handle),
        kind,
        ctypes.cast(callback, ctypes.c_void_p),
        None,
        ctypes.c_uint64(begin),
        ctypes.c_uint64(end - 1),
        *[ctypes.c_int(number) for number in extra],
    )
    if status != uc.UC_ERR_OK:
        raise EngineError(status)
    return callback


def processor() -> Any:
    """Of the one model that everything runs on: it has SMAP."""
    engine = _binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
    engine.ctl_set_cpu_model(x86.UC_CPU_X86_BROADWELL)
    return engine


__all__ = ["EngineError", "library", "processor", "uc", "x86"]
