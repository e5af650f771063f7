# SPDX-License-Identifier: GPL-2.0-or-later
"""Fills and copies that are done at once leave what the processor leaves that does them byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.abi import Mode
from emu.booted import machine
from emu.booted.ending import Ended
from emu.booted.machine import Machine
from emu.booted.paging import Linear
from emu.booted.ram import Ram
from emu.booted.settings import MIB, Settings
from emu.booted.strings import COPY, FILL, places
from emu.booted.turns import Runner
from emu.elf.linked import LinkedImage, parse_image
from emu.guest import build_kernel
from emu.spaces import LinearAddr, PhysAddr
from tests.emu.images import shim64

ROOM = 0xFFFF82D080100000
"""A megabyte that is mapped, and nothing's."""
END = 0xFFFF82D080400000
"""Behind the last page that is mapped."""
FUNCTIONS = """
        .globl  memset, memmove
        .type   memset, @function
        .type   memmove, @function
memset: rep stosb
        ret
memmove:
        rep movsb
        ret
one:    mov     $1, %eax
        ret
two:    mov     $2, %eax
        ret
"""
PATTERN = """
        movabs  $0xffff82d080100000, %rdi
        mov     $0x20000, %ecx
1:      mov     %ecx, %eax
        imul    $0x9e3779b1, %eax
        mov     %eax, (%rdi,%rcx,4)
        dec     %ecx
        jnz     1b
"""


@dataclass(frozen=True)
class Left:
    """How a run ended, with all of memory, page tables included."""

    end: str
    address: int
    registers: tuple[int, ...]
    memory: bytes


def run(code: str, *, at_once: bool) -> Left:
    image = parse_image(shim64(f"{PATTERN}\n{code}\nhlt\n{FUNCTIONS}"))
    with pytest.MonkeyPatch.context() as patch:
        if not at_once:
            patch.setattr(machine, "places", lambda image, instruction: ())
        runner = Runner(Machine(image, build_kernel(Mode.NATIVE), Settings(16 * MIB, b"", 1)))
    try:
        with pytest.raises(Ended) as ended:
            runner.boot()
        cpu = runner.machine.cpu
        registers = tuple(cpu.read(name) for name in ("rcx", "rdi", "rsi", "rax", "rip"))
        end = ended.value
        return Left(end.message, end.address, registers, bytes(runner.machine.ram.view))
    finally:
        runner.close()


def fill(at: int, count: int) -> str:
    return f"movabs ${at:#x}, %rdi\nmov $0x5a, %eax\nmov ${count}, %ecx\ncall memset\n"


def copy(to: int, source: int, count: int, flag: str = "") -> str:
    said = f"movabs ${to:#x}, %rdi\nmovabs ${source:#x}, %rsi\nmov ${count}, %ecx\n"
    return f"{said}{flag}\ncall memmove\ncld\n"


READ_ONLY = """
        andb    $0xfd, tables + 0x2000(%rip)
        mov     %cr0, %rax
        or      $0x10000, %rax
        mov     %rax, %cr0
        mov     %cr3, %rax
        mov     %rax, %cr3
"""


USER = """
        orb     $4, tables + 0x828(%rip)
        orb     $4, tables + 0x1a10(%rip)
        orb     $4, tables + 0x2000(%rip)
        mov     %cr3, %rax
        mov     %rax, %cr3
"""
TOP = """
        mov     tables(%rip), %rax
        mov     %rax, tables + 0xff8(%rip)
        mov     tables + 0x1000(%rip), %rax
        mov     %rax, tables + 0x1ff8(%rip)
        movq    $0x200083, tables + 0x2ff8(%rip)
"""
"""The last two megabytes of all addresses are mapped as well."""
PATCHED = "movw $0x9090, memset(%rip)\nmovw $0x9090, memmove(%rip)\n"
SMAP = "mov %cr4, %rax\nor $0x200000, %rax\nmov %rax, %cr4\n"


