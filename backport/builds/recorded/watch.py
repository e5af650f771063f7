# SPDX-License-Identifier: GPL-2.0-or-later
"""The watcher: compiled on the spot, put before a command, its log read.

It is C because each system call of a build is looked at, and it is compiled by the machine's own
compiler because that is what a machine that builds has.  A build of Xen takes 1.16 times its CPU time
under watch (122 s and 105 s in the same run), and its log of 1.2 million records 4 s to read.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from backport.builds.recorded.recording import Earlier

_SOURCE = Path(__file__).with_name("watch.c")
_LOG_LIMIT = 1 << 29
_MODES, _DATES = 1 << 17, 1 << 63
_KINDS = "FQXxrcae012fukRWAUNLHSPEDMmKBVOTGZ"


class Process(Struct):
    """What one process did.  ``events`` are (number in the log, kind, raw path)."""

    serial: int
    parent: int = 0
    images: list[Image] = field(default_factory=list)
    events: list[tuple[int, str, str]] = field(default_factory=list)
    status: int | None = None
    ended: int = 0
    """The number of its end in the log; 0 where it is not in there."""
    links: list[tuple[int, str, str]] = field(default_factory=list)
    """Links that it made or renamed: number in the log, raw path, target."""
    twins: list[tuple[int, str, str]] = field(default_factory=list)
    """Second names that it gave to files: number in the log, old raw path, new one."""
    moved: list[tuple[int, str]] = field(default_factory=list)
    """Folders that it renamed: number in the log, raw path before."""
    old: list[tuple[int, str, Earlier]] = field(default_factory=list)
    """What files held that it then wrote over: number in the log, raw path, content."""
    signalled: set[int] = field(default_factory=set)
    """The processes that it sent signals to; 0 for one that is not among those watched."""
    opaque: str = ""
    """Why it is not known what it looked at."""
    loose: str = ""
    """Why it may do otherwise at another run."""
    sees: str = ""
    """What shows it that it is watched, so that it may have gone another way."""


class Image(Struct):
    """A program that a process became; ``at`` is its number in the log."""

    at: int
    exe: str
    named: str = ""
    """The path that was executed: of a script, or a link to ``exe``."""
    asked: str = ""
    """That path as it was asked for, where it was a relative one."""
    cwd: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    inherited: tuple[str, ...] = ()
    """What the descriptors beyond these are."""
    given: str = ""
    """Who it is, its umask, the signals that it ignores or holds back, its limits; "=" where that is what the
    first program was given."""
    argv: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


def watcher(folder: Path) -> tuple[Path | None, str]:
    """The compiled watcher, kept in ``folder``; or None, and why there is none."""
    source = _SOURCE.read_bytes()
    binary = folder / f"watch-{hashlib.sha256(source).hexdigest()[:16]}"
    if binary.exists():
        return binary, ""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None, "no C compiler"
    folder.mkdir(parents=True, exist_ok=True)
    made = binary.with_suffix(".new")
    words = [compiler, "-O2", "-o", str(made), str(_SOURCE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line]
        return None, f"the watcher does not compile ({said[0] if said else 'no reason given'})"
    made.replace(binary)
    return binary, ""


def works(binary: Path, prefix: Sequence[str], log: Path) -> str:
    """Why watching is not possible here (a container without ptrace, say); "" when it is."""
    words = [*prefix, str(binary), str(log), "/", "", "/bin/sh", "sh", "-c", ":"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0 and any(process.images for process in read_log(log)):
        return ""
    return "this system does not allow a build to be watched (ptrace)"


def read_log(log: Path) -> tuple[Process, ...]:
    """The processes of a log in the order of their start; none when the log is not whole."""
    try:
        if log.stat().st_size > _LOG_LIMIT:
            return ()
        data = log.read_bytes()
    except OSError:
        return ()
    finally:
        log.unlink(missing_ok=True)
    if not data.endswith(b"Z 0 0\n\n"):
        return ()
    try:
        return _parse(data)
    except (ValueError, KeyError):
        return ()  # the log lies where the build could write: what it holds is not believed blindly


def _parse(data: bytes) -> tuple[Process, ...]:
    found: dict[int, Process] = {}
    at = number = 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, serial, size = data[at:end].split(b" ")
        at = end + 1 + int(size)
        if at <= end or data[at : at + 1] != b"\n":
            raise ValueError("a record is shorter than its header says")
        text = data[end + 1 : at].decode("utf-8", "surrogateescape")
        at += 1
        number += 1
        if not serial.isdigit():
            raise ValueError("processes have numbers from 1")
        process = found.setdefault(int(serial), Process(int(serial)))
        _note(process, kind.decode("ascii"), text, number)
    del found[0]
    if any(not 0 < process.parent < process.serial for process in found.values() if process.parent):
        return ()
    if any(process.parent not in found for process in found.values() if process.serial > 1):
        return ()
    return tuple(found[serial] for serial in sorted(found))


def _note(process: Process, kind: str, text: str, number: int) -> None:
    if len(kind) != 1 or kind not in _KINDS:
        raise ValueError("no kind of a record")
    if "\0" in text and kind not in "aeLHk":
        raise ValueError("no path has a zero byte")
    if kind in "RWANUSPEDMmK":
        process.events.append((number, kind, text))
    elif kind == "X":
        process.images.append(Image(number, text))
    elif kind == "F":
        process.parent = int(text)
    elif kind == "Q":
        process.status = int(text)
        process.ended = number
    elif kind in "LH":
        old, new = text.split("\0")
        process.events.append((number, "N", old if kind == "L" else new))
        (process.links if kind == "L" else process.twins).append((number, old, new))
    elif kind == "k":
        path, about, content = text.split("\0", 2)
        mode, date = about.split(" ")
        earlier = Earlier(int(mode, 8), int(date), content)
        if not 0 <= earlier.mode < _MODES or abs(earlier.date) >= _DATES:
            raise ValueError("no mode or no date")
        process.old.append((number, path, earlier))
    elif kind == "O":
        process.opaque = process.opaque or text
    elif kind == "V":
        process.loose = process.loose or text
    elif kind == "B":
        process.moved.append((number, text))
    elif kind == "G":
        process.signalled.add(int(text))
    elif kind == "T":
        process.sees = process.sees or text
    elif process.images:
        image = process.images[-1]
        if kind == "x":
            image.named = text
        elif kind == "r":
            image.asked = text
        elif kind == "c":
            image.cwd = text
        elif kind == "0":
            image.stdin = text
        elif kind == "1":
            image.stdout = text
        elif kind == "2":
            image.stderr = text
        elif kind == "f":
            image.inherited += (text,)
        elif kind == "u":
            image.given = text
        elif kind == "a":
            image.argv = tuple(text.split("\0")[:-1])
        elif kind == "e":
            image.env = tuple(text.split("\0")[:-1])
