# SPDX-License-Identifier: GPL-2.0-or-later
"""``std; rep movsb`` done a page at a time: memory, registers and faults as the processor alone has them."""

from __future__ import annotations

from functools import cache

import pytest

from emu.booted import machine as module
from emu.booted.copies import LEAST, BackwardCopies
from emu.booted.ending import Ended
from emu.booted.image import LinkedImage, parse_image
from emu.booted.machine import Machine
from emu.booted.run import Runner
from emu.booted.settings import Settings
from emu.elf import PAGE
from emu.guest import build_kernel
from tests.emu.images import shim64

SIZE = 8 * PAGE
START = 3 * PAGE + 0x123
AREA = f"""
        .balign 4096
        .globl  area
area:   .skip   {SIZE}
"""
FILL = f"""
        lea     area(%rip), %rdi
        mov     ${SIZE}, %ecx
        mov     $1, %eax
1:      imul    $0x41c64e6d, %eax, %eax
        add     $12345, %eax
        movb    $0, (%rdi)
        mov     %eax, %edx
        shr     $16, %edx
        mov     %dl, (%rdi)
        inc     %rdi
        loop    1b
"""
END = """
        hlt
"""


def copy(source: int, target: int, count: int) -> str:
    """``count`` bytes from ``source`` of the area to ``target``, the last byte first."""
    return f"""
        lea     area+{source + count - 1}(%rip), %rsi
        lea     area+{target + count - 1}(%rip), %rdi
        mov     ${count}, %ecx
        std
        rep movsb
        cld
"""


@cache
def image(code: str) -> LinkedImage:
    return parse_image(shim64(f"{FILL}{code}{END}{AREA}"))


def ended(code: str) -> tuple[bytes, list[int], str]:
    """The area, rcx, rsi and rdi, and why the boot ended."""
    found = image(code)
    runner = Runner(Machine(found, build_kernel("64"), Settings()))
    with pytest.raises(Ended) as end:
        runner.boot()
    machine = runner.machine
    try:
        at = machine.linear.walk(found.symbols["area"]).physical
        state = [machine.cpu.read(name) for name in ("rcx", "rsi", "rdi", "rax")]
        return machine.ram.read(at, SIZE), state, str(end.value)
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("target", "count"),
    [
        (START + 5, 2 * PAGE + 77),  # upwards, into itself
        (START + PAGE, 3 * PAGE),
        (START - 5, 2 * PAGE),  # downwards, into itself: what was copied is copied again
        (START - 3 * PAGE, PAGE),
        (START, PAGE + 1),
        (START + 64, 65),
        (START + 7, 3),
    ],
)
def test_memory_and_registers_are_those_of_the_processor(
    monkeypatch: pytest.MonkeyPatch, target: int, count: int
) -> None:
    code = copy(START, target, count)
    quick = ended(code)
    monkeypatch.setattr(module, "BACKWARDS", b"\xfd\xf3\xa4 nowhere")
    assert quick == ended(code)


def test_a_long_copy_is_not_made_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    genuine = Machine._on_copy

    def counted(self: Machine, copies: BackwardCopies) -> None:
        nonlocal looks
        looks += 1
        genuine(self, copies)

    monkeypatch.setattr(Machine, "_on_copy", counted)
    ended(copy(START, START + 5, 4 * PAGE))
    assert 4 <= looks <= 100 + 4 * LEAST


def test_a_fault_comes_where_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has no handler: whatever it copies into a hole ends it, after as many bytes."""
    hole = "mov $0x7f0000001800, %rdi\n"
    code = copy(START, 0, 2 * PAGE).replace("        std\n", f"        {hole}        std\n")
    quick = ended(code)
    monkeypatch.setattr(module, "BACKWARDS", b"\xfd\xf3\xa4 nowhere")
    assert quick == ended(code)
    assert "hlt" not in quick[2]


def test_code_that_was_run_before_is_the_code_that_was_copied() -> None:
    """In the middle of a page a function answers 1, and after the copy 2."""
    functions = f"""
        lea     area+{PAGE + 256}(%rip), %rbx
        movl    $0x1b8, (%rbx)          /* mov $1, %eax */
        movw    $0xc300, 4(%rbx)        /* ret */
        call    *%rbx
        lea     area+256(%rip), %rbx
        movl    $0x2b8, (%rbx)          /* mov $2, %eax */
        movw    $0xc300, 4(%rbx)
{copy(0, PAGE, PAGE // 2)}
        xor     %eax, %eax
        lea     area+{PAGE + 256}(%rip), %rbx
        call    *%rbx
"""
    assert ended(functions)[1][3] == 2
