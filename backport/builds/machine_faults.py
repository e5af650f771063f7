# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a failed build was the machine's doing: it says nothing about the tree, and is not kept.

A compiler that is killed (as by the kernel, for memory), a full disk, a disk that cannot be read: by what
make, compilers and libc print of it, by exit codes, and by what the machine itself counts.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

_NAMES = {
    signal.SIGHUP: "Hangup",
    signal.SIGINT: "Interrupt",
    signal.SIGKILL: "Killed",
    signal.SIGTERM: "Terminated",
    signal.SIGBUS: "Bus error",
    signal.SIGXCPU: "CPU time limit exceeded",
    signal.SIGXFSZ: "File size limit exceeded",
}
_SIGNAL = "|".join(_NAMES.values())
_CODES = "|".join(str(128 + number) for number in _NAMES)
_SAID = re.compile(
    rf"""
      \*\*\*\ .*\b(?P<make>{_SIGNAL})(?:\ \(core\ dumped\))?$     # GNU make of a recipe
    | \*\*\*\ .*\bError\ (?P<code>{_CODES})$
    | ^(?P<shell>{_SIGNAL})(?:\ \(core\ dumped\))?$               # a shell of its child
    | :\ (?:line\ )?\d+:\ +\d*\ *(?P<script>{_SIGNAL})\b
    | (?P<driver>\w*\s*signal\ terminated\ program\ \w+)          # gcc of cc1, as, ld
    | (?P<linker>terminated\ with\ signal\ \d+.*)
    | (?P<clang>(?:unable\ to\ execute\ command|command\ failed\ due\ to\ signal).*)
    | (?P<crash>internal\ compiler\ error.*|PLEASE\ submit\ a\ (?:full\ )?bug\ report.*)
    | (?P<memory>virtual\ memory\ exhausted.*|out\ of\ memory(?:\ allocating.*)?$|memory\ exhausted$
               |std::bad_alloc.*|LLVM\ ERROR:\ out\ of\ memory.*|MemoryError$)
    | :\ (?P<system>I/O\ error|No\ space\ left\ on\ device|Disk\ quota\ exceeded|Input/output\ error
               |Cannot\ allocate\ memory|Stale\ file\ handle|Too\ many\ open\ files(?:\ in\ system)?
               |Resource\ temporarily\ unavailable|File\ too\ large)\.?$
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"^\s*\d*\s*\|")
"""Lines of source that a compiler shows."""
_LEAST = 1 << 20
"""Bytes that a disk with room has."""


def machine_fault(code: int, log: str, folders: Iterable[Path] = ()) -> str:
    """Why a build with that exit code and output says nothing about the tree; "" where it may."""
    for number in (-code, code - 128):
        if number in _NAMES:
            return f"the build was ended by a signal ({_NAMES[signal.Signals(number)]})"
    for line in log.splitlines():
        if not _QUOTED.match(line) and (found := _SAID.search(line)):
            what = next(text for text in found.groups() if text).strip()
            if found.lastgroup == "code":
                what = _NAMES[signal.Signals(int(what) - 128)]
            return f"the machine stopped it: {what}"
    return next((f"the disk is full ({folder})" for folder in folders if _is_full(folder)), "")


def killed_for_memory() -> int:
    """How many processes of this group of processes the kernel has killed for memory so far."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        text = Path(f"/sys/fs/cgroup{group}/memory.events").read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.M)
    return int(found[1]) if found else 0


def _is_full(folder: Path) -> bool:
    try:
        st = os.statvfs(folder)
    except OSError:
        return False
    return st.f_bavail * st.f_frsize < _LEAST or (st.f_files > 0 and st.f_favail == 0)
