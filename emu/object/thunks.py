# SPDX-License-Identifier: GPL-2.0-or-later
"""Branches that a compiler makes through code elsewhere, against speculation: returns and indirect jumps.

With ``-mfunction-return=thunk-extern`` a function ends with a jump to ``__x86_return_thunk``, with
``-mindirect-branch=thunk-extern`` (clang: ``-mretpoline-external-thunk``) it calls through
``__x86_indirect_thunk_rax``.  They are no functions that a core calls: what they stand for stands there.
"""

from __future__ import annotations

_RETURN = "__x86_return_thunk"
_INDIRECT = "__x86_indirect_thunk_"
_REGISTERS = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")
_RET = b"\xc3"


def thunk(name: str) -> bytes | None:
    """The code of a thunk; None for every other name."""
    if name == _RETURN:
        return _RET
    if not name.startswith(_INDIRECT):
        return None
    register = name.removeprefix(_INDIRECT)
    if register in _REGISTERS:
        return bytes((0xFF, 0xE0 + _REGISTERS.index(register)))
    number = register.removeprefix("r")
    if number.isdecimal() and 8 <= int(number) < 16:
        return bytes((0x41, 0xFF, 0xE0 + int(number) - 8))
    return None
