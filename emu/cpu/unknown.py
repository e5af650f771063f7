# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether an instruction at which the library stopped is one that it merely does not know.

A hypervisor stops itself with an instruction that is none on any processor (ud2, udb); what a processor of
today has and the emulated model has not says nothing about who runs it.
"""

from __future__ import annotations

LONGEST = 15
"""Bytes of an instruction (Intel SDM vol. 2, 2.3.11)."""
_NEVER = ("ud0", "ud1", "ud2")
_NEWER = {b"\x0f\x01\xe8": "serialize"}
"""Younger than the disassembler."""


def unknown_instruction(code: bytes) -> str:
    """Its name, where ``code`` begins with an instruction of some processor; empty for what is never one."""
    import capstone

    for newer, name in _NEWER.items():
        if code.startswith(newer):
            return name
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for _, _, mnemonic, _ in engine.disasm_lite(code, 0, 1):
        return "" if mnemonic in _NEVER else str(mnemonic)
    return ""
