# SPDX-License-Identifier: GPL-2.0-or-later
"""Exceptions, interrupts and system calls of 64-bit mode (Intel SDM vol. 3, 6.14; vol. 2, SYSCALL).

Unicorn calls back and does nothing itself.  The callback changes the state in place, so that the
emulation is not left.  EFLAGS.AC stays as it is on entry: clearing it is the handler's own job, and
one that it may forget.
"""

from __future__ import annotations

from emu.booted.paging import Linear, NotMapped
from emu.booted.stack_operand import is_canonical, stack_operand
from emu.cpu import System
from emu.spaces import LinearAddr

VECTOR_NMI, VECTOR_BP, VECTOR_UD, VECTOR_DF, VECTOR_SS, VECTOR_GP = 2, 3, 6, 8, 12, 13
WITH_ERROR_CODE = frozenset({8, 10, 11, 12, 13, 14, 17})
EXCEPTIONS = 32
EFLAGS_TF, EFLAGS_IF, EFLAGS_NT, EFLAGS_RF = 1 << 8, 1 << 9, 1 << 14, 1 << 16
INTERRUPT_GATE, TRAP_GATE = 14, 15
MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_FMASK = 0xC0000080, 0xC0000081, 0xC0000082, 0xC0000084
EFER_SCE = 1
CR0_PG = 1 << 31
SYSCALL_SIZE = 2
_LONGEST = 15
"""Bytes of an instruction."""
_PAGE = 4096


class TripleFault(Exception):
    """An exception that could not be delivered, nor the double fault that follows."""

    def __init__(self, vector: int, address: LinearAddr, why: str) -> None:
        super().__init__(vector, address, why)
        self.vector = vector
        self.address = address
        self.why = why

    def __str__(self) -> str:
        return f"triple fault: exception {self.vector} cannot be delivered ({self.why})"


