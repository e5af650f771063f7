# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether an instruction's memory operand is the stack's: relative to rsp or rbp, no other segment named.

An address that is not canonical then raises #SS instead of #GP (Intel SDM vol. 3, 6.15, interrupt 12; vol. 2,
table 2-2 and 2-3 for the encoding).  QEMU, and so Unicorn, raises #GP for both.
"""

from __future__ import annotations

from collections.abc import Callable

REGISTERS = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{number}" for number in range(8, 16)),
)
_FS, _GS = 0x64, 0x65
_IGNORED = frozenset({0x26, 0x2E, 0x36, 0x3E, 0x66, 0x67, 0xF0, 0xF2, 0xF3})
"""Prefixes that leave the segment as it is: those of CS, DS, ES and SS mean nothing in 64-bit mode."""
_RSP, _RBP, _BARE = 4, 5, 5
_ONE_BYTE = frozenset(
    (
        *(op for op in range(0x40) if op & 7 < 4),
        *(0x63, 0x69, 0x6B, *range(0x80, 0x90), 0xC0, 0xC1, 0xC6, 0xC7),
        *(*range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xF6, 0xF7, 0xFE, 0xFF),
    )
)
"""Opcodes with a ModRM byte."""
_NO_MODRM = frozenset(
    (
        *(*range(0x04, 0x0D), 0x0E, *range(0x30, 0x38), 0x77),
        *(*range(0x80, 0x90), *range(0xA0, 0xA3), *range(0xA8, 0xAB), *range(0xC8, 0xD0)),
    )
)
"""Of the opcodes behind 0x0F those without one."""


def stack_operand(code: bytes, register: Callable[[str], int]) -> int | None:
    """The address of the stack's operand of the instruction at the start of ``code``; None where it has none.

    Instructions that use the stack without an operand (``push``) are not looked at.
    """
    try:
        return _operand(code, register)
    except IndexError:
        return None


def is_canonical(address: int) -> bool:
    """Whether bits 63 to 47 of an address are the same."""
    return (address >> 47) in (0, (1 << 17) - 1)


def _operand(code: bytes, register: Callable[[str], int]) -> int | None:
    at = 0
    while code[at] in _IGNORED:
        at += 1
    if code[at] in (_FS, _GS):
        return None
    rex = code[at] & 15 if code[at] & 0xF0 == 0x40 else 0
    at += code[at] & 0xF0 == 0x40
    if code[at] == 0x0F:
        at += 1
        if code[at] in (0x38, 0x3A):
            at += 1
        elif code[at] in _NO_MODRM:
            return None
    elif code[at] not in _ONE_BYTE:
        return None
    modrm = code[at + 1]
    mod, rm, at = modrm >> 6, modrm & 7, at + 2
    if mod == 3 or (rm == _RBP and mod == 0):
        return None
    scaled = 0
    if rm == _RSP:  # a SIB byte follows
        sib, at = code[at], at + 1
        rm, index = sib & 7, sib >> 3 & 7 | (rex & 2) << 2
        if rm == _BARE and mod == 0:
            return None
        if index != _RSP:
            scaled = register(REGISTERS[index]) << (sib >> 6)
    if rex & 1 or rm not in (_RSP, _RBP):
        return None
    size = (0, 1, 4)[mod]
    if len(code) < at + size:
        return None
    displacement = int.from_bytes(code[at : at + size], "little", signed=True)
    return register(REGISTERS[rm]) + scaled + displacement & (1 << 64) - 1
