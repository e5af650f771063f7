# SPDX-License-Identifier: GPL-2.0-or-later
"""The processor: the one file that knows Unicorn.

Measured with Unicorn 2.1.4, and why this file looks as it does:
- The default model has no SMAP (stac is #UD); high addresses without page tables need the virtual TLB.
- Any ``count`` for emu_start costs 50 µs a call, a block hook 0.4 µs a block.  So the budget is
  counted in basic blocks, by the hook that also records coverage.
- One register through the public wrapper costs 2-3 µs; a prepared batch of any size, handed to
  the library itself, less than 1 µs.  The binding exports that library as ``uclib``.
- An exception raised in a hook would be lost in C: it is kept, the machine stopped, and raised again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const

from emu.elf import Perm
from emu.memory import Memory

# The binding's wrapper has no usable annotations.
_binding: Any = unicorn
_library: Any = _binding.unicorn_py3.unicorn.uclib
_EngineError: type[Exception] = _binding.UcError

M64 = (1 << 64) - 1
EFLAGS_RESERVED = 2
EFLAGS_AC = 1 << 18

REGISTERS = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags"),
)
_IDS = {name: getattr(x86_const, f"UC_X86_REG_{name.upper()}") for name in REGISTERS}


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


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where the machine stopped and why; ``address`` is the memory address of a fault."""

    reason: Stop
    rip: int
    address: int = 0
    vector: int = 0


class Batch:
    """A fixed set of registers read or written with one call into the library."""

    def __init__(self, engine: Any, names: Sequence[str]) -> None:
        self._handle = engine._uch
        self._count = len(names)
        self._ids = (ctypes.c_int * self._count)(*[_IDS[name] for name in names])
        self._values = (ctypes.c_uint64 * self._count)()
        first = ctypes.addressof(self._values)
        self._pointers = (ctypes.c_void_p * self._count)(
            *[first + 8 * i for i in range(self._count)]
        )

    def read(self) -> list[int]:
        _library.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)
        return list(self._values)

    def write(self, values: Sequence[int]) -> None:
        self._values[:] = list(values)
        _library.uc_reg_write_batch(self._handle, self._ids, self._pointers, self._count)