class Traps:
    """Delivers through the IDT and the TSS of the processor as they are."""

    def __init__(self, cpu: System, linear: Linear) -> None:
        self._cpu = cpu
        self._linear = linear
        self.taken: list[tuple[int, LinearAddr]] = []
        """(vector, address) of every exception."""
        self._frame = cpu.batch("rip", "cs", "eflags", "rsp", "ss")
        self._enter = cpu.batch("rip", "eflags", "rsp")
        self._call = cpu.batch("rip", "eflags", "cs")
        self._called = cpu.batch("rip", "eflags", "rcx", "r11")

    def exception(self, vector: int) -> None:
        """What Unicorn calls an interrupt: an exception, or ``int n``."""
        rip, cs = self._cpu.rip(), self._cpu.read("cs")
        if not self._cpu.read("cr0") & CR0_PG:
            raise TripleFault(vector, rip, "the image is not in 64-bit mode yet")
        behind = self._software(vector, rip)
        if behind is not None:
            if not self._allowed(vector, cs & 3):
                self._deliver(VECTOR_GP, vector * 8 + 2, rip)
                return
            self._deliver(vector, None, behind)
            return
        code = self._cpu.error_code() if vector in WITH_ERROR_CODE else None
        if vector == VECTOR_GP and not code and self._off_the_stack(rip):
            vector = VECTOR_SS
        self.taken.append((vector, rip))
        self._deliver(vector, code, rip)

    def interrupt(self, vector: int) -> None:
        """One from outside; the caller sees to EFLAGS.IF."""
        self._deliver(vector, None, self._cpu.rip())

    def _off_the_stack(self, rip: LinearAddr) -> bool:
        """Whether the instruction's operand is the stack's, at an address that no processor can have."""
        here = _PAGE - rip % _PAGE
        try:
            code = self._linear.read(rip, min(_LONGEST, here))
            code += self._linear.read(rip + here, _LONGEST - here) if here < _LONGEST else b""
        except NotMapped:
            return False
        address = stack_operand(code, self._cpu.read)
        return address is not None and not is_canonical(address)

    def _software(self, vector: int, rip: LinearAddr) -> LinearAddr | None:
        """Where to go on behind the ``int n`` that raised this; None for an exception."""
        if vector < EXCEPTIONS and vector != VECTOR_BP:
            return None
        code = b"\xcc" if vector == VECTOR_BP else bytes((0xCD, vector))
        try:
            behind = self._linear.read(rip - len(code), len(code)) == code
        except NotMapped:
            behind = False
        return rip if behind else rip + len(code)

    def _gate(self, vector: int) -> tuple[LinearAddr, int, int, int, int]:
        """(offset, selector, ist, type, dpl) of a gate."""
        table = self._cpu.table("idtr")
        if vector * 16 + 15 > table.limit:
            raise NotMapped(table.base + vector * 16)
        raw = self._linear.read(table.base + vector * 16, 16)
        offset = LinearAddr.from_bytes(raw[0:2] + raw[6:12], "little")
        if not raw[5] & 0x80:
            raise NotMapped(table.base + vector * 16)
        return offset, int.from_bytes(raw[2:4], "little"), raw[4] & 7, raw[5] & 15, raw[5] >> 5 & 3

    def _allowed(self, vector: int, ring: int) -> bool:
        try:
            return self._gate(vector)[4] >= ring
        except NotMapped:
            return False

    def _deliver(self, vector: int, code: int | None, rip: LinearAddr) -> None:
        try:
            self._push(vector, code, rip)
        except NotMapped as exc:
            if vector == VECTOR_DF:
                raise TripleFault(vector, rip, str(exc)) from exc
            try:
                self._push(VECTOR_DF, 0, rip)
            except NotMapped as second:
                raise TripleFault(vector, rip, f"{exc}; then {second}") from exc

    def _push(self, vector: int, code: int | None, rip: LinearAddr) -> None:
        offset, selector, stack, kind, _ = self._gate(vector)
        if kind not in (INTERRUPT_GATE, TRAP_GATE):
            raise NotMapped(offset)
        _, cs, flags, rsp, ss = self._frame.read()
        cs, ss = cs & 0xFFFF, ss & 0xFFFF
        ring = cs & 3
        top = self._stack(stack, ring, LinearAddr(rsp)) & ~15
        words = [rip, cs, flags, rsp, ss]
        if vector in WITH_ERROR_CODE:
            words.insert(0, code or 0)
        top -= 8 * len(words)
        self._linear.walk(offset)
        self._linear.write(top, b"".join(word.to_bytes(8, "little") for word in words))
        self._cpu.enter_ring0(selector & ~3, 0 if ring else None)
        flags &= ~(EFLAGS_TF | EFLAGS_NT | EFLAGS_RF)
        if kind == INTERRUPT_GATE:
            flags &= ~EFLAGS_IF
        self._enter.write((offset, flags, top))

    def _stack(self, number: int, ring: int, rsp: LinearAddr) -> LinearAddr:
        """Of the TSS where the gate or the change of ring asks for it."""
        if not number and not ring:
            return rsp
        at = 0x24 + 8 * (number - 1) if number else 4
        task = self._cpu.table("tr")
        if at + 7 > task.limit:
            raise NotMapped(task.base + at)
        return LinearAddr.from_bytes(self._linear.read(task.base + at, 8), "little")

    def system_call(self) -> None:
        """``syscall`` from 64-bit mode.  The library adds the length of the instruction to rip after this."""
        cpu = self._cpu
        at, flags, _ = self._call.read()
        rip = LinearAddr(at)
        if not cpu.msr(MSR_EFER) & EFER_SCE:
            self.taken.append((VECTOR_UD, rip))
            self._deliver(VECTOR_UD, None, rip)
            cpu.write("rip", cpu.rip() - SYSCALL_SIZE)
            return
        star, mask = cpu.msr(MSR_STAR), cpu.msr(MSR_FMASK)
        target = cpu.msr(MSR_LSTAR)
        selector = star >> 32 & 0xFFFC
        cpu.enter_ring0(selector, selector + 8)
        self._called.write(
            (target - SYSCALL_SIZE, flags & ~(mask | EFLAGS_RF) | 2, rip + SYSCALL_SIZE, flags)
        )
