# SPDX-License-Identifier: GPL-2.0-or-later
"""What a PVH loader does: image, guest kernel, tables and start info in their places."""

from __future__ import annotations

from emu.booted.ram import Ram
from emu.booted.settings import MIB, Settings, memory_map
from emu.cpu import System
from emu.elf import PAGE
from emu.elf.linked import LinkedImage
from emu.errors import TruncatedElf
from emu.guest import GuestKernel
from emu.hardware.platform import acpi_tables, start_info
from emu.l0 import L0Setup
from emu.spaces import LinearAddr, PhysAddr

FIRST_FREE = PhysAddr(8 * MIB)
"""Below it lies nothing but the image, unless it is larger."""


def load(
    image: LinkedImage,
    kernel: GuestKernel,
    settings: Settings,
    setup: L0Setup,
    ram: Ram,
    cpu: System,
) -> LinearAddr:
    """Put everything in its place; the address where the processor is to start, in 64-bit mode."""
    end = max(load.end for load in image.loads)
    at = max(FIRST_FREE, end + (MIB - 1) & -MIB)
    module = at + 4 * PAGE
    if module + len(kernel.content) + MIB > ram.size:
        raise TruncatedElf(
            f"the image ends at {end:#x}, the machine has {ram.size // MIB} MiB", "program headers"
        )
    for part in image.loads:
        ram.write(part.physical, bytes(part.content))
    pieces = acpi_tables(settings.vcpus)
    table = memory_map(settings) if settings.map_in_start_info else ()
    pieces += start_info(at, settings.command_line, (module, len(kernel.content)), table)
    pieces.append((module, kernel.content))
    for address, content in pieces:
        ram.write(address, content)
    for frame in dict(setup.params).values():
        if frame * PAGE >= ram.size:
            ram.page(frame)
    cpu.write("rbx", at)
    return _entry_stub(at + 3 * PAGE, image.entry, ram, cpu)


def _entry_stub(at: PhysAddr, entry: PhysAddr, ram: Ram, cpu: System) -> LinearAddr:
    """A PVH entry is 32-bit and the processor starts in 64-bit mode: a far return leads over."""
    descriptors = 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
    table = b"".join(word.to_bytes(8, "little") for word in descriptors)
    pointer = (len(table) - 1).to_bytes(2, "little") + at.to_bytes(8, "little")
    code = b"\xb8" + (at + 0x80).to_bytes(4, "little") + b"\x0f\x01\x10"  # lgdt (%rax)
    code += b"\xb8\x10\0\0\0\x8e\xd8\x8e\xc0\x8e\xd0"  # ds, es, ss
    code += b"\x6a\x08\x68" + entry.to_bytes(4, "little") + b"\x48\xcb"  # lretq
    ram.write(at, table)
    ram.write(at + 0x80, pointer)
    ram.write(at + 0x100, code)
    cpu.write("rsp", at + 0x800)
    return LinearAddr(at + 0x100)  # the library begins without page tables
