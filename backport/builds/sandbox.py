# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build runs: it can write only to its own worktree, and reach no one.

A build runs the tree's own code.  bubblewrap (bwrap(1)) gives it, for root as for everyone:

- no capability, and namespaces of its own for processes, network, IPC and the host's name;
- no keyring of the kernel's (`no_keyrings`);
- a file system that is read-only but for the worktree, a private temporary folder, and what the user
  names in ``backport.writable``;
- a /tmp, /var/tmp and /run of its own, in which what a build needs is still there (`visible_places`);
- nothing of the user's keys and configuration (`hidden_places`), and none of his sockets.

What cannot be had here is said in `Sandbox.why` (nothing at all) and `Sandbox.gaps` (a part).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from shutil import which

from msgspec import Struct, field

from backport.builds.git_settings import git_files, place_in_build
from backport.builds.hidden_places import OWN, hidden_places, sockets
from backport.builds.no_keyrings import program
from backport.builds.visible_places import visible_places
from backport.levels import SandboxUse
from backport.store.files import temporary_folder, write_atomic

_BASE = ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
_SPACES = ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
_NET = "--unshare-net"
_ROOT = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
_KERNEL = (
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/mtrr",
    "/proc/latency_stats",
    "/proc/timer_stats",
)
"""What root may write by its mode alone, without any capability; container runtimes cover the same."""
_NO_NET = "a build can reach the network"
_KEYRINGS = "a build can reach the kernel's keyrings"
_GUARDED = ("/bin/sh", "-c", 'exec 9<"$0"; exec "$@"')
"""Opens the file that comes next as descriptor 9, and becomes the command behind that."""


class Sandbox(Struct, frozen=True):
    """``prefix`` is put before a command; ``why`` says why there is none."""

    prefix: tuple[str, ...]
    why: str = ""
    gaps: tuple[str, ...] = ()
    """What the sandbox does not keep from a build on this machine."""
    identity: tuple[str, ...] = ()
    """What a build's result may depend on: not the sockets that are there just now."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """What does not hold, for a person; empty where all of it does."""
        if self.why:
            return (f"builds run without a sandbox: {self.why}",)
        return tuple(f"the sandbox is not complete: {gap}" for gap in self.gaps)


class BuildPlaces(Struct, frozen=True):
    """The folders that a build works in, and those that it needs or may write besides."""

    worktree: Path
    temporary: Path
    guard: Path
    """A file of ours to keep the seccomp program in, where no build can write."""
    nothing: Path
    """An empty file of ours beside it, which stands in the place of files that are hidden.  A device in that
    place cannot be opened, and git ends where it cannot read its configuration."""
    git_settings: bytes = b""
    """What is shown in the place of the user's git configuration."""
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    """What stays in sight although it lies where everything else is hidden."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The user's environment: it says where his keys, programs and compiler cache are."""


def sandboxes(places: BuildPlaces, use: SandboxUse = SandboxUse.AUTO) -> Callable[[], Sandbox]:
    """What makes the sandbox of each build in ``places.worktree``.

    Homes and PATH are looked through once, at the first build (0.3 s on some machines), sockets each time.
    """
    if use is SandboxUse.OFF:
        return lambda: Sandbox((), "switched off by backport.sandbox")
    flags, why, gaps = _usable()
    if why:
        return lambda: Sandbox((), why)
    surveyed = cache(lambda: _survey(places))
    seen = ("sandbox-5", *gaps, "", *places.writable, "", *places.readable)
    guard = places.guard if _KEYRINGS not in gaps else None

    def made() -> Sandbox:
        _have(places.nothing, b"")
        _have(_shown_settings(places), places.git_settings)
        words = _guarded(flags, guard) if guard is not None else flags
        return Sandbox((*words, *_mounts(places, surveyed()), "--"), gaps=gaps, identity=seen)

    return made


def _guarded(flags: Sequence[str], guard: Path) -> tuple[str, ...]:
    """Write the seccomp program to ``guard``, and have bubblewrap read it."""
    _have(guard, program())
    return (*_GUARDED, str(guard), flags[0], "--seccomp", "9", *flags[1:])


def _have(file: Path, data: bytes) -> None:
    if not file.is_file() or file.read_bytes() != data:
        write_atomic(file, data, durable=False)


def _shown_settings(places: BuildPlaces) -> Path:
    return places.nothing.with_name("gitconfig")


def boxed_as(use: SandboxUse, readable: Sequence[str]) -> tuple[str, ...]:
    """What of the sandbox a build's answer depends on; empty where there is none.

    A file that is hidden from a build is not there for it: the same command finds it once the user has named
    it, or has switched the sandbox off.
    """
    if use is SandboxUse.OFF:
        return ()
    _, why, gaps = _usable()
    return () if why else ("sandbox-3", *gaps, "", *readable)