class Cpu:
    """One x86-64 processor over a `Memory`, without paging: what is mapped is what there is."""

    def __init__(self, memory: Memory) -> None:
        self._engine = _binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
        self._engine.ctl_set_cpu_model(x86_const.UC_CPU_X86_BROADWELL)
        self._engine.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        self._raised: BaseException | None = None
        self._fault: tuple[Stop, int] | None = None
        self._vector: int | None = None
        self._single: dict[str, Batch] = {}
        self._left = 0
        self._spent = False
        self.blocks: dict[int, int] = {}
        """Address and size of every basic block that ran."""
        for region in memory.regions:
            self._map(region.base, region.size, region.perm, region.pointer)
        self._clean = self._engine.context_save()
        self._engine.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_invalid)
        self._engine.hook_add(uc.UC_HOOK_INTR, self._on_interrupt)

    def _map(self, base: int, size: int, perm: Perm, pointer: int) -> None:
        prot = 0
        if perm & Perm.READ:
            prot |= uc.UC_PROT_READ
        if perm & Perm.WRITE:
            prot |= uc.UC_PROT_WRITE
        if perm & Perm.EXEC:
            prot |= uc.UC_PROT_EXEC
        self._engine.mem_map_ptr(base, size, prot, pointer)

    def batch(self, *names: str) -> Batch:
        """Registers to be read or written together."""
        return Batch(self._engine, names)

    def _one(self, name: str) -> Batch:
        if name not in self._single:
            self._single[name] = self.batch(name)
        return self._single[name]

    def read(self, name: str) -> int:
        return self._one(name).read()[0]

    def write(self, name: str, value: int) -> None:
        self._one(name).write((value & M64,))

    def reset(self) -> None:
        """Every register, the control registers included, as it was at the beginning."""
        self._engine.context_restore(self._clean)

    def on_code(self, begin: int, end: int, action: Callable[[int], None]) -> None:
        """Call ``action(address)`` before each instruction of [begin, end)."""

        def hook(_engine: Any, address: int, _size: int, _data: Any) -> None:
            self._protect(action, address)

        self._engine.hook_add(uc.UC_HOOK_CODE, hook, begin=begin, end=end - 1)

    def on_access(self, begin: int, end: int, action: Callable[[bool, int, int], None]) -> None:
        """Call ``action(is write, address, size)`` before each data access to [begin, end)."""

        def hook(_engine: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
            self._protect(action, kind == uc.UC_MEM_WRITE, address, size)

        self._engine.hook_add(
            uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE, hook, begin=begin, end=end - 1
        )

    def on_cpuid(self, answer: Callable[[int, int], tuple[int, int, int, int]]) -> None:
        """Let ``answer(leaf, subleaf)`` give eax, ebx, ecx, edx."""
        inputs, outputs = self.batch("rax", "rcx"), self.batch("rax", "rbx", "rcx", "rdx")

        def respond() -> None:
            leaf, subleaf = inputs.read()
            outputs.write(answer(leaf & 0xFFFFFFFF, subleaf & 0xFFFFFFFF))

        def hook(_engine: Any, _data: Any) -> int:
            self._protect(respond)
            return 1

        self._engine.hook_add(uc.UC_HOOK_INSN, hook, None, 1, 0, x86_const.UC_X86_INS_CPUID)

    def count_blocks(self, begin: int, end: int) -> None:
        """Record and count the basic blocks that begin in [begin, end)."""
        blocks = self.blocks

        def hook(engine: Any, address: int, size: int, _data: Any) -> None:
            blocks[address] = size
            self._left -= 1
            if self._left < 0:
                self._spent = True
                engine.emu_stop()

        self._engine.hook_add(uc.UC_HOOK_BLOCK, hook, begin=begin, end=end - 1)

    def _protect(self, action: Callable[..., None], *arguments: Any) -> None:
        if self._raised is not None:
            return
        try:
            action(*arguments)
        except BaseException as exc:
            self._raised = exc
            self._engine.emu_stop()

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

    def run(self, start: int, until: int, budget: int) -> Stopped:
        """Run from ``start`` to ``until`` or for ``budget`` counted blocks.  Raises what a hook raised."""
        self._reset(budget)
        error: int | None = None
        try:
            self._engine.emu_start(start, until)
        except _EngineError as exc:
            error = getattr(exc, "errno", 0)
        self._raise()
        rip = self.read("rip")
        if self._spent:
            return Stopped(Stop.BUDGET, rip)
        if self._vector is not None:
            return Stopped(Stop.INTERRUPT, rip, vector=self._vector)
        if error is not None:
            return self._stopped(error, rip)
        return Stopped(Stop.RETURNED if rip == until else Stop.HALTED, rip)

    def _reset(self, budget: int) -> None:
        self._raised = None
        self._fault = None
        self._vector = None
        self._left, self._spent = budget, False

    def _raise(self) -> None:
        if self._raised is not None:
            raise self._raised

    def _stopped(self, error: int, rip: int) -> Stopped:
        reasons = {
            uc.UC_ERR_READ_UNMAPPED: Stop.READ,
            uc.UC_ERR_READ_PROT: Stop.READ,
            uc.UC_ERR_WRITE_UNMAPPED: Stop.WRITE,
            uc.UC_ERR_WRITE_PROT: Stop.WRITE,
            uc.UC_ERR_FETCH_UNMAPPED: Stop.FETCH,
            uc.UC_ERR_FETCH_PROT: Stop.FETCH,
            uc.UC_ERR_INSN_INVALID: Stop.INVALID,
            uc.UC_ERR_EXCEPTION: Stop.INTERRUPT,
        }
        reason, address = self._fault or (reasons.get(error, Stop.INVALID), 0)
        return Stopped(reasons.get(error, reason), rip, address)
