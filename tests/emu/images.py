# SPDX-License-Identifier: GPL-2.0-or-later
"""Linked images for the booted level: the sample's own, and small ones that do one thing wrong."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from backport.sample.write import write_sample
from tests.backport.sample_repo import build, take_series

SCRIPT = """
PHDRS { text PT_LOAD FLAGS(7); note PT_NOTE FLAGS(4); }
SECTIONS {
    . = 0xffff82d080200000;
    .text : AT(ADDR(.text) - 0xffff82d080000000) { *(.text) *(.data) *(.bss) } :text
    .note.Xen : AT(ADDR(.note.Xen) - 0xffff82d080000000) { *(.note.Xen) } :text :note
    /DISCARD/ : { *(.note.gnu*) *(.comment) }
}
"""
NOTE = """
        .section .note.Xen, "a", @note
        .balign 4
        .long   4, 4, 18
        .asciz  "Xen"
        .long   pvh_start - 0xffff82d080000000
"""
LONG_MODE = """
        .code32
pvh_start:
        mov     $tables - 0xffff82d080000000, %edi
        lea     0x1003(%edi), %eax
        mov     %eax, (%edi)            /* the lowest 512 GiB */
        mov     %eax, 0x828(%edi)       /* and where the image is linked */
        lea     0x2003(%edi), %eax
        mov     %eax, 0x1000(%edi)
        mov     %eax, 0x1a10(%edi)
        movl    $0x83, 0x2000(%edi)
        movl    $0x200083, 0x2008(%edi)
        mov     $0x20, %eax
        mov     %eax, %cr4
        mov     %edi, %cr3
        mov     $0xc0000080, %ecx
        mov     $0x100, %eax
        xor     %edx, %edx
        wrmsr
        mov     $0x80000011, %eax
        mov     %eax, %cr0
        lgdt    pointer - 0xffff82d080000000
        ljmp    $8, $1f - 0xffff82d080000000
        .code64
1:      movabs  $high, %rax
        jmp     *%rax
high:   lea     stack(%rip), %rsp
"""
TABLES = """
        .balign 4096
tables: .skip   0x3000
        .skip   0x1000
stack:  .skip   8
gdt:    .quad   0, 0x00af9a000000ffff
pointer: .word  15
        .quad   gdt - 0xffff82d080000000
"""
SHIM = """
        .globl  pv_shim_event_channel_op
pv_shim_event_channel_op:
        ret
"""


@cache
def link(source: str) -> bytes:
    """The image that gcc and ld make of an assembly source."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "image.S").write_text(source)
        (folder / "image.lds").write_text(SCRIPT)
        command = ["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"]
        command += ["-Wl,--no-warn-rwx-segments", "-T", "image.lds", "image.S", "-o", "image"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return (folder / "image").read_bytes()


def shim32(code: str) -> bytes:
    """An image that calls itself a shim and runs ``code`` at its entry, in 32-bit mode."""
    return link(f".text\n.code32\npvh_start:\n{code}\n{SHIM}{NOTE}")


def shim64(code: str) -> bytes:
    """As above; ``code`` runs in 64-bit mode at the linked address."""
    return link(f".text\n{LONG_MODE}\n{code}\n{SHIM}{TABLES}{NOTE}")


@cache
def sample_image(variant: str = "") -> bytes:
    """The sample tree with its whole series or a variant of it, built once a session."""
    with tempfile.TemporaryDirectory() as name:
        sample = write_sample(Path(name) / "sample")
        take_series(sample, sample.variants[variant] if variant else sample.series)
        done = build(sample.directory)
        assert done.returncode == 0, done.stderr
        return (sample.directory / "xen/xen-syms").read_bytes()
