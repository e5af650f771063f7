# SPDX-License-Identifier: GPL-2.0-or-later
"""Which memory operands are the stack's, of instructions that the assembler wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from emu.booted.emulate import emulate_image
from emu.booted.stack_operand import REGISTERS, is_canonical, stack_operand
from emu.profile import load_profile
from tests.emu.images import shim64

VALUES = {name: (number + 1) << 40 for number, name in enumerate(REGISTERS)}
RSP, RBP, RAX, R9 = (VALUES[name] for name in ("rsp", "rbp", "rax", "r9"))

CASES = {
    "add (%rsp,%rax), %al": RSP + RAX,
    "add (%rsp), %al": RSP,
    "mov 8(%rsp), %rdx": RSP + 8,
    "mov -0x12345(%rbp), %r10": RBP - 0x12345,
    "movl $7, (%rbp,%r9,4)": RBP + 4 * R9,
    "lock incq (%rsp)": RSP,
    "movzbl 1(%rsp), %ecx": RSP + 1,
    "cmpxchg %rcx, (%rsp)": RSP,
    "pshufb (%rsp), %xmm1": RSP,
    "call *(%rsp)": RSP,
    "mov %ds:(%rsp), %rax": RSP,
    "add (%rax), %al": None,
    "add (%rax,%rbp), %al": None,
    "mov (%r12), %rax": None,
    "mov (%r13), %rax": None,
    "mov 8(%rip), %rax": None,
    "mov 0x10, %eax": None,
    "mov %fs:(%rsp), %rax": None,
    "mov %gs:8(%rbp), %rax": None,
    "mov %rsp, %rax": None,
    "jz .+0x200": None,
    "ud2": None,
    "cpuid": None,
    "mov $0x24, %al": None,
}


@pytest.mark.parametrize("text", CASES)
def test_an_operand_of_the_stack(tmp_path: Path, text: str) -> None:
    source, made, raw = (tmp_path / name for name in ("a.s", "a.o", "a.bin"))
    source.write_text(f"\t{text}\n\t.skip 16, 0x90\n")
    subprocess.run(["as", "-o", made, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    assert stack_operand(raw.read_bytes(), VALUES.__getitem__) == CASES[text]


def test_code_that_ends_too_early() -> None:
    for end in range(8):
        assert stack_operand(bytes.fromhex("488b942478563412")[:end], VALUES.__getitem__) is None


def test_canonical() -> None:
    assert is_canonical(0)
    assert is_canonical((1 << 47) - 1)
    assert is_canonical((1 << 64) - (1 << 47))
    assert not is_canonical(1 << 47)
    assert not is_canonical(0x0123456789ABCDEF)
    assert not is_canonical(0xFEDCBA9876543210)


GATE = """
        lea     {handler}(%rip), %rbx
        mov     %bx, {vector} * 16(%rax)
        movw    $8, {vector} * 16 + 2(%rax)
        movw    $0x8e00, {vector} * 16 + 4(%rax)
        shr     $16, %rbx
        mov     %rbx, {vector} * 16 + 6(%rax)
"""


@pytest.mark.parametrize(
    ("text", "handler"),
    [
        ("add (%rsp,%rax), %al", "off_the_stack"),
        ("add (%rax), %al", "elsewhere"),
    ],
)
def test_the_exception_that_an_image_gets(text: str, handler: str) -> None:
    """#SS for an operand of the stack, #GP for others."""
    gates = "".join(
        GATE.format(handler=name, vector=vector)
        for name, vector in (("off_the_stack", 12), ("elsewhere", 13))
    )
    code = f"""
        lea     idt(%rip), %rax
{gates}
        movw    $0xfff, idtr(%rip)
        mov     %rax, idtr + 2(%rip)
        lidt    idtr(%rip)
        xor     %eax, %eax
        mov     %eax, %ss
        mov     $0x12345678, %ecx
        movabs  $0x0123456789abcdef, %rax
        {text}
        ud2
off_the_stack: cli
        hlt
elsewhere: cli
        hlt
        .balign 16
idtr:   .skip   16
idt:    .skip   4096
"""
    report = emulate_image(shim64(code), load_profile("xen-pv-shim-4.10"))
    assert report.findings[0].where == f"{handler}+0x1"
