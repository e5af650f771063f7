# SPDX-License-Identifier: GPL-2.0-or-later
"""A real tree with a core like the sample's, mutated and built by the commands of its own make.

They are read from what make prints when it builds a copy of the tree in which the core's object and the image
are missing.  Of the links those are made again that lead from the object to the first whole image: where an
image is linked several times over, to hold a table of its own symbols, that is the one whose table is empty.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emu.object.probe import read_probe
from emu.profile import Profile, load_profile, with_layouts
from tests.mutation.build import COMPILE_TIME, CORE, IMAGE, OBJECT, BuildError, named
from tests.mutation.mutants import Mutant, mutants, world_of
from tests.mutation.source import Source

PUBLIC = "xen/include/public"
MAKE_TIME = 1800
_ENTERS = re.compile(r"make(?:\[\d+\])?: Entering directory '(.*)'")
_LEAVES = re.compile(r"make(?:\[\d+\])?: Leaving directory ")


@dataclass(frozen=True, slots=True)
class Command:
    """What was run where, and the path of what it made."""

    folder: str
    words: tuple[str, ...]
    made: str

    def path(self, word: str) -> str:
        return os.path.normpath(Path(self.folder, word))

    def uses(self, path: str) -> bool:
        return path != self.made and any(self.path(word) == path for word in self.words)

    def run(self, instead: dict[str, str]) -> bool:
        """With other files in the place of some."""
        words = [instead.get(self.path(word), word) for word in self.words]
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, check=False, timeout=COMPILE_TIME
        )
        return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Outside:
    """A copy of a tree, how its core is compiled, and how its image is linked from that; ``probe``: compiled
    as the core is."""

    root: Path
    compiled: Command
    links: tuple[Command, ...]
    probe: Path | None = None

    @classmethod
    def at(
        cls, root: Path, make: Sequence[str], scratch: Path, probe: Path | None = None
    ) -> Outside:
        """``make`` has to print its commands (with V=1, where it does not by itself)."""
        copy = scratch / "tree"
        shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        for made in (OBJECT, IMAGE):
            (copy / made).unlink(missing_ok=True)
        done = subprocess.run(
            make, cwd=copy, capture_output=True, text=True, check=False, timeout=MAKE_TIME
        )
        if done.returncode:
            raise BuildError(f"{shlex.join(make)}: {done.stderr.strip()[-500:]}")
        ran = list(commands(done.stdout, copy))
        made = str(copy / OBJECT)
        compiled = next((c for c in ran if c.made == made and c.uses(str(copy / CORE))), None)
        if compiled is None:
            raise BuildError(f"make does not print how {OBJECT} is made")
        return cls(copy, compiled, tuple(_links(ran, made)), probe)

    def profile(self, name: str) -> Profile:
        """The profile for this tree."""
        if self.probe is None:
            return load_profile(name)
        answers = read_probe(self.probe.read_bytes(), load_profile(name))
        return with_layouts(load_profile(name, answers.constants), answers.layouts)

    def mutants(self) -> list[Mutant]:
        """Every mutant of the core itself."""
        texts = [path.read_text() for path in sorted((self.root / PUBLIC).rglob("*.h"))]
        source = Source(CORE, (self.root / CORE).read_text())
        return list(mutants([source], world_of(texts)))

    def compile(self, path: str, text: str) -> bytes | None:
        """The core's object with ``text`` in place of the core; None where it does not compile."""
        assert path == CORE
        with tempfile.TemporaryDirectory(prefix="mutant-") as name:
            core, made = Path(name) / "core.c", Path(name) / "core.o"
            core.write_text(named(CORE, text))
            instead = {str(self.root / CORE): str(core), self.compiled.made: str(made)}
            return made.read_bytes() if self.compiled.run(instead) else None

    def image(self, core: bytes) -> bytes | None:
        """The image with ``core`` as its core's object; None where it does not link."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as name:
            made = Path(name) / "core.o"
            made.write_bytes(core)
            instead = {self.compiled.made: str(made)}
            for number, link in enumerate(self.links):
                made = Path(name) / str(number)
                instead[link.made] = str(made)
                if not link.run(instead):
                    return None
            return made.read_bytes()

    def original(self) -> bytes:
        """The core's object as it is, made the same way."""
        made = self.compile(CORE, (self.root / CORE).read_text())
        if made is None:
            raise BuildError(f"{CORE} does not compile as it stands")
        return made


def commands(printed: str, root: Path) -> Iterator[Command]:
    """What make has printed, as far as it names what it makes with -o."""
    folders = [str(root)]
    for line in printed.replace("\\\n", " ").splitlines():
        if enters := _ENTERS.fullmatch(line):
            folders.append(enters[1])
        elif _LEAVES.match(line):
            folders.pop()
        elif " -o " in line:
            try:
                words = shlex.split(line)
            except ValueError:  # a line of a script
                continue
            made = words[words.index("-o") + 1]
            yield Command(folders[-1], tuple(words), os.path.normpath(Path(folders[-1], made)))


def _links(ran: Sequence[Command], core: str) -> Iterator[Command]:
    """From the core's object on, up to the first that is a whole image."""
    last = core
    while True:
        link = next((c for c in ran if c.uses(last) and "-c" not in c.words), None)
        if link is None:
            raise BuildError(f"make does not print what is linked from {last}")
        yield link
        if "-r" not in link.words:
            return
        last = link.made
