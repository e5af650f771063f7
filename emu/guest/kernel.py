# SPDX-License-Identifier: GPL-2.0-or-later
"""A PV guest of a few instructions, 64-bit or 32-bit, as an ELF file with the notes a PV kernel needs.

    start:  nop             the machine stops here, first of all when a vcpu of the guest is entered
            call *%rax      an entry of the hypercall page, of our choosing
            jmp start
    event:  pop %rcx; pop %r11                  (64-bit)
            incl seen(,%rbp,4)                  an upcall has come to this vcpu, whose number is in rbp
            andl $~IF, 16(%rsp); push $0        (64-bit)
            jmp iret entry of hypercall page    (iret)
    timestamp:
            rdtsc; ret      in its own ring, where the image may have forbidden it

Built here byte by byte, so that no compiler is needed where the tool runs.  The code lies at no page
boundary of the file: a page of memory that begins with it is the guest's own, not the loader's copy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from emu.abi import HYPERCALL_STRIDE, Mode
from emu.elf import PAGE
from emu.spaces import LinearAddr

CODE = b"\x90\xff\xd0\xeb\xfb"
EVENT_OFFSET = 0x40
INCREMENT = b"\xff\x04\xad"
"""``incl address(,%rbp,4)``, in both modes."""
MASKED = b"\x81\x64\x24\x10\xff\xfd\xff\xff"
"""``andl $~IF, 16(%rsp)``: it goes back with upcalls masked, and is called no second time."""
TIMESTAMP_OFFSET = 0x80
TIMESTAMP = b"\x0f\x31\xc3"
IRET = 23
"""Hypercall: a 64-bit kernel runs in ring 3 and is told that it was in ring 0."""
MARK = b"guest driver of the booted level, "
FILE_OFFSET = 0x240
LOAD_OFFSET = 0x200000
"""Of the first page above the guest's virtual base, in physical and virtual addresses alike."""
BASE = {
    Mode.NATIVE: LinearAddr(0xFFFFFFFF80000000),
    Mode.COMPAT: LinearAddr(0xC0000000),
}
HV_START_LOW = 0xF5800000
BUFFER_PAGES = 8
CONTEXT_PAGE, SEEN_PAGE = 4, 7
"""Of those behind the first page of `GuestKernel.buffer`."""
ENTRY, HYPERCALL_PAGE, VIRT_BASE, XEN_VERSION = 1, 2, 3, 5
GUEST_OS, GUEST_VERSION, LOADER, PAE_MODE, FEATURES, HV_START = 6, 7, 8, 9, 10, 12


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """The file, and where things are once it is loaded (linear addresses of the guest)."""

    mode: Mode
    content: bytes
    start: LinearAddr
    hypercalls: LinearAddr
    buffer: LinearAddr
    """Pages to put arguments in."""
    lists: LinearAddr
    """A page for lists, followed by nothing that is known."""
    event: LinearAddr
    """What is to be called for an event."""
    timestamp: LinearAddr
    """What is to be called for the time stamp counter: rdtsc, and back."""
    context: LinearAddr
    """Two pages for the first registers of a second vcpu."""
    stack: LinearAddr
    """Upper end of its stack."""
    seen: LinearAddr
    """How many upcalls have come to each vcpu, 4 bytes each."""
    first_page: bytes
    """How the page at ``start`` begins."""

    def hypercall(self, number: int) -> LinearAddr:
        return self.hypercalls + number * HYPERCALL_STRIDE


@cache
def build_kernel(mode: Mode) -> GuestKernel:
    """The driver kernel of one mode; always the same bytes."""
    base = BASE[mode]
    start = base + LOAD_OFFSET
    buffer = start + 3 * PAGE
    seen = buffer + SEEN_PAGE * PAGE
    first = CODE.ljust(16, b"\xcc") + MARK + mode.encode()
    count = INCREMENT + struct.pack("<I", seen & 0xFFFFFFFF)
    event = count + b"\xcf"
    if mode is Mode.NATIVE:
        event = b"\x59\x41\x5b" + count + MASKED + b"\x6a\0\xe9"
        behind = start + EVENT_OFFSET + len(event) + 4
        target = start + PAGE + IRET * HYPERCALL_STRIDE
        event += struct.pack("<i", target - behind)
    text = first.ljust(EVENT_OFFSET, b"\xcc") + event
    text = (text.ljust(TIMESTAMP_OFFSET, b"\xcc") + TIMESTAMP).ljust(PAGE, b"\xcc")
    notes = b"".join(_notes(mode, base, start))
    image = text + b"\xcc" * PAGE + notes.ljust(PAGE, b"\0")
    size = len(image) + (BUFFER_PAGES + 1) * PAGE
    make = _elf64 if mode is Mode.NATIVE else _elf32
    return GuestKernel(
        mode=mode,
        content=make(start, base, image, size, 2 * PAGE, len(notes)),
        start=start,
        hypercalls=start + PAGE,
        buffer=buffer,
        lists=start + 5 * PAGE,
        event=start + EVENT_OFFSET,
        timestamp=start + TIMESTAMP_OFFSET,
        context=buffer + CONTEXT_PAGE * PAGE,
        stack=buffer + SEEN_PAGE * PAGE,
        seen=seen,
        first_page=first,
    )


def _notes(mode: Mode, base: int, start: int) -> Iterator[bytes]:
    word = "<Q" if mode is Mode.NATIVE else "<I"
    yield _note(GUEST_OS, b"driver\0")
    yield _note(GUEST_VERSION, b"1\0")
    yield _note(LOADER, b"generic\0")
    yield _note(XEN_VERSION, b"xen-3.0\0")
    yield _note(VIRT_BASE, struct.pack(word, base))
    yield _note(ENTRY, struct.pack(word, start))
    yield _note(HYPERCALL_PAGE, struct.pack(word, start + PAGE))
    yield _note(PAE_MODE, b"yes\0" if mode is Mode.NATIVE else b"yes,bimodal\0")
    yield _note(FEATURES, b"\0")
    if mode is Mode.COMPAT:
        yield _note(HV_START, struct.pack(word, HV_START_LOW))


def _note(kind: int, value: bytes) -> bytes:
    return (
        struct.pack("<III", 4, len(value), kind)
        + b"Xen\0"
        + value.ljust(len(value) + 3 & ~3, b"\0")
    )


def _elf64(start: int, base: int, image: bytes, size: int, notes: int, length: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, start, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, FILE_OFFSET, start, start - base, len(image), size, 16)
    at = FILE_OFFSET + notes, start + notes, start + notes - base
    note = struct.pack("<IIQQQQQQ", 4, 4, *at, length, length, 4)
    return (header + load + note).ljust(FILE_OFFSET, b"\0") + image


def _elf32(start: int, base: int, image: bytes, size: int, notes: int, length: int) -> bytes:
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, start, 52, 0, 0, 52, 32, 2, 40, 0, 0)
    load = struct.pack("<IIIIIIII", 1, FILE_OFFSET, start, start - base, len(image), size, 7, 16)
    at = FILE_OFFSET + notes, start + notes, start + notes - base
    note = struct.pack("<IIIIIIII", 4, *at, length, length, 4, 4)
    return (header + load + note).ljust(FILE_OFFSET, b"\0") + image
