# SPDX-License-Identifier: GPL-2.0-or-later
"""The debug sections of an image: relocated, and inflated where they are compressed."""

from __future__ import annotations

import struct
import zlib

from emu.elf.file import Section
from emu.elf.headers import SHF_COMPRESSED, SHT_NOBITS
from emu.elf.placed import Image
from emu.elf.relocate import Reloc
from emu.errors import TruncatedElf

MAX_DEBUG = 32 << 20
"""One debug section after decompression."""


def debug_section(image: Image, name: str, *, relocated: bool = True) -> bytes | None:
    """A debug section, inflated where it is compressed, with its relocations applied where asked for."""
    section = image.elf.section(name)
    if section is None or section.type == SHT_NOBITS:
        return None
    content = bytearray(_inflate(section) if section.flags & SHF_COMPRESSED else section.data)
    if not relocated:
        return bytes(content)
    size = len(content)
    values = image.values
    for offset, kind, index, addend in image.elf.relocations(section):
        width = 4 if kind in (Reloc.R_X86_64_32, Reloc.R_X86_64_32S, Reloc.R_X86_64_PC32) else 8
        if offset + width > size:
            raise TruncatedElf("relocation out of its section", f"{name}+{offset:#x}")
        value = (values[index] + addend) & (1 << 8 * width) - 1
        content[offset : offset + width] = value.to_bytes(width, "little")
    return bytes(content)


def _inflate(section: Section) -> bytes:
    if section.size < 24:
        raise TruncatedElf("no compression header", section.name)
    kind, _, size = struct.unpack_from("<IIQ", section.data)
    if kind != 1 or size > MAX_DEBUG:
        raise TruncatedElf(f"compression type {kind}, {size} bytes", section.name)
    try:
        content = zlib.decompressobj().decompress(bytes(section.data[24:]), size)
    except zlib.error as exc:
        raise TruncatedElf(f"does not inflate: {exc}", section.name) from exc
    if len(content) != size:
        raise TruncatedElf(f"inflates to {len(content)} bytes, not {size}", section.name)
    return content
