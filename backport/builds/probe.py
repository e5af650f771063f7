# SPDX-License-Identifier: GPL-2.0-or-later
"""The probe of a step, compiled in the kept worktree as the core was (`emu.object.probe` has its text).

The command is the one that the recorder saw.  The answer is kept with the files that the compiler read
for it, so that a step which leaves those alone costs a look at each and no compilation.  Where no
command is known, or it does not compile the probe, there is no answer: the profile's values stand, and
layouts come from the core alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backport.builds.process import run_bounded
from backport.builds.recorded.recording import Run, signature
from backport.store.cache import Cache, digest
from emu.errors import ElfError
from emu.layout import Described
from emu.object.probe import Answers, probe_source, read_probe
from emu.object.structures import asked_of
from emu.profile import Profile

_KIND = "probe"
_FORMAT = "probe-3"
_IN_FOLDER = 'cd "$1" && shift && exec "$@"'
_VALUED = ("-MF", "-MT", "-MQ")
_ADDED = ("-g", "-w")
"""Types are wanted whether or not the core is compiled with them, and no warning is an error."""


def question(profile: Profile) -> str:
    """A digest of what is asked."""
    fields = (f"{name} {path}" for name, paths in asked_of(profile).items() for path in paths)
    enumerators = (region.enumerator for region in profile.regions)
    return digest(_FORMAT, probe_source(profile), *fields, "", *enumerators)


def ask(
    profile: Profile,
    run: Run | None,
    folder: Path,
    prefix: Sequence[str],
    cache: Cache,
    timeout: int,
) -> Answers:
    """What the tree in ``folder`` says of the constants and types of ``profile``, by the command that
    compiles its core; nothing where that is not known, or does not compile the probe."""
    source = probe_source(profile)
    if not source or run is None:
        return Answers()
    key = digest(question(profile), run.cwd, run.exe, *run.argv, "", *run.env)
    kept = cache.get(_KIND, key)
    if kept is not None and all(_state(run.cwd, p) == seen for p, seen in kept["read"].items()):
        return from_json(kept)
    found, read = _compile(profile, source, run, folder, prefix, timeout)
    if read:
        states = {path: _state(run.cwd, path) for path in read}
        cache.put(_KIND, key, {**to_json(found), "read": states})
    return found


def to_json(answers: Answers) -> dict[str, Any]:
    """As it is kept."""
    return {"constants": dict(answers.constants), "layouts": answers.layouts.to_json()}


def from_json(value: Mapping[str, Any]) -> Answers:
    """What `to_json` made of it."""
    return Answers(value["constants"], Described.from_json(value["layouts"]))


def _compile(
    profile: Profile, source: str, run: Run, folder: Path, prefix: Sequence[str], timeout: int
) -> tuple[Answers, tuple[str, ...]]:
    """The answer, and the files that were read for it: none where there is no answer."""
    stem = folder.parent / "tmp" / f"probe-{os.getpid()}"
    text, made, read = stem.with_suffix(".c"), stem.with_suffix(".o"), stem.with_suffix(".d")
    words = _instead(run, folder / profile.core_source, text, made, read)
    try:
        if not words:
            return Answers(), ()
        text.unlink(missing_ok=True)
        with text.open("x") as file:  # what a build may have put there is not followed
            file.write(source)
        env = dict(x.split("=", 1) for x in run.env if "=" in x)
        shell = (*prefix, "/bin/sh", "-c", _IN_FOLDER, "sh", run.cwd, run.exe)
        status, _ = run_bounded((*shell, *words[1:]), folder, env, timeout)
        if status != 0:
            return Answers(), ()
        files = tuple(path for path in _listed(os.fsdecode(read.read_bytes())) if path != str(text))
        return read_probe(made.read_bytes(), profile), files
    except (OSError, ElfError):
        return Answers(), ()
    finally:
        for path in (text, made, read):
            path.unlink(missing_ok=True)


def _instead(run: Run, core: Path, text: Path, made: Path, read: Path) -> tuple[str, ...]:
    """The command with the probe for its source; empty for one that compiles no core."""
    words: list[str] = []
    arguments = iter(run.argv)
    found = False
    for word in arguments:
        if word in _VALUED or word == "-o":
            next(arguments, "")
        elif word.startswith(("-M", "-Wp,-M", "-gsplit-dwarf")):
            continue  # the lists of make's that it would write, and debug information in a file of its own
        elif os.path.normpath(Path(run.cwd, word)) == str(core):
            words.append(str(text))
            found = True
        else:
            words.append(word)
    if not found or "-c" not in words:
        return ()
    return (*words, *_ADDED, "-MD", "-MF", str(read), "-o", str(made))


def _listed(rule: str) -> list[str]:
    """The prerequisites of the one rule that the compiler writes."""
    _, _, names = rule.replace("\\\n", " ").partition(":")
    return [name.replace("\0", " ") for name in names.replace("\\ ", "\0").split()]


def _state(folder: str, path: str) -> list[int] | None:
    """A file's signature as it comes back from JSON."""
    found = signature(str(Path(folder, path)))
    return None if found is None else list(found)