def unusable() -> str:
    """Why there can be no sandbox here; empty where there can."""
    return _usable()[1]


def _mounts(places: BuildPlaces, surveyed: Mapping[Path, _Kind]) -> list[str]:
    """The nearest folder above a path decides what a build sees there: hidden, shown, or writable."""
    kinds = dict(surveyed)
    writable = (places.worktree, places.temporary, *map(Path, places.writable))
    for path in sockets():
        if _nearest(path.parent, kinds) is _Kind.SHOWN:
            kinds[path] = _Kind.HIDDEN
    words: list[str] = []
    for path in sorted(kinds, key=lambda one: (len(one.parts), one)):
        differs = path.exists() and kinds[path] is not _nearest(path.parent, kinds)
        if differs or path in writable:  # the worktree is perhaps made later
            words += _mount(path, kinds[path], places.nothing)

    def is_hidden(path: Path) -> bool:
        return _nearest(path, kinds) is _Kind.HIDDEN

    for path in git_files(places.variables):
        place = place_in_build(path, is_hidden)
        if path.is_file() and is_hidden(place):
            words += ["--ro-bind", str(_shown_settings(places)), str(place)]
    # The worktree's .git says which repository git works on, with whose configuration and commands.
    pointer = str(places.worktree / ".git")
    words += ["--ro-bind", pointer, pointer]
    return [*words, "--setenv", "TMPDIR", str(places.temporary), "--chdir", str(places.worktree)]


def _survey(places: BuildPlaces) -> dict[Path, _Kind]:
    """What is hidden, shown and writable, but for sockets: those come and go."""
    kinds: dict[Path, _Kind] = dict.fromkeys(map(Path, OWN), _Kind.HIDDEN)
    kinds |= dict.fromkeys(hidden_places(places.variables), _Kind.HIDDEN)
    for path in visible_places(places.readable, places.variables, tuple(kinds)):
        kinds[path] = _Kind.SHOWN
        secrets = path.glob("credentials*") if path.is_dir() else ()
        kinds |= dict.fromkeys(secrets, _Kind.HIDDEN)
    writable = (places.worktree, places.temporary, *map(Path, places.writable))
    return kinds | dict.fromkeys(writable, _Kind.WRITABLE)


class _Kind(Enum):
    HIDDEN = 1
    SHOWN = 2
    WRITABLE = 3


def _nearest(path: Path, kinds: Mapping[Path, _Kind]) -> _Kind:
    for folder in (path, *path.parents):
        if folder in kinds:
            return kinds[folder]
    return _Kind.SHOWN


def _mount(path: Path, kind: _Kind, nothing: Path) -> list[str]:
    name = str(path)
    if kind is _Kind.WRITABLE:
        return ["--bind", name, name]
    if kind is _Kind.SHOWN:
        return ["--ro-bind", name, name]
    return ["--tmpfs", name] if path.is_dir() else ["--ro-bind", str(nothing), name]


@cache
def _usable() -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """The flags that work here, or why none do, and what they do not keep from a build."""
    if which("bwrap") is None:
        return (), "bubblewrap is not installed (Debian: apt install bubblewrap)", ()
    # In some containers root lacks the capability to mount, and may make a user namespace.
    kernel = [word for path in _KERNEL if Path(path).exists() for word in ("--ro-bind", path, path)]
    reason = ""
    for with_net in (True, False):
        for extra in _ways():
            spaces = (*_SPACES, _NET) if with_net else _SPACES
            flags = ("bwrap", *_BASE, *spaces, *extra, *_ROOT, *kernel)
            said = _tried(flags)
            if said is None:
                gaps = () if with_net else (_NO_NET,)
                return flags, "", gaps if _can_guard(flags) else (*gaps, _KEYRINGS)
            reason = reason or said
    return (), f"bubblewrap does not work here ({reason})", ()


def _can_guard(flags: Sequence[str]) -> bool:
    with temporary_folder() as folder:
        return _tried(_guarded(flags, folder / "guard")) is None


def _ways() -> tuple[tuple[str, ...], ...]:
    """Ways to have namespaces: for all but root one in which a build makes no more of them."""
    closed = ("--unshare-user", "--disable-userns")
    return ((), ("--unshare-user",)) if os.geteuid() == 0 else (closed, (), ("--unshare-user",))


def _tried(flags: Sequence[str]) -> str | None:
    words = [*flags, "--tmpfs", "/run", "--tmpfs", "/tmp", "--", "true"]
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate()[1].strip().splitlines()
        finally:
            # bwrap's child waits for its parent, for ever if that is killed: they end together.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == 0:
        return None
    return said[-1] if said else "no reason given"
