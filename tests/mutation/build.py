# SPDX-License-Identifier: GPL-2.0-or-later
"""The core's own compile command, with one of its sources changed.

A changed header lies in a folder of its own that is searched first; the tree itself is never written
to, so mutants can be built side by side.
"""

from __future__ import annotations

import io
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emu.profile import Profile, load_profile
from tests.mutation.mutants import Mutant, mutants, world_of
from tests.mutation.source import Source

CORE = "xen/arch/x86/pv/shim.c"
OBJECT = "xen/arch/x86/pv/shim.o"
HEADERS = (
    "xen/include/asm-x86/uaccess.h",
    "xen/include/xen/guest_access.h",
    "xen/include/asm-x86/guest/hypercall.h",
)
"""What the core has of others in its own object: guest accesses and its calls into L0."""
IMAGE = "xen/xen-syms"
INCLUDE = "xen/include"
COMPILE_TIME = 60


class BuildError(Exception):
    """The tree does not say how the core is compiled, or does not compile it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A built sample tree, and the commands that make its core's object and link its image."""

    root: Path
    command: tuple[str, ...]
    link: tuple[str, ...]

    @classmethod
    def at(cls, root: Path) -> Tree:
        """Ask make how it would compile the core and link the image."""
        words = ["make", "-n", "-W", CORE, IMAGE]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        lines = [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]
        found = []
        for made, of in ((OBJECT, CORE), (IMAGE, OBJECT)):
            ways = [w for w in lines if of in w and "-o" in w and w[w.index("-o") + 1] == made]
            if len(ways) != 1:
                raise BuildError(f"make -n does not say how {made} is made: {done.stderr.strip()}")
            found.append(tuple(ways[0]))
        return cls(root, *found)

    def profile(self, name: str) -> Profile:
        """Of the core; it has debug information, and needs no probe."""
        return load_profile(name)

    def sources(self) -> list[Source]:
        """The core and the headers that are part of it."""
        return [
            Source(path, (self.root / path).read_text())
            for path in (CORE, *HEADERS)
            if (self.root / path).exists()
        ]

    def mutants(self) -> list[Mutant]:
        """Every mutant of the core."""
        headers = sorted((self.root / INCLUDE).rglob("*.h"))
        texts = [p.read_text() for p in headers if "asm/" not in str(p.relative_to(self.root))]
        return list(mutants(self.sources(), world_of(texts)))

    def compile(self, path: str, text: str) -> bytes | None:
        """The core's object with ``text`` in place of the file ``path``; None where it does not compile."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as name:
            folder = Path(name)
            core = folder / "core.c"
            core.write_text(named(CORE, text if path == CORE else self._text(CORE)))
            if path != CORE:
                inside = str(Path(path).relative_to(INCLUDE)).replace("asm-x86/", "asm/", 1)
                header = folder / "include" / inside
                header.parent.mkdir(parents=True)
                header.write_text(named(path, text))
            replaced = {CORE: str(core), OBJECT: str(folder / "core.o")}
            words = [replaced.get(word, word) for word in self.command]
            words[1:1] = [f"-I{folder / 'include'}"]
            done = subprocess.run(
                words, cwd=self.root, capture_output=True, check=False, timeout=COMPILE_TIME
            )
            return (folder / "core.o").read_bytes() if done.returncode == 0 else None

    def image(self, core: bytes) -> bytes | None:
        """The image with ``core`` as its core's object; None where it does not link."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as name:
            folder = Path(name)
            (folder / "core.o").write_bytes(core)
            replaced = {OBJECT: str(folder / "core.o"), IMAGE: str(folder / "image")}
            words = [replaced.get(word, word) for word in self.link]
            done = subprocess.run(
                words, cwd=self.root, capture_output=True, check=False, timeout=COMPILE_TIME
            )
            return (folder / "image").read_bytes() if done.returncode == 0 else None

    def original(self) -> bytes:
        """The core's object as it is, made the same way."""
        made = self.compile(CORE, self._text(CORE))
        if made is None:
            raise BuildError(f"{CORE} does not compile as it stands")
        return made

    def _text(self, path: str) -> str:
        return (self.root / path).read_text()


def named(path: str, text: str) -> str:
    return f'#line 1 "{path}"\n{text}'


def fingerprint(elf: bytes) -> tuple[object, ...]:
    """What of an object ends in the image: bytes, relocations and names of its allocated sections.

    Two objects with the same fingerprint are the same program: the mutant is equivalent.
    """
    from elftools.elf.elffile import ELFFile

    file = ELFFile(io.BytesIO(elf))
    return tuple(_sections(file))


def _sections(file: object) -> Iterator[tuple[object, ...]]:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection
    from elftools.elf.sections import SymbolTableSection

    assert isinstance(file, ELFFile)
    kept = {i for i, s in enumerate(file.iter_sections()) if s["sh_flags"] & 2}
    names = [s.name for s in file.iter_sections()]
    table = next(s for s in file.iter_sections() if isinstance(s, SymbolTableSection))
    symbols = []
    for symbol in table.iter_symbols():
        section = symbol["st_shndx"]
        where = names[section] if isinstance(section, int) else section
        symbols.append((symbol.name or where, where, symbol["st_value"]))
        if section in kept or section == "SHN_UNDEF":
            yield (*symbols[-1], symbol["st_size"], symbol["st_info"]["bind"])
    for index, section in enumerate(file.iter_sections()):
        if index in kept:
            content = section.data() if section["sh_type"] != "SHT_NOBITS" else section["sh_size"]
            yield section.name, section["sh_flags"], section["sh_addralign"], content
        elif isinstance(section, RelocationSection) and section["sh_info"] in kept:
            yield (
                names[section["sh_info"]],
                *(
                    (r["r_offset"], r["r_info_type"], r["r_addend"], symbols[r["r_info_sym"]])
                    for r in section.iter_relocations()
                ),
            )