@pytest.mark.parametrize(
    "code",
    [
        USER + fill(ROOM + 10, 9000),
        USER + SMAP + fill(ROOM + 10, 9000),
        USER + SMAP + "stac\n" + fill(ROOM + 10, 9000),
        USER + SMAP + copy(END - 9000, ROOM, 8000),
        USER + SMAP + "stac\n" + copy(END - 9000, ROOM, 8000),
        fill(ROOM + 5, 0),
        fill(ROOM + 5, 1),
        fill(ROOM + 4090, 20_000),
        fill(END - 5000, 9000),
        copy(ROOM + 0x8005, ROOM + 17, 12_345),
        copy(ROOM + 1, ROOM, 5000),
        copy(ROOM, ROOM + 1, 5000),
        copy(ROOM + 6000, ROOM + 4999, 5000, "std"),
        copy(ROOM + 4999, ROOM + 6000, 5000, "std"),
        copy(ROOM + 0x20000, END - 3000, 9000),
        copy(END - 3000, ROOM, 9000),
        copy(END + 10, ROOM + 9000, 9000, "std"),
        TOP + fill((1 << 64) - 5000, 5000),
        TOP + fill((1 << 64) - 5000, 9000),
        TOP + copy((1 << 64) - 5000, ROOM, 9000),
        TOP + copy(4999, ROOM + 9000, 5000, "std"),
        TOP + copy(4999, ROOM + 9000, 9000, "std"),
        PATCHED + fill(ROOM, 9000),
        PATCHED + copy(END - 9000, ROOM, 8000),
        READ_ONLY + fill(ROOM, 9000),
        READ_ONLY + copy(END - 9000, ROOM, 8000),
    ],
    ids=lambda code: " ".join(code.split())[-70:],
)
def test_what_is_left_is_the_same(code: str) -> None:
    assert run(code, at_once=True) == run(code, at_once=False)


def test_what_is_the_guests_is_done_at_once_where_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    accessed = Linear.accessed

    def counted(self: Linear, address: LinearAddr, *, write: bool, user: bool) -> int:
        asked.append(user)
        return accessed(self, address, write=write, user=user)

    monkeypatch.setattr(Linear, "accessed", counted)
    run(USER + SMAP + "stac\n" + fill(ROOM, 9000), at_once=True)
    assert asked == [True] * 3
    asked.clear()
    run(USER + SMAP + fill(ROOM, 9000), at_once=True)
    assert asked == [False]


def test_code_that_is_copied_over_other_code_is_what_runs() -> None:
    code = ""
    for name in ("one", "two"):
        code += f"lea {name}(%rip), %rsi\nmovabs ${ROOM:#x}, %rdi\nmov $6, %ecx\ncall memmove\n"
        code += f"movabs ${ROOM:#x}, %rbx\ncall *%rbx\n"
    assert run(code, at_once=True).registers[3] == 2


def test_places_are_those_of_64_bit_code() -> None:
    """What is linked low may run before there are page tables."""
    image = parse_image(shim64(FUNCTIONS))
    assert len(places(image, FILL)) == len(places(image, COPY)) == 1
    low = tuple(replace(load, virtual=load.virtual & 0xFFFFFFFF) for load in image.loads)
    moved = LinkedImage(image.data, low, image.entry)
    moved.__dict__["symbols"] = {name: at & 0xFFFFFFFF for name, at in image.symbols.items()}
    assert places(moved, FILL) == places(moved, COPY) == ()


offsets = st.integers(0, 0x4000)


@settings(max_examples=10, deadline=None)
@given(offsets, offsets, st.integers(0, 9000), st.booleans(), st.booleans())
def test_any_two_ranges(to: int, source: int, count: int, down: bool, wide: bool) -> None:
    base = ROOM + 0x10000
    code = copy(base + to + 0x8000 * wide, base + source, count, "std" if down else "")
    assert run(code, at_once=True) == run(code, at_once=False)


def test_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor is left with nothing to do: the count is zero when the instruction runs."""
    seen: list[int] = []
    write = Ram.write

    def counted(self: Ram, at: PhysAddr, content: bytes) -> None:
        seen.extend([len(content)] * (content[:1] == b"\x5a"))
        write(self, at, content)

    monkeypatch.setattr(Ram, "write", counted)
    run(fill(ROOM + 4090, 20_000), at_once=True)
    assert seen == [6, 4096, 4096, 4096, 4096, 20_000 - 6 - 4 * 4096]
