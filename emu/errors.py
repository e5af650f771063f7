# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulator refuses, as opposed to what it finds.

    EmuError                 the input cannot be judged at all
    ├── ElfError             the object file itself
    │   ├── NotElf
    │   ├── WrongMachine     another machine, class, byte order or file type
    │   ├── TruncatedElf     something points out of the file, or a table is malformed
    │   ├── BadRelocation    unknown, out of range, or of something that is not there
    │   └── NoPvhEntry       a linked image without XEN_ELFNOTE_PHYS32_ENTRY
    ├── LayoutError          a type, field or constant that neither DWARF nor the profile gives
    │   └── NotThere         something that a scenario needs and this object does not (yet) have
    └── ProfileError         the profile: which file, which key, why

What a core does wrong is never one of these: it is a `Finding` in a report.  The arguments are kept
in `args`, so that an error survives the way back from a worker process.
"""

from __future__ import annotations


class EmuError(Exception):
    """``what`` happened, ``where``, and a ``hint`` what to do next."""

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class ElfError(EmuError):
    """The object file cannot be used."""


class NotElf(ElfError):
    """The file does not begin with the ELF magic."""


class WrongMachine(ElfError):
    """An ELF file, but not a relocatable one for little-endian x86-64."""


class TruncatedElf(ElfError):
    """A header or table points out of the file or contradicts itself."""


class BadRelocation(ElfError):
    """A relocation that cannot be applied."""


class NoPvhEntry(ElfError):
    """A linked image that no PVH loader would start."""


class LayoutError(EmuError):
    """A type, field or constant that is needed is not described anywhere."""


class NotThere(LayoutError):
    """The object lacks a variable or a field that a scenario is about: absent, not wrong."""


class ProfileError(EmuError):
    """``where`` names the file and the key."""
